"""with_hedge: a second request when the first is slow; one wins, the other is gone, and both are in the ledger."""

import asyncio
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS
from subjects import Scripted

from modelport import (
    Break,
    Failed,
    Finished,
    ModelError,
    ScriptedModel,
    Stall,
    VirtualClock,
    as_request,
    compose,
    describe,
    with_rate_limit,
    with_retry,
)
from modelport.adapters.process import deadline
from modelport.composition.layers.concurrency import Slots, with_concurrency
from modelport.composition.layers.hedge import with_hedge
from modelport.composition.layers.timeout import with_timeout
from modelport.domain.machines.hedge import Hedging, Seen, delay_of, earn, saw, spend

REQUEST = as_request("Hello!")
BROKEN = ModelError("server", "it broke")


def hedged(*answers, delay=2, layers=(), outer=(), **how):
    """A stack under with_hedge, its clock, and its model."""
    clock = VirtualClock()
    model = ScriptedModel(*answers, sleep=clock.sleep, chunk=1, model_id="m")
    made = [layer(clock) for layer in layers]
    around = [layer(clock) for layer in outer]
    return compose(model, *made, with_hedge(delay, **how, clock=clock), *around), clock, model


async def heard(model):
    return [event async for event in model.stream(REQUEST)]


def both(*answers, **how):
    """What a whole and a streamed call come to: the response or the error, and when."""
    for ask in (lambda model: model.generate(REQUEST), heard):
        stack, clock, model = hedged(*answers, **how)

        async def main(stack=stack, ask=ask):
            said = await ask(stack)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert asyncio.current_task().cancelling() == 0
            return said

        said = clock.run(main())
        assert model.open == 0
        if isinstance(said, list):
            yield (said[-1].response if isinstance(said[-1], Finished) else said[-1].error), clock.now(), model
        else:
            yield said.value_or(None) or said.failure(), clock.now(), model


def ledger(said):
    return [(attempt.outcome, attempt.started, attempt.duration, attempt.discarded) for attempt in said.attempts]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("how", [{"delay": 600}, {"percentile": 0.9}])
def test_the_law_is_kept(law, how):
    law(Scripted(lambda _: with_hedge(**how)))


def test_a_quick_answer_is_the_only_request():
    for said, when, model in both(Stall("Hi", seconds=1)):
        assert (said.content, when, len(model.requests)) == ("Hi", 1.0, 1)
        assert ledger(said) == [("answered", 0.0, 1.0, False)]


def test_the_second_request_wins_over_one_that_is_stuck():
    for said, when, model in both(Stall("never"), Stall("Hi", seconds=1)):
        assert (said.content, when, len(model.requests)) == ("Hi", 3.0, 2)
        assert ledger(said) == [("cancelled", 0.0, 3.0, True), ("answered", 2.0, 1.0, False)]
        assert [(wait.reason, wait.seconds) for wait in said.attempts[1].waits] == [("hedge", 2)]


def test_the_first_request_may_still_win():
    for said, when, model in both(Stall("Hi", seconds=3), Stall("never")):
        assert (said.content, when, len(model.requests)) == ("Hi", 3.0, 2)
        assert ledger(said) == [("cancelled", 2.0, 1.0, True), ("answered", 0.0, 3.0, False)]


def test_of_a_stream_the_first_content_decides_and_the_loser_is_closed():
    stack, clock, model = hedged(Stall("never", after=1, seconds=30), "Hi", delay=0.5)
    events = clock.run(heard(stack))
    assert [event.text for event in events[:-1]] == ["n", "e", "v", "e", "r"]
    assert (clock.now(), len(model.requests)) == (30.0, 1)


def test_a_failure_before_the_delay_is_no_reason_to_ask_again():
    for said, when, model in both(Stall(BROKEN, seconds=1)):
        assert (said.kind, when, len(model.requests)) == ("server", 1.0, 1)


def test_a_failure_lets_the_other_request_go_on():
    for said, when, _ in both(Stall(BROKEN, seconds=3), Stall("Hi", seconds=2)):
        assert (said.content, when) == ("Hi", 4.0)
        assert ledger(said) == [("server", 0.0, 3.0, False), ("answered", 2.0, 2.0, False)]
    for said, when, _ in both(Stall("Hi", seconds=9), Stall(BROKEN, seconds=2)):
        assert (said.content, when) == ("Hi", 9.0)
        assert ledger(said) == [("server", 2.0, 2.0, False), ("answered", 0.0, 9.0, False)]


def test_when_both_fail_the_last_error_has_both_in_its_ledger():
    busy = ModelError("overloaded", "busy")
    for said, when, _ in both(Stall(BROKEN, seconds=3), Stall(busy, seconds=2)):
        assert (said.kind, when, [attempt.outcome for attempt in said.attempts]) == (
            "overloaded",
            4.0,
            ["server", "overloaded"],
        )
    for said, when, _ in both(Stall(BROKEN, seconds=9), Stall(busy, seconds=2)):
        assert (when, [attempt.outcome for attempt in said.attempts]) == (9.0, ["server", "overloaded"])


def test_a_refused_second_request_does_not_hide_what_went_wrong():
    for said, _, model in both(
        Stall(BROKEN, seconds=3), layers=[lambda clock: with_concurrency(1, max_queue=0, clock=clock)]
    ):
        assert (said.kind, len(model.requests), len(said.attempts)) == ("server", 1, 1)


def test_what_the_layers_below_did_for_the_loser_is_in_the_ledger():
    again = lambda clock: with_retry(base=1, clock=clock, chance=lambda: 1.0)  # noqa: E731
    for said, when, _ in both(BROKEN, Stall("never"), "Hi", layers=[again], delay=5):
        assert (said.content, when) == ("Hi", 5.0)
        assert ledger(said) == [
            ("server", 0.0, 0.0, False),
            ("cancelled", 1.0, 4.0, True),
            ("answered", 5.0, 0.0, False),
        ]


def test_one_who_still_waits_for_a_permit_was_never_sent():
    for said, when, model in both(
        Stall("Hi", seconds=3), "never", layers=[lambda clock: with_rate_limit(1, clock=clock)]
    ):
        assert (said.content, when, len(model.requests), len(said.attempts)) == ("Hi", 3.0, 1, 1)


def test_slots_of_losers_come_back():
    clock, slots = VirtualClock(), Slots(2)
    inner = ScriptedModel(Stall("never"), "Hi", Stall("never", after=0), "Hi", sleep=clock.sleep)
    stack = compose(inner, with_concurrency(slots, clock=clock), with_hedge(1, share=1, clock=clock))

    async def main():
        await stack.generate(REQUEST)
        whole = slots.taken
        await heard(stack)
        return whole, slots.taken

    assert clock.run(main()) == (0, 0)


def test_the_share_bounds_how_often_it_is_asked_again():
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hi", seconds=3), repeat=True, sleep=clock.sleep)
    stack = compose(model, with_hedge(1, share=0.1, clock=clock))

    async def main():
        for _ in range(100):
            await stack.generate(REQUEST)

    clock.run(main())
    assert len(model.requests) == 100 + 11  # a tenth, and the one that it begins with


def test_a_percentile_is_learnt_from_the_last_calls():
    clock = VirtualClock()
    answers = [Stall("Hi", seconds=number) for number in range(1, 11)]
    model = ScriptedModel(*answers, Stall("never"), "Hi", sleep=clock.sleep)
    stack = compose(model, with_hedge(percentile=0.5, clock=clock))

    async def main():
        for _ in range(10):
            await stack.generate(REQUEST)
        return (await stack.generate(REQUEST)).unwrap()

    said = clock.run(main())
    assert len(model.requests) == 12
    assert [(wait.reason, wait.seconds) for wait in said.attempts[-1].waits] == [("hedge", 5.0)]


def test_whole_calls_say_nothing_of_how_soon_a_stream_begins():
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hi", seconds=60), repeat=True, sleep=clock.sleep)
    stack = compose(model, with_hedge(3, percentile=0.9, share=1, clock=clock))

    async def main():
        for _ in range(10):
            await stack.generate(REQUEST)
        before = len(model.requests)
        await heard(stack)
        return len(model.requests) - before

    assert clock.run(main()) == 2


def test_no_second_request_after_the_deadline():
    stack, clock, model = hedged(Stall("Hi", seconds=9), "never", delay=5)

    async def main():
        with deadline.within(4, clock):
            return (await stack.generate(REQUEST)).unwrap().content, len(model.requests)

    assert clock.run(main()) == ("Hi", 1)


def test_a_total_timeout_ends_both_and_tells_of_both():
    for said, when, model in both(
        Stall("never"), Stall("never"), outer=[lambda clock: with_timeout(total=5, clock=clock)]
    ):
        assert (said.kind, when, model.open) == ("deadline_exceeded", 5.0, 0)
        assert sorted((attempt.started, attempt.duration) for attempt in said.attempts) == [(0.0, 5.0), (2.0, 3.0)]


def test_a_total_timeout_tells_of_the_winner_s_stream_too():
    stack, clock, _ = hedged(
        Stall("never"),
        Stall("Hello", after=1),
        outer=[lambda clock: with_timeout(total=5, clock=clock)],
    )
    last = clock.run(heard(stack))[-1]
    assert (last.error.kind, last.partial.content) == ("deadline_exceeded", "H")
    assert ledger(last.error) == [("cancelled", 0.0, 2.0, True), ("deadline_exceeded", 2.0, 3.0, False)]


def test_every_attempt_of_a_hedged_call_may_time_out():
    for said, when, _ in both(
        Stall("never"), Stall("never"), layers=[lambda clock: with_timeout(attempt=5, clock=clock)]
    ):
        assert (said.kind, when, ledger(said)) == (
            "timeout",
            7.0,
            [("timeout", 0.0, 5.0, False), ("timeout", 2.0, 5.0, False)],
        )


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("seconds", [1, 3])
def test_a_cancelled_call_ends_both_requests(streamed, seconds):
    stack, clock, model = hedged(Stall("never"), Stall("never"))

    async def main():
        task = asyncio.create_task(heard(stack) if streamed else stack.generate(REQUEST))
        await clock.sleep(seconds)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        return type(outcome).__name__, model.open, len(asyncio.all_tasks()), len(model.requests)

    assert clock.run(main()) == ("CancelledError", 0, 1, 1 if seconds == 1 else 2)


class Lingering:
    """A model that takes a second to be cancelled; `says` is what it does, request by request."""

    def __init__(self, clock, *says):
        self.clock, self.says, self.open = clock, list(says), 0
        self.capabilities = ScriptedModel("Hi").capabilities

    async def generate(self, request, /):
        inner = ScriptedModel(self.says.pop(0), sleep=self.clock.sleep)
        self.open += 1
        try:
            return await inner.generate(request)
        except asyncio.CancelledError:
            await self.clock.sleep(1)
            raise
        finally:
            self.open -= 1

    async def stream(self, request, /):
        inner = ScriptedModel(self.says.pop(0), sleep=self.clock.sleep, chunk=1)
        self.open += 1
        try:
            async for event in inner.stream(request):
                yield event
        except asyncio.CancelledError:
            await self.clock.sleep(1)
            raise
        finally:
            self.open -= 1


@pytest.mark.parametrize("streamed", [False, True])
def test_the_loser_is_awaited(streamed):
    clock = VirtualClock()
    model = Lingering(clock, Stall("Hi", seconds=3), Stall("never"))
    stack = compose(model, with_hedge(2, clock=clock))
    if streamed:

        async def first_event():
            stream = stack.stream(REQUEST)
            await anext(stream)
            seen = clock.now(), model.open
            await stream.aclose()
            return seen

        assert clock.run(first_event()) == (4.0, 1)
    else:
        clock.run(stack.generate(REQUEST))
    assert (clock.now(), model.open) == (4.0, 0)


@pytest.mark.parametrize("streamed", [False, True])
def test_one_who_is_cancelled_while_the_loser_ends_leaves_nothing_open(streamed):
    clock = VirtualClock()
    model = Lingering(clock, Stall("Hi", seconds=3), Stall("never"))
    stack = compose(model, with_hedge(2, clock=clock))

    async def main():
        task = asyncio.create_task(heard(stack) if streamed else stack.generate(REQUEST))
        await clock.sleep(3.5)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        return type(outcome).__name__, model.open, clock.now()

    assert clock.run(main()) == ("CancelledError", 0, 4.0)


@pytest.mark.parametrize("streamed", [False, True])
def test_two_answers_in_the_same_moment_are_one(streamed):
    """The first content of both is there before either is looked at."""
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hi", seconds=4), Stall("Hi", seconds=2), sleep=clock.sleep)
    stack = compose(model, with_hedge(2, clock=clock))

    async def main():
        said = (await heard(stack))[-1].response if streamed else (await stack.generate(REQUEST)).unwrap()
        return said.content, len(said.attempts), sum(attempt.discarded for attempt in said.attempts), model.open

    assert clock.run(main()) == ("Hi", 2, 1, 0)


@pytest.mark.parametrize("which", [0, 1])
def test_a_programmer_s_mistake_is_let_through(which):
    def mistaken(_):
        return 5

    clock = VirtualClock()
    says = [Stall("never"), mistaken] if which else [Stall("Hi", seconds=1), "Hi"]
    model = ScriptedModel(*says, sleep=clock.sleep)
    stack = compose(model, with_hedge(0.5, clock=clock))
    if which:
        with pytest.raises(TypeError, match="5 is not a text"):
            clock.run(stack.generate(REQUEST))
    else:
        assert clock.run(stack.generate(REQUEST)).unwrap().content == "Hi"
    assert model.open == 0


def test_a_mistake_of_the_first_ends_the_second():
    class Failing(Lingering):
        async def generate(self, request, /):
            if len(self.says) == 2:
                self.says.pop(0)
                await self.clock.sleep(3)
                raise RuntimeError("a mistake")
            return await super().generate(request)

    clock = VirtualClock()
    model = Failing(clock, "", Stall("never"))
    with pytest.raises(RuntimeError, match="a mistake"):
        clock.run(compose(model, with_hedge(2, clock=clock)).generate(REQUEST))
    assert (model.open, clock.now()) == (0, 4.0)


def test_one_layer_serves_many_calls_at_once():
    clock = VirtualClock()
    model = ScriptedModel(*[Stall("never")] * 5, *[Stall("Hi", seconds=1)] * 5, sleep=clock.sleep)
    stack = compose(model, with_hedge(2, share=1, clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(5)))

    assert [result.unwrap().content for result in clock.run(main())] == ["Hi"] * 5
    assert (clock.now(), len(model.requests), model.open) == (3.0, 10, 0)


def test_it_is_described_as_one_layer():
    stack = compose(ScriptedModel("Hi", model_id="m"), with_retry(), with_hedge(2, percentile=0.95, share=0.2))
    assert describe(stack) == (
        "Hedge(delay=2, percentile=0.95, share=0.2)\n└─ Retry(attempts=4)\n   └─ ScriptedModel('m')"
    )
    assert repr(with_hedge(2)(ScriptedModel("Hi")).policy) == "Hedge(delay=2)"


def test_the_policy_is_a_value_and_its_copy_begins_anew():
    policy = with_hedge(2, percentile=0.9)(ScriptedModel("Hi")).policy
    assert pickle.loads(pickle.dumps(policy)) == policy


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({}, "with_hedge: a second request after how long"),
        ({"delay": -1}, "delay must be a finite number of at least 0 seconds, not -1"),
        ({"delay": float("inf")}, "delay must be a finite number of at least 0 seconds, not inf"),
        ({"delay": "1"}, "delay must be a finite number of at least 0 seconds, not '1'"),
        ({"percentile": 95}, "percentile must be between 0 and 1, such as 0.95, not 95"),
        ({"delay": 1, "share": 0}, "share must be above 0 and at most 1, not 0"),
        ({"delay": 1, "share": True}, "share must be above 0 and at most 1, not True"),
    ],
)
def test_what_makes_no_sense_is_an_error_at_once(how, said):
    with pytest.raises(ValueError, match=said):
        with_hedge(**how)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=250), st.floats(0.01, 0.99))
def test_the_delay_is_the_percentile_of_the_last_hundred_ten_by_ten(times, percentile):
    seen = Seen()
    for seconds in times:
        seen = saw(seen, seconds)
    recent = times[: len(times) // 10 * 10][-100:]
    assert (seen.recent, seen.ordered) == (tuple(recent), tuple(sorted(recent)))
    delay = delay_of(Hedging(percentile=percentile), seen)
    if len(times) < 10:
        assert delay is None
    else:
        assert sum(seconds <= delay for seconds in recent) >= percentile * len(recent) - 1e-9


def test_only_the_last_hundred_calls_count():
    seen = Seen()
    for seconds in range(255):
        seen = saw(seen, seconds)
    assert seen.recent == seen.ordered == tuple(range(150, 250))
    assert delay_of(Hedging(percentile=0.95), seen) == 244


@given(st.lists(st.booleans(), max_size=300), st.floats(0.01, 1))
def test_second_requests_never_pass_their_share(slow, share):
    hedging, saved, made = Hedging(1, share=share), 1.0, 0
    for calls, asks in enumerate(slow, 1):
        saved = earn(hedging, saved)
        if asks:
            saved, may = spend(saved)
            made += may
        assert made <= 1 + share * calls + 1e-6
        assert -1e-6 <= saved <= 10


ANSWERS = st.sampled_from(["Hi", BROKEN, Break("Hi", after=1)])


@settings(deadline=None)
@given(
    st.lists(st.tuples(ANSWERS, st.floats(0, 6)), min_size=2, max_size=2),
    st.booleans(),
    st.none() | st.floats(0, 8),
    st.floats(0, 4),
)
def test_nothing_is_left_whatever_happens_and_when(answers, streamed, cancelled, delay):
    """Every physical call is in the ledger once, and nothing is open when the call is over."""
    clock = VirtualClock()
    model = ScriptedModel(*(Stall(answer, seconds=seconds) for answer, seconds in answers), sleep=clock.sleep)
    stack = compose(model, with_hedge(delay, share=1, clock=clock))

    async def main():
        task = asyncio.create_task(heard(stack) if streamed else stack.generate(REQUEST))
        if cancelled is not None:
            await clock.sleep(cancelled)
            task.cancel()
        (said,) = await asyncio.gather(task, return_exceptions=True)
        assert (model.open, asyncio.all_tasks()) == (0, {asyncio.current_task()})
        return said

    said = clock.run(main())
    if isinstance(said, asyncio.CancelledError):
        return
    if streamed:
        assert isinstance(said[-1], (Finished, Failed))
        said = said[-1].response if isinstance(said[-1], Finished) else said[-1].error
    else:
        said = said.value_or(None) or said.failure()
    assert len(said.attempts) == len(model.requests)
