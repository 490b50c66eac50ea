"""Many calls of a stack in virtual time: its own layers, models that are played, and outages as planned."""

from __future__ import annotations

from typing import Any

import pytest

from modelport import (
    Limiter,
    Model,
    ModelError,
    Price,
    ScriptedModel,
    Usage,
    as_request,
    compose,
    with_budget,
    with_cache,
    with_check,
    with_circuit_breaker,
    with_concurrency,
    with_defaults,
    with_fallback,
    with_hedge,
    with_log,
    with_rate_limit,
    with_retry,
    with_route,
    with_timeout,
    with_trace,
)
from modelport.composition.inspect.simulate import Simulation, Workload, compared, simulate
from modelport.composition.stack.policy import Decorated, Direct
from modelport.domain.machines.chaos import Plan

DOWN = {"big": {"down": [(20, 40)]}}


def big(*layers: Any) -> Model:
    return compose(ScriptedModel("never asked", model_id="big"), *layers)


def small() -> Model:
    return ScriptedModel("never asked", model_id="small")


def test_without_outages_every_call_is_answered_once() -> None:
    found = simulate(big())
    assert (found.calls, found.answered, found.physical_calls, found.errors) == (300, 300, 300, {})
    assert 0.8 < found.percentile(0.5) < 1.2
    assert found.success == 1.0


def test_while_a_model_is_down_only_a_substitute_answers() -> None:
    alone = simulate(big(with_retry(attempts=2)), outages=DOWN)
    replaced = simulate(big(with_retry(attempts=2), with_fallback(small())), outages=DOWN)
    assert 0.5 < alone.success < 0.8
    assert set(alone.errors) == {"connection"}
    assert replaced.success == 1.0
    assert min(alone.share_by_time) == 0.0
    assert min(replaced.share_by_time) == 1.0


def test_the_same_seed_plays_the_same_calls_and_another_one_others() -> None:
    outages = {"*": Plan({"server": 0.2}, retry_after=1.0)}
    stack = big(with_retry(attempts=3))
    assert simulate(stack, outages=outages) == simulate(stack, outages=outages)
    assert simulate(stack, outages=outages) != simulate(stack, outages=outages, seed=1)


def test_two_stacks_are_played_the_same_calls() -> None:
    one, other = simulate(big()), simulate(big(with_defaults(seed=1)))
    assert one == other


def test_a_limiter_paces_in_virtual_time() -> None:
    found = simulate(big(with_rate_limit(60)), Workload(calls=61, rate=1000))
    assert 59.9 < found.seconds[-1] < 63


def test_what_models_share_is_shared_in_the_simulation() -> None:
    shared = Limiter(60)
    stack = big(with_rate_limit(shared), with_fallback(compose(small(), with_rate_limit(shared))))
    found = simulate(stack, Workload(calls=30, rate=1000), {"big": {"errors": {"connection": 1.0}}})
    assert 58 < found.seconds[-1] < 63  # 60 permits at one a second
    assert shared._state.starts == ()


def test_every_layer_can_be_played() -> None:
    stack = big(
        with_timeout(attempt=5),
        with_concurrency(20),
        with_rate_limit(600),
        with_circuit_breaker(minimum=5, pause=5),
        with_hedge(percentile=0.95),
        with_retry(attempts=3),
        with_cache(),
        with_check(lambda response: True),
        with_budget(tokens=10**9),
        with_defaults(seed=1),
        with_route(small(), by="weighted", weights=[3, 1]),
        with_fallback(ScriptedModel("never asked", model_id="third")),
        with_log(),
        with_trace(),
        with_timeout(total=60),
    )
    assert simulate(stack, outages=DOWN).success > 0.99


def test_a_layer_that_listens_for_events_is_played_a_stream() -> None:
    assert simulate(big(with_timeout(idle=60)), Workload(calls=5)).success == 1.0


def test_alike_requests_come_from_the_cache() -> None:
    found = simulate(big(with_cache()), Workload(calls=50, request=lambda number: as_request("the same")))
    assert found.physical_calls == 1


def test_attempts_cost_what_their_model_does() -> None:
    work = Workload(calls=10, usage=Usage(1_000_000, 0))
    found = simulate(big(), work, prices={"big": Price(2.0, 8.0), "*": Price(9.0, 9.0)})
    assert found.usd == 20.0


def test_each_model_has_its_own_latency() -> None:
    stack = big(with_fallback(small()))
    slow = simulate(stack, outages={"big": {"errors": {"connection": 1.0}}}, latency={"small": 10.0, "*": 1.0})
    assert 8 < slow.percentile(0.5) < 12


def test_two_simulations_stand_in_one_table_and_one_plot() -> None:
    one = Simulation(10, 5, {"server": 5}, tuple(range(1, 11)), 20, 1.5, (1.0, 0.0) * 20)
    other = Simulation(10, 10, {}, (1.0,) * 10, 10, None, (1.0,) * 40)
    assert compared({"one": one, "other": other}) == (
        "| stack | answered | p50 | p95 | p99 | physical calls | cost | errors |\n"
        "|---|---|---|---|---|---|---|---|\n"
        "| one | 50.0% | 5.00 s | 10.00 s | 10.00 s | 20 | 1.5000 USD | server 5 |\n"
        "| other | 100.0% | 1.00 s | 1.00 s | 1.00 s | 10 | - | none |\n"
        "\n"
        f"one   {'█▁' * 20}\n"
        f"other {'█' * 40}"
    )
    assert str(other).startswith("| stack |")


@pytest.mark.parametrize("wrong", [{"calls": 0}, {"calls": 1.5}, {"rate": 0}, {"rate": float("inf")}])
def test_a_workload_has_calls(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"Workload: {next(iter(wrong))} must be"):
        Workload(**wrong)


def test_one_call_is_a_workload_too() -> None:
    assert simulate(big(), Workload(calls=1)).share_by_time == (1.0,) * 40


def test_layers_of_one_s_own_can_t_be_made_again() -> None:
    class Own:
        async def acquire(self) -> None: ...

    class Mine(Direct): ...

    with pytest.raises(TypeError, match="a limiter of the application"):
        simulate(big(with_rate_limit(Own())))
    with pytest.raises(TypeError, match="is a layer of your own"):
        simulate(Decorated(small(), Mine()))


def test_the_models_themselves_are_never_asked() -> None:
    broken = ScriptedModel(ModelError("server", "asked"), model_id="big", repeat=True)
    assert simulate(compose(broken)).success == 1.0
    assert broken.requests == ()
