"""A journal holds every physical call that was made under the layer that keeps it, and how each ended."""

import asyncio
import contextvars

import pytest
from laws import LAWS
from subjects import Scripted

from modelport import (
    Break,
    Finished,
    ModelError,
    ScriptedModel,
    Stall,
    VirtualClock,
    as_request,
    compose,
    describe,
    with_fallback,
    with_retry,
)
from modelport.adapters.process.clock import SYSTEM_CLOCK
from modelport.composition.stack.interrupt import Interrupt
from modelport.composition.stack.journal import Journal, journaled, keeping, open_journal

REQUEST = as_request("Hello!")
BROKEN = ModelError("server", "it broke")


def enter(model, clock=SYSTEM_CLOCK):
    return journaled(model, clock)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept(law):
    law(Scripted(lambda _: enter))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_law_is_kept_under_a_journal(law):
    with keeping(Journal()):
        law(Scripted(lambda _: enter))


def journalled(*answers, streamed=False, seconds=None, layers=()):
    """The outcomes in the journal of one call, which is cancelled after so many seconds."""
    clock, journal = VirtualClock(), Journal()
    model = ScriptedModel(*answers, chunk=1, sleep=clock.sleep, model_id="m", provider="p")
    stack = enter(compose(model, *layers) if layers else model, clock)

    async def heard():
        return [event async for event in stack.stream(REQUEST)]

    async def main():
        with keeping(journal):
            task = asyncio.create_task(heard() if streamed else stack.generate(REQUEST))
        if seconds is not None:
            await clock.sleep(seconds)
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    clock.run(main())
    assert all((attempt.provider, attempt.model_id) == ("p", "m") for attempt in journal.attempts)
    return [(attempt.outcome, attempt.duration, attempt.first_event) for attempt in journal.attempts]


def test_a_whole_call_is_entered_when_it_is_over():
    assert journalled(Stall("Hi", seconds=2)) == [("answered", 2.0, None)]
    assert journalled(Stall(BROKEN, seconds=2)) == [("server", 2.0, None)]
    assert journalled(Stall("Hi"), seconds=3) == [("cancelled", 3.0, None)]


def test_a_stream_is_entered_when_it_is_over():
    assert journalled(Stall("Hi", seconds=2), streamed=True) == [("answered", 2.0, 2.0)]
    assert journalled("", streamed=True) == [("answered", 0.0, None)]
    assert journalled(Stall(BROKEN, seconds=2), streamed=True) == [("server", 2.0, None)]
    assert journalled(Break("Hi", after=1), streamed=True) == [("interrupted", 0.0, 0.0)]
    assert journalled(Stall("Hi"), streamed=True, seconds=3) == [("cancelled", 3.0, None)]
    assert journalled(Stall("Hi", after=1), streamed=True, seconds=3) == [("cancelled", 3.0, 0.0)]


def test_what_was_retried_before_a_cancellation_is_there():
    again = with_retry(base=0)
    assert journalled(BROKEN, Stall("Hi"), seconds=3, layers=[again]) == [
        ("server", 0.0, None),
        ("cancelled", 3.0, None),
    ]


def test_a_closed_journal_passes_on_what_is_still_to_come():
    inner, outer = Journal(), Journal()
    inner.close(None)
    inner.close(outer, "was")
    inner.enter("late")
    assert (outer.attempts, inner.attempts) == (("was", "late"), ())


def test_a_journal_is_kept_for_what_happens_inside_only():
    outer, inner = Journal(), Journal()
    assert open_journal() is None
    with keeping(outer):
        with keeping(inner):
            assert open_journal() is inner
        assert open_journal() is outer
    assert open_journal() is None
    keeping(inner).__exit__()
    elsewhere = keeping(outer)
    contextvars.copy_context().run(elsewhere.__enter__)
    elsewhere.__exit__()
    assert open_journal() is None


def test_every_model_of_a_stack_is_entered_once_and_none_is_shown():
    spare = ScriptedModel("spare", model_id="spare")
    stack = compose(ScriptedModel("Hi"), with_retry(attempts=2), with_fallback(spare))
    once = enter(stack)
    assert enter(once) is once
    assert describe(once) == describe(stack)
    assert repr(once) == repr(stack)
    assert asyncio.run(once.generate(REQUEST)).unwrap().content == "Hi"


def test_a_stream_that_just_stops_is_interrupted():
    class Stopping(ScriptedModel):
        async def stream(self, request, /):
            async for event in super().stream(request):
                if not isinstance(event, Finished):
                    yield event

    async def heard():
        return [event async for event in enter(Stopping("Hi")).stream(REQUEST)]

    assert asyncio.run(heard())[-1].error.kind == "interrupted"


def test_an_interrupt_that_nobody_waits_for_does_nothing():
    async def main():
        interrupt = Interrupt(asyncio.get_running_loop())
        interrupt.strike()
        interrupt.begin()
        interrupt.begin()
        asyncio.get_running_loop().call_soon(interrupt.strike)
        asyncio.get_running_loop().call_soon(interrupt.strike)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(1)
        return interrupt.mine(), interrupt.mine(), asyncio.current_task().cancelling()

    assert asyncio.run(main()) == (True, False, 0)
