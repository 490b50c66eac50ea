"""with_timeout: each limit, whole and streamed, to the microsecond of virtual time; nothing is left behind."""

import asyncio
import pickle
from contextlib import suppress

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS
from returns.result import Success
from subjects import Scripted

from modelport import (
    Failed,
    Finished,
    ModelError,
    Response,
    ScriptedModel,
    Stall,
    TextDelta,
    VirtualClock,
    as_request,
    blocking,
    compose,
    describe,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.composition.layers.chaos import with_chaos
from modelport.composition.layers.concurrency import Slots, with_concurrency
from modelport.composition.layers.timeout import Timeout, with_timeout
from modelport.composition.stack.policy import Decorated

REQUEST = as_request("Hello!")
BROKEN = ModelError("server", "it broke")


def limited(*answers, layers=(), outer=(), **limits):
    """A stack under these limits, its clock, and its model."""
    clock = VirtualClock()
    model = ScriptedModel(*answers, sleep=clock.sleep, chunk=1, model_id="m")
    made = [layer(clock) for layer in layers]
    return compose(model, *made, with_timeout(**limits, clock=clock), *(layer(clock) for layer in outer)), clock, model


def retried(clock):
    return with_retry(base=1, attempts=3, clock=clock, chance=lambda: 1.0)


async def heard(model):
    return [event async for event in model.stream(REQUEST)]


def both(*answers, **how):
    """What a whole and a streamed call come to, and when."""
    outcomes = []
    for ask in (lambda model: model.generate(REQUEST), heard):
        stack, clock, model = limited(*answers, **how)
        said = clock.run(ask(stack))
        outcomes.append((said, clock.now(), model))
        assert model.open == 0
    return outcomes


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(
    "limits", [{"total": 600}, {"attempt": 600}, {"first_event": 600, "idle": 600}, {"total": 900, "idle": 600}]
)
def test_the_law_is_kept(law, limits):
    law(Scripted(lambda _: with_timeout(**limits)))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept_over_a_stack(law):
    law(Scripted(lambda _: with_retry(base=0.001), lambda _: with_timeout(total=900, attempt=600)))


@pytest.mark.parametrize(
    "limits", [{"total": 3}, {"attempt": 3}, {"first_event": 3}, {"idle": 3}, {"total": 3, "idle": 3}]
)
def test_an_answer_in_time_is_given_back_as_it_is(limits):
    (whole, when, _), (events, _, _) = both(Stall("Hi", seconds=2), **limits)
    assert (whole.unwrap().content, when, whole.unwrap().attempts[0].outcome) == ("Hi", 2.0, "answered")
    assert events[-1].response.attempts[0].first_event == 2.0


@pytest.mark.parametrize(
    ("limits", "kind", "said"),
    [
        ({"total": 3}, "deadline_exceeded", "no answer after 3 s in all"),
        ({"attempt": 3}, "timeout", "no answer after 3 s"),
        ({"first_event": 3}, "timeout", "nothing came for 3 s"),
        ({"idle": 3}, "timeout", "nothing more came for 3 s"),
        ({"total": 9, "attempt": 3}, "timeout", "no answer after 3 s"),
        ({"total": 9, "attempt": 8, "first_event": 3, "idle": 5}, "timeout", "nothing came for 3 s"),
    ],
)
def test_a_model_that_says_nothing_is_ended(limits, kind, said):
    (whole, when, _), (events, then, _) = both(Stall("Hi"), **limits)
    for error in (whole.failure(), events[0].error):
        assert (error.kind, error.message, error.sent, error.model_id) == (kind, said, "perhaps", "m")
        (attempt,) = error.attempts
        assert (attempt.model_id, attempt.outcome, attempt.duration, attempt.message) == ("m", kind, 3.0, said)
    assert (when, then, events[0].partial) == (3.0, 3.0, None)


@pytest.mark.parametrize(
    ("limits", "kind", "when"),
    [
        ({"total": 3}, "deadline_exceeded", 3.0),
        ({"attempt": 3}, "timeout", 3.0),
        ({"idle": 3}, "timeout", 3.0),
        ({"first_event": 1, "idle": 3}, "timeout", 3.0),
        ({"attempt": 3, "first_event": 1, "idle": 2}, "timeout", 2.0),
    ],
)
def test_a_stream_that_falls_silent_fails_with_what_has_come(limits, kind, when):
    (whole, first, _), (events, then, _) = both(Stall("Hello", after=2), **limits)
    assert (whole.failure().kind, first) == (kind, when)
    assert [event.text for event in events[:-1]] == ["H", "e"]
    error, partial = events[-1].error, events[-1].partial
    assert (error.kind, error.sent, partial.content, then) == (
        kind,
        "yes" if "idle" in limits else error.sent,
        "He",
        when,
    )
    assert error.attempts[0].first_event == 0.0


class Ticking:
    """A model that says a letter at these times, and then that it is done."""

    def __init__(self, clock, *gaps):
        self.clock, self.gaps, self.closed = clock, gaps, 0
        self.capabilities = ScriptedModel("Hi").capabilities

    async def generate(self, request, /):
        raise NotImplementedError

    async def stream(self, request, /):
        try:
            for gap in self.gaps:
                await self.clock.sleep(gap)
                yield TextDelta("a")
            yield Finished(Response.of("a" * len(self.gaps)))
        finally:
            self.closed += 1


def test_first_event_is_for_the_first_and_idle_for_each_that_follows():
    clock = VirtualClock()
    stack = compose(Ticking(clock, 9, 1.5, 1.5, 1.5), with_timeout(first_event=10, idle=2, clock=clock))
    assert clock.run(stack.generate(REQUEST)).unwrap().content == "aaaa"
    assert clock.now() == 13.5


def test_idle_begins_anew_with_each_event():
    clock = VirtualClock()
    stack = compose(Ticking(clock, 1, 1.5, 1.9, 2.1), with_timeout(idle=2, clock=clock))
    events = clock.run(heard(stack))
    assert (clock.now(), events[-1].partial.content) == (pytest.approx(6.4, abs=1e-5), "aaa")


@pytest.mark.parametrize(
    ("limits", "outcome"),
    [
        ({"total": 5}, "deadline_exceeded"),
        ({"attempt": 5}, "timeout"),
        ({"attempt": 5, "idle": 2}, "timeout"),
        ({"idle": 2}, "Finished"),
        ({"attempt": 50, "idle": 2}, "Finished"),
    ],
)
def test_the_clock_stops_for_no_reader_but_only_the_model_is_silent(limits, outcome):
    """A reader who takes seven seconds over a letter: the call has lasted, the model wasn't silent."""
    clock = VirtualClock()
    model = Ticking(clock, 1, 1, 1)
    stack = compose(model, with_timeout(**limits, clock=clock))

    async def slowly():
        events = []
        async for event in stack.stream(REQUEST):
            events.append(event)
            if len(events) == 2:
                await clock.sleep(7)
        return events

    *shown, last = clock.run(slowly())
    assert (last.error.kind if isinstance(last, Failed) else type(last).__name__) == outcome
    assert (len(shown), model.closed) == (2 if isinstance(last, Failed) else 3, 1)


def test_silence_after_a_slow_reader_is_silence():
    clock = VirtualClock()
    stack = compose(Ticking(clock, 1, 90), with_timeout(idle=2, clock=clock))

    async def slowly():
        events = []
        async for event in stack.stream(REQUEST):
            events.append((event, clock.now()))
            await clock.sleep(7)
        return events

    last, when = clock.run(slowly())[-1]
    assert (last.error.kind, when) == ("timeout", pytest.approx(10.0))


def test_every_attempt_has_its_own_time_wherever_the_layer_stands():
    (whole, when, model), (events, _, _) = both(
        Stall("late", seconds=9), Stall("late", seconds=9), "Hi", layers=[retried], attempt=4
    )
    assert (whole.unwrap().content, when, len(model.requests)) == ("Hi", 11.0, 3)  # 4, waits 1, 4, waits 2
    assert [attempt.outcome for attempt in events[-1].response.attempts] == ["timeout", "timeout", "answered"]


def test_a_total_ends_the_retries_and_their_ledger_is_whole():
    for said, when, model in both(BROKEN, Stall("late"), layers=[retried], total=5, attempt=4.5):
        error = said.failure() if not isinstance(said, list) else said[-1].error
        assert (error.kind, when, len(model.requests)) == ("deadline_exceeded", 5.0, 2)
        assert [(attempt.outcome, attempt.duration) for attempt in error.attempts] == [
            ("server", 0.0),
            ("deadline_exceeded", 4.0),
        ]


def test_no_wait_below_goes_past_the_total():
    for said, when, model in both(BROKEN, "Hi", layers=[retried], total=0.5):
        error = said.failure() if not isinstance(said, list) else said[-1].error
        assert (error.kind, when, len(model.requests)) == ("server", 0.0, 1)


def test_an_attempt_that_times_out_goes_to_the_fallback_and_an_end_in_all_does_not():
    spare = lambda clock: with_fallback(ScriptedModel("spare"))  # noqa: E731
    (whole, _, _), (events, _, _) = both(Stall("late"), layers=[spare], attempt=2)
    assert whole.unwrap().content == "spare"
    assert [attempt.outcome for attempt in events[-1].response.attempts] == ["timeout", "answered"]
    (whole, _, _), _ = both(Stall("late"), layers=[spare], total=2)
    assert whole.failure().kind == "deadline_exceeded"


def test_the_time_in_a_queue_is_not_the_attempt_s():
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hi", seconds=3), repeat=True, sleep=clock.sleep)
    queue = with_concurrency(1, clock=clock)
    stack = compose(model, with_rate_limit(20, clock=clock), queue, with_timeout(attempt=4, clock=clock))

    async def main():
        return await asyncio.gather(*(stack.generate(REQUEST) for _ in range(4)))

    assert [result.unwrap().content for result in clock.run(main())] == ["Hi"] * 4


def test_who_still_waits_when_all_time_is_over_was_never_sent():
    clock = VirtualClock()
    slots = Slots(1)
    model = ScriptedModel(Stall("Hi", seconds=9), repeat=True, sleep=clock.sleep)
    stack = compose(model, with_concurrency(slots, clock=clock), with_timeout(total=5, clock=clock))

    async def main():
        first, second = await asyncio.gather(stack.generate(REQUEST), stack.generate(REQUEST))
        return first.failure(), second.failure()

    first, second = clock.run(main())
    assert (first.sent, len(first.attempts)) == ("perhaps", 1)
    assert (second.kind, second.sent, second.attempts) == ("deadline_exceeded", "no", ())
    assert (clock.now(), slots.taken, slots.waiting, len(model.requests)) == (5.0, 0, 0, 1)


@attrs.frozen
class Dawdling:
    """A policy that waits, whatever the deadline."""

    clock: VirtualClock

    async def __call__(self, call, model, request, /):
        await self.clock.sleep(60)
        return await call(model, request)


def test_a_layer_that_waits_without_regard_is_ended_too():
    for said, when, model in both("Hi", layers=[lambda clock: lambda m: Decorated(m, Dawdling(clock))], total=5):
        error = said.failure() if not isinstance(said, list) else said[-1].error
        assert (error.kind, error.sent, error.attempts, when) == ("deadline_exceeded", "no", (), 5.0)
        assert model.requests == ()


def test_nothing_is_asked_when_the_time_of_an_outer_layer_is_over():
    clock = VirtualClock()
    slow = ScriptedModel(Stall(BROKEN, seconds=5), sleep=clock.sleep)
    last = ScriptedModel("never")
    spare = compose(last, with_timeout(total=3, clock=clock))
    stack = compose(slow, with_fallback(spare, on=lambda _: True), with_retry(deadline=4, clock=clock))
    assert clock.run(stack.generate(REQUEST)).failure().kind == "deadline_exceeded"
    from modelport.adapters.process import deadline

    async def late():
        with deadline.within(0, clock):
            return await spare.generate(REQUEST), await heard(spare)

    whole, (failed,) = clock.run(late())
    assert (whole.failure().kind, failed.error.sent, last.requests) == ("deadline_exceeded", "no", ())


def test_the_shorter_of_two_totals_strikes():
    clock = VirtualClock()
    model = ScriptedModel(Stall("late"), repeat=True)
    inner = compose(model, with_timeout(total=9, clock=clock), with_timeout(total=2, clock=clock))
    error = clock.run(inner.generate(REQUEST)).failure()
    assert (clock.now(), error.kind, [attempt.duration for attempt in error.attempts]) == (
        2.0,
        "deadline_exceeded",
        [2.0],
    )
    outer = compose(model, with_timeout(total=2, clock=clock), with_timeout(total=9, clock=clock))
    error = clock.run(outer.generate(REQUEST)).failure()
    assert (clock.now(), [attempt.outcome for attempt in error.attempts]) == (4.0, ["deadline_exceeded"])


def test_the_shorter_of_two_attempts_strikes():
    (whole, when, _), _ = both(
        *[Stall("late")] * 3, layers=[lambda clock: with_timeout(attempt=2, clock=clock), retried], attempt=9
    )
    assert (whole.failure().kind, len(whole.failure().attempts), when) == ("timeout", 3, 9.0)
    (whole, when, _), _ = both(Stall("late"), layers=[lambda clock: with_timeout(attempt=9, clock=clock)], attempt=2)
    assert (whole.failure().message, len(whole.failure().attempts), when) == ("no answer after 2 s", 1, 2.0)


class Deaf:
    """What is awaited for ever, and gives what it has when it is cancelled."""

    def __init__(self, gives):
        self.gives = gives

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        future = asyncio.get_running_loop().create_future()
        future._asyncio_future_blocking = True
        return future

    def throw(self, *_):
        raise StopIteration(self.gives)


class Stubborn:
    """A model that can't be cancelled: told to stop, it says what it has. Its stream says something before."""

    def __init__(self, *says):
        self.says, self.closed = list(says), 0
        self.capabilities = ScriptedModel("Hi").capabilities

    def generate(self, request, /):
        return Deaf(Success(Response.of("late")))

    def stream(self, request, /):
        return self

    def __aiter__(self):
        return self

    def __anext__(self):
        says = self.says.pop(0)
        return at_once(says) if self.says else Deaf(says)

    async def aclose(self):
        self.closed += 1


async def at_once(event):
    return event


def test_an_empty_answer_that_comes_too_late_is_late_all_the_same():
    clock = VirtualClock()
    model = Stubborn(Finished(Response.of("")))
    stack = compose(model, with_timeout(attempt=3, clock=clock))

    async def main():
        return await heard(stack), asyncio.current_task().cancelling()

    (last,), cancelling = clock.run(main())
    assert (last.error.kind, model.closed > 0, cancelling) == ("timeout", True, 0)


@pytest.mark.parametrize(("says", "content"), [(["a", "b"], "ab"), (["b"], "b")])
def test_a_model_that_swallows_its_cancellation_is_late_all_the_same(says, content):
    clock = VirtualClock()
    model = Stubborn(*map(TextDelta, says))
    stack = compose(model, with_timeout(attempt=3, clock=clock))

    async def main():
        whole, events = await stack.generate(REQUEST), await heard(stack)
        return whole.failure().kind, events[-1], asyncio.current_task().cancelling()

    whole, last, cancelling = clock.run(main())
    assert (whole, last.error.kind, last.partial and last.partial.content) == ("timeout", "timeout", content)
    assert (cancelling, model.closed >= 1, clock.now()) == (0, True, 6.0)


class Breaking:
    """A model that breaks when it is cancelled."""

    capabilities = ScriptedModel("Hi").capabilities

    async def generate(self, request, /):
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("it can't be cancelled")

    async def stream(self, request, /):
        yield Failed(BROKEN)


def test_what_a_model_raises_when_it_is_cancelled_is_let_through():
    clock = VirtualClock()
    with pytest.raises(ValueError, match="it can't be cancelled"):
        clock.run(compose(Breaking(), with_timeout(attempt=3, clock=clock)).generate(REQUEST))


@pytest.mark.parametrize("limits", [{"total": 5}, {"attempt": 5}, {"idle": 5}])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_cancellation_by_the_caller_is_let_through(limits, streamed):
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hello", after=1), chunk=1)
    stack = compose(model, with_timeout(**limits, clock=clock))

    async def main():
        task = asyncio.create_task(heard(stack) if streamed else stack.generate(REQUEST))
        await clock.sleep(1)
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        await clock.sleep(60)  # no clock of it runs any more
        return type(outcome).__name__, task.cancelling(), model.open

    assert clock.run(main()) == ("CancelledError", 1, 0)


def test_a_cancellation_in_the_moment_of_the_strike_is_let_through():
    clock = VirtualClock()
    stack = compose(ScriptedModel(Stall("Hello")), with_timeout(attempt=5, clock=clock))

    async def main():
        task = asyncio.create_task(stack.generate(REQUEST))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(5.0, task.cancel)
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        return type(outcome).__name__

    assert clock.run(main()) == "CancelledError"


def test_a_timeout_of_the_caller_s_own_is_the_caller_s():
    clock = VirtualClock()
    stack = compose(ScriptedModel(Stall("Hello", after=1)), with_timeout(attempt=5, clock=clock))

    async def main():
        async with asyncio.timeout(3):
            await heard(stack)

    with pytest.raises(TimeoutError):
        clock.run(main())
    assert clock.now() == 3.0


def test_a_stream_may_be_read_and_closed_on_several_tasks():
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hello", after=2), chunk=1)
    stack = compose(model, with_timeout(attempt=5, idle=4, clock=clock))

    async def main():
        stream = stack.stream(REQUEST)
        read = [await asyncio.create_task(anext(stream)) for _ in range(3)]
        last = read[-1]
        closed = stack.stream(REQUEST)
        return last.error.kind, model.open, asyncio.current_task().cancelling(), await closed.aclose()

    assert clock.run(main()) == ("timeout", 0, 0, None)


def test_a_stream_closed_on_another_task_leaves_no_clock_behind():
    clock = VirtualClock()
    model = ScriptedModel(Stall("Hello", after=2), chunk=1)
    stack = compose(model, with_retry(clock=clock), with_timeout(total=9, attempt=5, idle=4, clock=clock))

    async def main():
        stream = stack.stream(REQUEST)
        await asyncio.create_task(anext(stream))
        await asyncio.create_task(stream.aclose())
        loop = asyncio.get_running_loop()
        return model.open, [handle for handle in loop._scheduled if not handle.cancelled()]

    assert clock.run(main()) == (0, [])


def test_a_programmer_s_mistake_below_is_let_through():
    for streamed in (False, True):
        stack = compose(ScriptedModel(lambda _: 5), with_timeout(attempt=5, total=9))
        with pytest.raises(TypeError, match="5 is not a text"):
            asyncio.run(heard(stack) if streamed else stack.generate(REQUEST))


def test_a_stream_that_just_stops_is_interrupted():
    class Stopping(Ticking):
        async def stream(self, request, /):
            yield TextDelta("a")

    events = asyncio.run(heard(compose(Stopping(None), with_timeout(attempt=5))))
    assert events[-1].error.kind == "interrupted"


def test_an_answer_without_content_is_an_answer():
    (whole, _, _), (events, _, _) = both("", total=5, idle=3)
    assert (whole.unwrap().content, len(events)) == ("", 1)


def test_failures_pass_as_they_are():
    (whole, _, _), (events, _, _) = both(BROKEN, total=5, idle=3)
    assert [attempt.outcome for attempt in whole.failure().attempts] == ["server"]
    assert [attempt.outcome for attempt in events[-1].error.attempts] == ["server"]


def test_it_works_in_threads_under_the_blocking_twin():
    stack = compose(ScriptedModel(Stall("Hi", after=1), repeat=True, chunk=1), with_timeout(total=9, idle=0.01))
    assert blocking(stack).generate(REQUEST).failure().kind == "timeout"
    assert [type(event).__name__ for event in blocking(stack).stream(REQUEST)] == ["TextDelta", "Failed"]


def test_the_stack_shows_where_each_limit_goes():
    stack, _, _ = limited("Hi", layers=[retried], total=30, attempt=10, idle=3)
    assert describe(stack) == (
        "Timeout(total=30)\n└─ Retry(attempts=3, base=1)\n"
        "   └─ Timeout(attempt=10, idle=3)\n      └─ ScriptedModel('m')"
    )
    assert repr(limited("Hi", total=30, idle=3)[0]) == "Timeout(total=30, idle=3)(ScriptedModel('m', 1 answers))"
    assert repr(limited("Hi", layers=[retried], total=9)[0]) == (
        "Timeout(total=9)(Retry(attempts=3, base=1)(ScriptedModel('m', 1 answers)))"
    )


def test_limits_reach_the_candidates_too():
    spare = ScriptedModel("spare", model_id="spare")
    stack = compose(ScriptedModel("Hi"), with_fallback(spare), with_timeout(attempt=10))
    assert describe(stack) == (
        "Fallback()\n├─ Timeout(attempt=10)\n│  └─ ScriptedModel\n└─ Timeout(attempt=10)\n   └─ ScriptedModel('spare')"
    )


def test_what_plays_the_model_is_ended_like_the_model():
    """A layer that makes a model slow on purpose is inside the attempt, and so is the tape that replays one."""
    slow = lambda clock: with_chaos({"slow": 1.0, "delay": 9.0}, clock=clock)  # noqa: E731
    for said, when, model in both("Hi", layers=[slow], attempt=2):
        error = said.failure() if not isinstance(said, list) else said[-1].error
        assert (error.kind, when, error.model_id, model.requests) == ("timeout", 2.0, "m", ())
        assert [(attempt.model_id, attempt.outcome) for attempt in error.attempts] == [("m", "timeout")]
    for said, when, _ in both("Hi", layers=[slow, retried], total=2):
        error = said.failure() if not isinstance(said, list) else said[-1].error
        assert (error.kind, when, error.attempts[0].model_id) == ("deadline_exceeded", 2.0, "m")
    stack, _, _ = limited("Hi", layers=[slow, retried], total=9, attempt=2)
    assert describe(stack) == (
        "Timeout(total=9)\n└─ Retry(attempts=3, base=1)\n   └─ Timeout(attempt=2)\n"
        "      └─ Chaos(slow=1.0, delay=9.0)\n         └─ ScriptedModel('m')"
    )


def test_the_limits_are_a_value():
    limits = Timeout(total=5, idle=2)
    assert pickle.loads(pickle.dumps(limits)) == limits


@pytest.mark.parametrize(
    ("limits", "error", "said"),
    [
        ({}, ValueError, "no limit was given; name at least one of total, attempt, first_event, idle"),
        ({"total": 0}, ValueError, "total must be a finite number above 0 seconds, not 0"),
        ({"idle": -1}, ValueError, "idle must be a finite number above 0 seconds, not -1"),
        ({"attempt": float("inf")}, ValueError, "attempt must be a finite number above 0 seconds, not inf"),
        ({"attempt": float("nan")}, ValueError, "attempt must be a finite number above 0 seconds, not nan"),
        ({"first_event": "5"}, TypeError, "first_event must be a number of seconds, not '5'"),
        ({"idle": True}, TypeError, "idle must be a number of seconds, not True"),
        ({"total": 5, "attempt": 6}, ValueError, "attempt=6 would never strike; attempt must be below total=5"),
        ({"attempt": 5, "idle": 6}, ValueError, "idle=6 would never strike; idle must be below attempt=5"),
    ],
)
def test_what_makes_no_sense_is_an_error_at_once(limits, error, said):
    with pytest.raises(error, match=said):
        with_timeout(**limits)


GAPS = st.lists(st.integers(0, 9).map(lambda gap: gap + 0.11), max_size=6)  # no two things in the same moment
LIMIT = st.none() | st.integers(1, 12)


@settings(deadline=None)
@given(GAPS, LIMIT, LIMIT, LIMIT, st.integers(0, 4))
def test_a_call_lasts_as_long_as_a_plain_reading_of_its_limits_says(gaps, total, first_event, idle, held):
    """The reader holds each event for a while, which counts in all and isn't silence."""
    if (total, first_event, idle) == (None, None, None) or any(
        limit is not None and total is not None and limit > total for limit in (first_event, idle)
    ):
        return
    clock = VirtualClock()
    stack = compose(Ticking(clock, *gaps), with_timeout(total=total, first_event=first_event, idle=idle, clock=clock))

    async def read():
        shown = 0
        async for event in stack.stream(REQUEST):
            if isinstance(event, (Finished, Failed)):
                return shown, clock.now(), isinstance(event, Finished)
            shown += 1
            await clock.sleep(held)
        return None

    def plainly():
        now, shown = 0.0, 0
        for number, gap in enumerate(gaps):
            silence = first_event if number == 0 and first_event is not None else idle
            ends = [now + silence] if silence is not None else []
            if total is not None:
                ends.append(float(max(total, now)))
            if ends and min(ends) <= now + gap:
                return shown, min(ends), False
            now, shown = now + gap + held, shown + 1
        return shown, now, total is None or now < total

    shown, when, finished = plainly()
    assert clock.run(read()) == (shown, pytest.approx(when, abs=1e-4), finished)


def test_a_reader_that_goes_on_after_a_cancellation_is_told_of_a_silence_all_the_same():
    clock = VirtualClock()
    slow = Stall("one two", after=2, seconds=9)
    model = ScriptedModel(slow, chunk=2, sleep=clock.sleep)
    stack = compose(model, with_timeout(idle=3, clock=clock))

    async def reader():
        events = []
        async for event in stack.stream(REQUEST):
            events.append(event)
            if len(events) == 2:
                with suppress(asyncio.CancelledError):
                    await clock.sleep(60)
        return events

    async def main():
        task = asyncio.create_task(reader())
        await clock.sleep(1)
        task.cancel()
        return await task

    assert clock.run(main())[-1].error.kind == "timeout"
