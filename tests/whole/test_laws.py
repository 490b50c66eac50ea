"""Every model keeps every law: adapters, layers and stacks of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, aclosing
from functools import cache
from typing import ClassVar

import attrs
import laws
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS, Case, Subject
from returns.primitives.exceptions import UnwrapFailedError
from returns.result import Failure, Result, Success
from subjects import BROKEN, NAMES, TELLABLE, Scripted, each, provider, why_not_here

from modelport import (
    Capabilities,
    Event,
    Failed,
    Finished,
    Message,
    ModelError,
    Request,
    Response,
    ScriptedModel,
    Text,
    ToolCall,
    Usage,
)


@pytest.fixture(scope="module")
def subjects() -> Iterator[Callable[[str], Subject]]:
    """Each subject by its name, made once."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(here(name)))


def here(name: str) -> AbstractContextManager[Subject]:
    """The subject of this name, where it can be made."""
    reason = why_not_here(name)
    if reason is not None:
        pytest.skip(reason)
    return provider(name)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", each(NAMES))
def test_the_law_is_kept(name: str, law: Callable[[Subject], None], subjects: Callable[[str], Subject]) -> None:
    if name == "from_function" and law is laws.closing_a_stream_frees_everything:
        law = laws.cancelling_frees_everything  # nothing of it comes before its end
    law(subjects(name))


LETTERS = st.text(alphabet="ab가😀\n", max_size=30)
STOPS = st.lists(st.text(alphabet="ab가😀\n", min_size=1, max_size=4), max_size=4)
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=5)


@pytest.mark.parametrize("name", each(TELLABLE))
def test_no_chunking_shows_a_stop(name: str, subjects: Callable[[str], Subject]) -> None:
    """Law 4 on any text, with any stops, in any pieces."""

    @settings(max_examples=20 if "Model" in name else 60, deadline=None)
    @given(text=LETTERS, stops=STOPS, sizes=SIZES)
    def check(text: str, stops: list[str], sizes: list[int]) -> None:
        laws.no_stop_is_shown(subjects(name), text, stops, sizes)

    check()


@attrs.define
class Lawful:
    """A model in front of another one, which keeps every law; those below break one each."""

    inner: ScriptedModel
    capabilities = Capabilities()
    asked: Request | None = None
    loop: asyncio.AbstractEventLoop | None = None

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        return await self.inner.generate(request)

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        async with aclosing(self.inner.stream(request)) as events:
            async for event in events:
                yield event


class Raising(Lawful):
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        return Success((await super().generate(request)).unwrap())


class Endless(Lawful):
    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        async for event in super().stream(request):
            if not isinstance(event, (Finished, Failed)):
                yield event


class EndingTwice(Lawful):
    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        async for event in super().stream(request):
            yield event
            if isinstance(event, (Finished, Failed)):
                yield event


class ForgettingWhatItShowed(Lawful):
    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        async for event in super().stream(request):
            yield attrs.evolve(event, partial=None) if isinstance(event, Failed) else event


class CountingOtherwise(Lawful):
    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        async for event in super().stream(request):
            counted = isinstance(event, Finished)
            yield Finished(attrs.evolve(event.response, usage=Usage(1, 1))) if counted else event


class FailingOtherwise(Lawful):
    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        async for event in super().stream(request):
            failed = isinstance(event, Failed)
            yield attrs.evolve(event, error=attrs.evolve(event.error, retry_after=1.0)) if failed else event


class ShowingStops(Lawful):
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        return await super().generate(attrs.evolve(request, stop_sequences=()))


class NeverClosing(Lawful):
    left: ClassVar[list[AsyncGenerator[Event]]] = []

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        self.left.append(self.inner.stream(request))
        async for event in self.left[-1]:
            yield event


class Uncancellable(Lawful):
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        try:
            return await super().generate(request)
        except asyncio.CancelledError:
            return Failure(BROKEN)


class Meddling(Lawful):
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        result = await super().generate(request)
        object.__setattr__(request, "stop_sequences", ())
        return result


class OfOneLoop(Lawful):
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        self.loop = self.loop or asyncio.get_running_loop()
        assert self.loop is asyncio.get_running_loop()
        return await super().generate(request)


class MixingUp(Lawful):
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        self.asked = request
        await asyncio.sleep(0)
        return await super().generate(self.asked)


class TryingAgain(Lawful):
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        result = await super().generate(request)
        return result if isinstance(result, Success) else await super().generate(request)


class Behind(Scripted):
    """A scripted model behind one of these, in each situation."""

    def __init__(self, front: type[Lawful]) -> None:
        super().__init__()
        self.front = front

    def _case(self, model: ScriptedModel) -> Case:
        return attrs.evolve(super()._case(model), model=self.front(model), patience=0.1)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_who_keeps_the_laws_is_left_in_peace(law: Callable[[Subject], None]) -> None:
    law(Behind(Lawful))


@pytest.mark.parametrize(
    ("front", "law"),
    [
        (Raising, laws.failures_are_values),
        (Raising, laws.a_break_at_each_point_is_a_failure),
        (ForgettingWhatItShowed, laws.a_break_at_each_point_is_a_failure),
        (Endless, laws.a_stream_ends_once),
        (EndingTwice, laws.a_stream_ends_once),
        (CountingOtherwise, laws.the_stream_comes_to_the_whole),
        (FailingOtherwise, laws.the_stream_comes_to_the_whole),
        (ShowingStops, laws.no_stop_is_shown),
        (NeverClosing, laws.closing_a_stream_frees_everything),
        (NeverClosing, laws.closing_at_any_point_harms_nothing),
        (Uncancellable, laws.cancelling_frees_everything),
        (Meddling, laws.nothing_passed_in_is_changed),
        (OfOneLoop, laws.one_model_serves_many),
        (MixingUp, laws.one_model_serves_many),
        (TryingAgain, laws.one_call_is_one_attempt),
    ],
)
def test_each_law_notices_who_breaks_it(front: type[Lawful], law: Callable[[Subject], None]) -> None:
    with pytest.raises((AssertionError, UnwrapFailedError)):
        law(Behind(front))


class Eager(Scripted):
    """One that is asked before anybody reads."""

    def _case(self, model: ScriptedModel) -> Case:
        return attrs.evolve(super()._case(model), asked=lambda: 1)


def test_a_stream_that_begins_by_itself_is_noticed() -> None:
    with pytest.raises(AssertionError):
        laws.a_stream_that_nobody_reads_costs_nothing(Eager())


def test_tool_calls_come_after_text_and_before_the_end() -> None:
    """A stop in the text drops the calls that came after it, whole and streamed alike."""
    call = ToolCall("1", "look", {"at": "sky"})
    answer = Response(Message("assistant", [Text("One two"), call]), "tool_calls")
    model = ScriptedModel(answer, repeat=True, chunk=1)

    async def main() -> None:
        for stops, calls in (((), (call,)), (("tw",), ())):
            request = Case(model, lambda: 0, lambda: 0).request(stops)
            whole = await model.generate(request)
            assert whole.unwrap().tool_calls == calls
            assert laws.bare(laws.settle(await laws.listen(model, request))) == laws.bare(whole)

    asyncio.run(main())
