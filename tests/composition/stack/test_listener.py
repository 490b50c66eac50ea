"""Whoever listens to a call lets go exactly once, whatever ends the call and on whatever task."""

import asyncio
from contextlib import aclosing

import attrs
import pytest
from laws import LAWS
from returns.result import Failure
from subjects import Scripted

from modelport import (
    Break,
    Decorated,
    Failed,
    Finished,
    ModelError,
    ScriptedModel,
    Slots,
    Stall,
    VirtualClock,
    as_request,
    compose,
    describe,
    with_concurrency,
    with_fallback,
    with_timeout,
)
from modelport.composition.stack.opened import heard
from modelport.composition.stack.policy import Opening

REQUEST = as_request("Hello!")
BROKEN = ModelError("server", "it broke")


@attrs.define(eq=False)
class Diary:
    """A policy that writes down what happens to what it holds."""

    refuses: ModelError | None = None
    lines: list = attrs.field(factory=list)

    async def __call__(self, call, model, request, /):
        self.lines.append("streamed" if isinstance(call, Opening) else "whole")
        return Failure(self.refuses) if self.refuses else await heard(call(model, request), self.page())

    def page(self):
        return Page(self.lines)

    def __repr__(self):
        return "Diary()"


@attrs.define
class Page:
    lines: list

    def saw(self, event, /):
        self.lines.append(event.text)

    def ended(self, said, /):
        self.lines.append(type(said).__name__)
        return said

    def release(self):
        self.lines.append("released")


def kept(*answers, **fields):
    """A model under a diary, and what the diary says."""
    diary = Diary(**fields)
    model = ScriptedModel(*answers, chunk=3)
    return compose(model, lambda inner: Decorated(inner, diary)), diary.lines, model


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_holding_layer_keeps_the_law(law):
    law(Scripted(lambda _: lambda inner: Decorated(inner, Diary())))


def test_a_whole_call_ends_before_it_is_released():
    model, lines, _ = kept("Hi")
    response = asyncio.run(model.generate(REQUEST)).unwrap()
    assert lines == ["whole", "Response", "released"]
    assert [attempt.outcome for attempt in response.attempts] == ["answered"]


def test_a_whole_call_that_fails_is_released_too():
    model, lines, _ = kept(BROKEN)
    error = asyncio.run(model.generate(REQUEST)).failure()
    assert lines == ["whole", "ModelError", "released"]
    assert [attempt.outcome for attempt in error.attempts] == ["server"]


async def listened(model):
    return [event async for event in model.stream(REQUEST)]


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        ("Hello", ["streamed", "Hel", "lo", "Response", "released"]),
        ("", ["streamed", "Response", "released"]),
        (BROKEN, ["streamed", "ModelError", "released"]),
        (Break("Hello", after=1), ["streamed", "Hel", "ModelError", "released"]),
    ],
)
def test_every_event_of_a_stream_is_seen_and_its_end_comes_after_the_release(answer, written):
    model, lines, _ = kept(answer)
    last = asyncio.run(listened(model))[-1]
    assert lines == written
    assert isinstance(last, (Finished, Failed))


def test_a_stream_that_just_stops_has_failed():
    class Stopping(ScriptedModel):
        async def stream(self, request, /):
            async for event in super().stream(request):
                if not isinstance(event, Finished):
                    yield event

    events = asyncio.run(listened(Decorated(Stopping("Hello"), Diary())))
    assert events[-1].error.kind == "interrupted"


def test_a_refusal_asks_no_model():
    model, lines, inner = kept("Hi", refuses=ModelError("limiter_full", "no"))
    assert asyncio.run(model.generate(REQUEST)).failure().kind == "limiter_full"
    assert [event.error.kind for event in asyncio.run(listened(model))] == ["limiter_full"]
    assert (lines, inner.requests) == (["whole", "streamed"], ())


def test_what_the_hold_says_is_what_is_passed_on():
    class Renaming(Page):
        def ended(self, said, /):
            return attrs.evolve(said, model_id="renamed")

    class Renamer(Diary):
        def page(self):
            return Renaming(self.lines)

    def model(answer):
        return Decorated(ScriptedModel(answer, repeat=True), Renamer())

    assert asyncio.run(model("Hi").generate(REQUEST)).unwrap().model_id == "renamed"
    assert asyncio.run(model(BROKEN).generate(REQUEST)).failure().model_id == "renamed"
    assert asyncio.run(listened(model("Hi")))[-1].response.model_id == "renamed"
    assert asyncio.run(listened(model(BROKEN)))[-1].error.model_id == "renamed"


def test_a_cancelled_call_is_released_once():
    model, lines, _ = kept(Stall("Hello"), Stall("Hello", after=1))

    async def main():
        for call in (model.generate(REQUEST), listened(model)):
            task = asyncio.create_task(call)
            await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    assert lines == ["whole", "released", "streamed", "Hel", "released"]


def test_a_stream_closed_on_another_task_is_released_once():
    model, lines, inner = kept("Hello")

    async def main():
        stream = model.stream(REQUEST)
        await asyncio.create_task(anext(stream))
        await asyncio.create_task(stream.aclose())

    asyncio.run(main())
    assert (lines, inner.open) == (["streamed", "Hel", "released"], 0)


def test_it_is_described_like_any_layer():
    assert describe(kept("Hi")[0]) == "Diary()\n└─ ScriptedModel"


class Sour(ScriptedModel):
    """A model whose stream can't be closed in peace."""

    async def stream(self, request, /):
        try:
            async for event in super().stream(request):
                yield event
        finally:
            await asyncio.sleep(0)
            raise OSError("it can't be closed")


def test_what_is_held_is_let_go_when_the_stream_can_not_be_closed():
    diary = Diary()
    stack = Decorated(Sour("Hello", chunk=3), diary)

    async def main():
        with pytest.raises(OSError, match="it can't be closed"):
            async with aclosing(stack.stream(REQUEST)) as events:
                await anext(events)

    asyncio.run(main())
    assert diary.lines == ["streamed", "Hel", "released"]


def test_what_is_held_is_let_go_when_an_empty_stream_is_cut_short_while_it_is_judged():
    class Slow(ScriptedModel):
        async def stream(self, request, /):
            try:
                yield Finished((await self.generate(request)).unwrap())
            finally:
                await clock.sleep(5)

    diary, clock = Diary(), VirtualClock()
    again = with_fallback(ScriptedModel("b"), on_response="empty", clock=clock)
    stack = compose(Decorated(Slow(""), diary, clock), again, with_timeout(total=1, clock=clock))
    assert clock.run(listened(stack))[-1].error.kind == "deadline_exceeded"
    assert diary.lines == ["streamed", "released"]


def test_one_that_raises_when_it_lets_go_keeps_no_other_from_it():
    class Raising(Page):
        def release(self):
            raise ZeroDivisionError

    class Sick(Diary):
        def page(self):
            return Raising(self.lines)

    diary = Diary()
    stack = Decorated(Decorated(Decorated(ScriptedModel("Hello", chunk=3), Sick()), Sick()), diary)

    async def main():
        with pytest.raises(ZeroDivisionError):
            async with aclosing(stack.stream(REQUEST)) as events:
                await anext(events)

    asyncio.run(main())
    assert diary.lines == ["streamed", "Hel", "released"]


def test_what_is_held_for_a_stream_that_a_policy_throws_away_is_let_go():
    class Again:
        async def __call__(self, call, model, request, /):
            await call(model, request)
            return await call(model, request)

    slots = Slots(1)
    stack = compose(ScriptedModel("one", "two"), with_concurrency(slots), lambda model: Decorated(model, Again()))
    assert asyncio.run(listened(stack))[-1].response.content == "two"
    assert slots.taken == 0


def test_what_is_thrown_away_after_its_loop_is_let_go_at_once():
    kept, diary = [], Diary()

    class Keeping:
        async def __call__(self, call, model, request, /):
            kept.append((await call(model, request)).unwrap())
            return Failure(BROKEN)

    asyncio.run(listened(Decorated(Decorated(ScriptedModel("Hello"), diary), Keeping())))
    assert diary.lines == ["streamed"]
    kept.clear()
    assert diary.lines == ["streamed", "released"]
