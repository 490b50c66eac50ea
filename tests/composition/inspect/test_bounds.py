"""What one call of a stack can come to at most."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from modelport import (
    Decorated,
    Layer,
    Limiter,
    Model,
    ScriptedModel,
    compose,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.adapters import OpenAIModel
from modelport.composition.inspect.bounds import bounds
from modelport.composition.layers.budget import with_budget
from modelport.composition.layers.cache import with_cache
from modelport.composition.layers.chaos import with_chaos
from modelport.composition.layers.check import with_check
from modelport.composition.layers.circuit_breaker import with_circuit_breaker
from modelport.composition.layers.concurrency import with_concurrency
from modelport.composition.layers.defaults import with_defaults
from modelport.composition.layers.hedge import with_hedge
from modelport.composition.layers.log import with_log
from modelport.composition.layers.route import with_route
from modelport.composition.layers.timeout import with_timeout
from modelport.composition.layers.trace import with_trace
from modelport.composition.stack.policy import Direct
from modelport.domain.machines.bounds import Bounds

INF = math.inf


def model() -> Model:
    return ScriptedModel("Hi!")


def quick() -> Model:
    return compose(model(), with_timeout(attempt=5))


def of(*layers: Layer) -> tuple[float, float, float]:
    found = bounds(compose(model(), *layers))
    return found.calls, found.seconds, found.queue


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], (1, INF, 0)),
        ([with_timeout(attempt=10)], (1, 10, 0)),
        ([with_timeout(total=10, attempt=5)], (1, 5, 0)),
        ([with_timeout(idle=5)], (1, INF, 0)),
        ([with_timeout(attempt=10), with_retry(attempts=3, max_wait=2, cap=1)], (3, 34, 0)),
        ([with_timeout(attempt=10), with_retry(attempts=3, base=4, cap=5, max_wait=1)], (3, 39, 0)),
        ([with_timeout(attempt=10), with_retry(attempts=9, deadline=20)], (9, 30, 0)),
        ([with_timeout(attempt=1), with_retry(attempts=2, max_wait=1, cap=1, deadline=20)], (2, 3, 0)),
        ([with_retry(attempts=2), with_timeout(total=7)], (2, 7, 0)),
        ([with_timeout(attempt=10), with_retry(attempts=2, wait=lambda state: 1.0)], (2, INF, 0)),
        ([with_timeout(attempt=10), with_retry(attempts=1, wait=lambda state: 1.0)], (1, 10, 0)),
        ([with_retry(attempts=3), with_retry(attempts=4)], (12, INF, 0)),
        ([with_timeout(attempt=10), with_rate_limit(60)], (1, INF, INF)),
        ([with_timeout(attempt=10), with_rate_limit(60, max_wait=5)], (1, 15, 6)),
        ([with_timeout(attempt=10), with_rate_limit(60, max_wait=5), with_retry(2, max_wait=1, cap=1)], (2, 31, 6)),
        ([with_rate_limit(60), with_timeout(total=7)], (1, 7, INF)),
        ([with_timeout(attempt=10), with_concurrency(2, max_queue=3)], (1, INF, 3)),
        ([with_timeout(attempt=10), with_concurrency(2, max_queue=0)], (1, 10, 0)),
        ([with_timeout(attempt=10), with_concurrency(2)], (1, INF, INF)),
        ([with_timeout(attempt=10), with_check(lambda response: True, repair=2)], (3, 30, 0)),
        ([with_timeout(attempt=10), with_fallback(quick())], (2, 15, 0)),
        (
            [with_timeout(attempt=10), with_route(compose(model(), with_timeout(attempt=5)), by="round_robin")],
            (2, 15, 0),
        ),
        ([with_timeout(attempt=10), with_hedge(2.0)], (2, 12, 0)),
        ([with_timeout(attempt=10), with_hedge(percentile=0.9)], (2, 20, 0)),
        ([with_timeout(attempt=10), with_chaos({"slow": 0.5, "delay": 3})], (1, 13, 0)),
        ([with_timeout(attempt=10), with_chaos({"cut": 0.5})], (1, 10, 0)),
        # a timeout doesn't say whether it cuts a wait or a call, and a deadline ends only waits
        ([with_rate_limit(60, max_wait=10), with_timeout(total=10), with_retry(1, deadline=4)], (1, 10, 11)),
        ([with_chaos({"slow": 0.5, "delay": 5}), with_timeout(attempt=5), with_retry(1, deadline=4)], (1, 5, 0)),
        ([with_timeout(attempt=10), with_retry(2, hook=lambda error, number, wait: 1.0)], (2, INF, 0)),
        ([with_timeout(attempt=1), with_retry(1100, base=1, cap=1, max_wait=1)], (1100, 2199, 0)),
        ([with_retry(1100, base=1, cap=INF), with_timeout(total=7)], (1100, 7, 0)),
        (
            [
                with_timeout(attempt=10),
                with_circuit_breaker(),
                with_cache(),
                with_budget(tokens=9),
                with_defaults(seed=1),
                with_log(),
                with_trace(),
            ],
            (1, 10, 0),
        ),
    ],
)
def test_a_layer_does_this_to_the_bounds(layers: list[Layer], expected: tuple[float, float, float]) -> None:
    assert of(*layers) == expected


def test_a_model_that_paces_itself_has_a_queue() -> None:
    assert bounds(OpenAIModel("m", requests_per_minute=60)).queue == INF
    assert bounds(OpenAIModel("m", requests_per_minute=Limiter(60, max_wait=3))) == Bounds(1, 3.0, INF, 4)


def test_a_limiter_that_says_nothing_of_itself_may_let_wait_for_ever() -> None:
    class Own:
        async def acquire(self) -> None: ...

    assert of(with_rate_limit(Own())) == (1, INF, INF)


@attrs.frozen
class Twice(Direct):
    """A layer of an application, which says what it does."""

    def bounds(self, below: Bounds) -> Bounds:
        return below.times(2)


def test_a_layer_of_one_s_own_says_so_itself_or_nothing_is_known() -> None:
    assert bounds(Decorated(model(), Twice())).calls == 2
    silent: Any = attrs.make_class("Silent", [], bases=(Direct,))()
    assert bounds(Decorated(model(), silent)) == Bounds(INF, INF, INF, INF)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Bounds(1, 0, 1, 0), "1 call, 1 second, 0 places in queues"),
        (Bounds(4, 1.5, 40, 1), "4 calls, 41.5 seconds, 1 place in queues"),
        (Bounds(4, 0, INF, INF), "4 calls, any number of seconds, any number of places in queues"),
    ],
)
def test_bounds_read_as_a_sentence(found: Bounds, text: str) -> None:
    assert str(found) == text
