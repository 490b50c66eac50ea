"""with_chaos: what is planned goes wrong, as often as planned, and the same each time."""

from __future__ import annotations

import asyncio
import pickle

import laws
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subjects import Scripted

from modelport import (
    Break,
    Failed,
    ModelError,
    Response,
    ScriptedModel,
    TextDelta,
    VirtualClock,
    as_request,
    compose,
    with_retry,
)
from modelport.composition.layers.chaos import with_chaos
from modelport.domain.machines.chaos import Fate, Plan, fate

REQUEST = as_request("Hello!")


@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("plan", [{}, {"slow": 1, "delay": 0.001}], ids=["nothing", "slow"])
def test_the_law_is_kept(law, plan):
    law(Scripted(lambda _: with_chaos(plan)))


def test_a_plan_without_faults_changes_nothing():
    assert fate(Plan(), 5, 100.0) == Fate()


@given(seed=st.integers(), number=st.integers(0, 10**6), elapsed=st.floats(0, 1e6))
def test_a_fate_depends_on_the_plan_and_the_number_alone(seed, number, elapsed):
    plan = Plan({"server": 0.3, "rate_limited": 0.3}, slow=0.5, cut=0.5, seed=seed)
    assert fate(plan, number, elapsed) == fate(plan, number)


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0, 1), seed=st.integers(0, 100))
def test_faults_are_as_many_as_planned(share, seed):
    plan = Plan({"server": share / 2, "overloaded": share / 2}, slow=share, seed=seed)
    fates = [fate(plan, number) for number in range(1000)]
    for kind in ("server", "overloaded"):
        assert abs(sum(f.error is not None and f.error.kind == kind for f in fates) / 1000 - share / 2) < 0.09
    assert abs(sum(f.delay > 0 for f in fates) / 1000 - share) < 0.09


def test_shares_of_nothing_and_of_all_are_exact():
    never, always = Plan({"server": 0.0}, cut=0.0), Plan({"server": 1.0})
    assert {fate(never, number).error for number in range(500)} == {None}
    assert {fate(always, number).error.kind for number in range(500)} == {"server"}


def test_answers_break_off_at_every_place():
    assert {fate(Plan(cut=1), number).cut for number in range(200)} == set(range(8))


def test_an_error_looks_as_a_provider_s():
    refused = fate(Plan({"rate_limited": 1}, retry_after=2.0), 0).error
    assert (refused.status, refused.retry_after, refused.sent) == (429, 2.0, "yes")
    unsent = fate(Plan({"connection": 1}, retry_after=2.0), 0).error
    assert (unsent.status, unsent.retry_after, unsent.sent) == (None, None, "no")


def run(plan, *answers, streamed=False, layers=()):
    """The result of one call under this plan, the time, and the model."""
    clock, model = VirtualClock(), ScriptedModel(*answers, chunk=1, provider="p", model_id="m")
    stack = compose(model, *layers, with_chaos(plan, clock=clock))
    return clock.run(laws.listen(stack, REQUEST) if streamed else stack.generate(REQUEST)), clock.now(), model


def test_an_error_comes_in_place_of_the_call_and_is_an_attempt():
    result, _, model = run({"errors": {"server": 1}}, "Hi")
    error = result.failure()
    assert (error.kind, error.provider, error.model_id, model.requests) == ("server", "p", "m", ())
    assert [(attempt.provider, attempt.model_id, attempt.outcome) for attempt in error.attempts] == [
        ("p", "m", "server")
    ]
    assert [type(event) for event in run({"errors": {"server": 1}}, "Hi", streamed=True)[0]] == [Failed]


def test_a_slow_call_comes_late():
    result, now, _ = run({"slow": 1, "delay": 3.0}, "Hi")
    assert (result.unwrap().content, now, result.unwrap().attempts[0].duration) == ("Hi", 3.0, 3.0)


def cut_after(pieces):
    """A plan whose first answer breaks off after so many pieces."""
    return next(plan for seed in range(999) if fate(plan := Plan(cut=1, seed=seed), 0).cut == pieces)


@pytest.mark.parametrize(("pieces", "shown"), [(0, ""), (3, "Hel"), (7, "Hello")])
def test_a_cut_answer_breaks_off_whole_and_streamed(pieces, shown):
    plan = cut_after(pieces)
    assert run(plan, "Hello")[0].failure().kind == "interrupted"
    (*deltas, last), _, model = run(plan, "Hello", streamed=True)
    assert ("".join(delta.text for delta in deltas), last.error.kind, model.open) == (shown, "interrupted", 0)
    assert (last.partial.content if last.partial else "") == shown
    assert [attempt.outcome for attempt in last.error.attempts] == ["interrupted"]


@pytest.mark.parametrize("streamed", [False, True])
def test_what_a_stack_below_has_tried_stays_in_the_ledger(streamed):
    server = ModelError("server", "it broke")
    layers = (with_retry(base=0),)
    result, _, _ = run(cut_after(7), server, "Hi", streamed=streamed, layers=layers)
    error = result[-1].error if streamed else result.failure()
    assert [attempt.outcome for attempt in error.attempts] == ["server", "answered"]


def test_a_failure_of_the_model_itself_is_not_made_worse():
    assert run(cut_after(7), ModelError("server", "its own"))[0].failure().message == "its own"
    (*_, last), _, _ = run(cut_after(7), Break("Hello", after=2), streamed=True)
    assert last.error.message == "the connection was cut, as the script says"


class Trailing:
    """A model whose stream just stops, against the law."""

    capabilities = ScriptedModel("Hi").capabilities

    async def generate(self, request):
        raise NotImplementedError

    async def stream(self, request):
        yield TextDelta("Hi")


def test_a_stream_that_just_stops_is_a_failure():
    *_, last = asyncio.run(laws.listen(compose(Trailing(), with_chaos({})), REQUEST))
    assert isinstance(last, Failed)


def test_the_provider_is_down_for_a_time():
    clock = VirtualClock()
    stack = compose(ScriptedModel("Hi", repeat=True), with_chaos({"down": [(5, 20)]}, clock=clock))

    async def main():
        clock.advance(100)
        said = []
        for seconds in (0, 4.9, 0.1, 14.9, 0.1):
            clock.advance(seconds)
            said.append((await stack.generate(REQUEST)).value_or(None) is not None)
        return said

    assert clock.run(main()) == [True, True, False, False, True]


def test_a_retry_above_it_gets_through():
    clock = VirtualClock()
    model = ScriptedModel("Hi", repeat=True)
    plan = Plan({"server": 0.3, "rate_limited": 0.3}, retry_after=1.0, seed=1)
    stack = compose(model, with_chaos(plan, clock=clock), with_retry(attempts=20, clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(100)))

    answers = [result.unwrap() for result in clock.run(main())]
    assert len(model.requests) == 100
    outcomes = [attempt.outcome for answer in answers for attempt in answer.attempts]
    assert 0.5 < 1 - 100 / len(outcomes) < 0.7


def test_the_plan_is_shown_and_can_be_written_as_configuration():
    policy = with_chaos(Plan({"server": 0.3}, seed=7))(ScriptedModel("Hi")).policy
    assert repr(policy) == "Chaos(errors={'server': 0.3}, seed=7)"
    assert policy.plan == {"errors": {"server": 0.3}, "seed": 7}
    again = pickle.loads(pickle.dumps(policy))
    assert again == policy
    assert with_chaos(policy.plan)(ScriptedModel("Hi")).policy == policy


@pytest.mark.parametrize(
    ("plan", "error", "said"),
    [
        (5, TypeError, "with_chaos: takes a Plan, or a dict"),
        ({"errors": {"slowness": 1}}, ValueError, "'slowness' is not a valid ErrorKind; the kinds are auth"),
        ({"errors": ["server"]}, TypeError, "errors is a share of the calls for each kind"),
        ({"errors": {"server": 0.7, "timeout": 0.7}}, ValueError, "errors come to more than all calls: 1.4"),
        ({"errors": {"server": 2}}, ValueError, r"errors\['server'\] is a share from 0 to 1, not 2"),
        ({"slow": True}, TypeError, "slow is a share from 0 to 1, not True"),
        ({"cut": -1}, ValueError, "cut is a share from 0 to 1, not -1"),
        ({"delay": -1}, ValueError, "delay.*-1"),
        ({"delay": float("inf")}, ValueError, "delay is a finite number of at least 0 seconds, not inf"),
        ({"delay": "1"}, TypeError, "delay is a number of seconds, not '1'"),
        ({"retry_after": "1"}, TypeError, "retry_after is a number of seconds, not '1'"),
        ({"retry_after": -1}, ValueError, "retry_after is a finite number of at least 0 seconds, not -1"),
        ({"down": (20, 40)}, TypeError, r"down takes pairs such as \[\(20, 40\)\], in seconds since the first, not"),
        ({"down": [(5, 5)]}, ValueError, r"down takes \(from, to\) in seconds"),
        ({"speed": 1}, TypeError, "with_chaos: got an unexpected keyword argument 'speed'"),
    ],
)
def test_what_is_no_plan_is_an_error_at_once(plan, error, said):
    with pytest.raises(error, match=said):
        with_chaos(plan)


def test_an_answer_that_is_not_cut_is_the_model_s_own():
    said = Response.of("Hi", model_id="m", response_id="r")
    assert run({}, said)[0].unwrap().response_id == "r"
