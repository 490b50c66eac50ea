"""Every model keeps every law: adapters, layers and stacks of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import attrs
import laws
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS, Case, Subject
from returns.primitives.exceptions import UnwrapFailedError
from returns.result import Result, Success

from modelport import (
    Capabilities,
    Event,
    Layer,
    Message,
    Model,
    ModelError,
    Request,
    Response,
    ScriptedModel,
    Stall,
    Text,
    TextDelta,
    ToolCall,
    compose,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.adapters import from_function

BROKEN = ModelError("invalid_request", "broken", sent="yes")


class Scripted:
    """`ScriptedModel`, bare or under layers."""

    def __init__(self, *layers: Callable[[], Layer]) -> None:
        self.layers = layers

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(ScriptedModel(text, repeat=True, chunk=sizes))

    def failing(self) -> Case:
        return self._case(ScriptedModel(BROKEN, repeat=True))

    def stalling(self) -> Case:
        return self._case(ScriptedModel(Stall(laws.TEXT, after=1), repeat=True))

    def _case(self, model: ScriptedModel) -> Case:
        stack: Model = compose(model, *(layer() for layer in self.layers)) if self.layers else model
        return Case(stack, lambda: model.open, lambda: len(model.requests))


@attrs.define
class Counted:
    """A function that counts its calls and may wait."""

    says: str | ModelError | None
    asked: int = 0
    open: int = 0

    async def __call__(self, request: Request) -> str | Response:
        self.asked += 1
        self.open += 1
        try:
            if self.says is None:
                await asyncio.Event().wait()
            if isinstance(self.says, ModelError):
                raise OSError(str(self.says))
            return self.says or Response.of("")
        finally:
            self.open -= 1


class Functions:
    """An asynchronous function; it says nothing before its end, so that nothing of it can be closed halfway."""

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(text)

    def failing(self) -> Case:
        return self._case(BROKEN)

    def stalling(self) -> Case:
        return self._case(None)

    def _case(self, says: str | ModelError | None) -> Case:
        function = Counted(says)
        return Case(from_function(function), lambda: function.open, lambda: function.asked)


FAST = 6_000_000  # a minute: a limiter that is there, and keeps nobody waiting

SUBJECTS: dict[str, Subject] = {
    "scripted": Scripted(),
    "function": Functions(),
    "retry": Scripted(with_retry),
    "rate limit": Scripted(lambda: with_rate_limit(FAST)),
    "fallback": Scripted(lambda: with_fallback(ScriptedModel("never asked"))),
    "stack": Scripted(
        lambda: with_rate_limit(FAST), with_retry, lambda: with_fallback(ScriptedModel("never asked", repeat=True))
    ),
}


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", SUBJECTS)
def test_the_law_is_kept(name: str, law: Callable[[Subject], None]) -> None:
    if name == "function" and law is laws.closing_a_stream_frees_everything:
        law = laws.cancelling_frees_everything
    law(SUBJECTS[name])


LETTERS = st.text(alphabet="ab가😀\n", max_size=30)
STOPS = st.lists(st.text(alphabet="ab가😀\n", min_size=1, max_size=4), max_size=4)
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=5)


@pytest.mark.parametrize("name", SUBJECTS)
@settings(max_examples=60, deadline=None)
@given(text=LETTERS, stops=STOPS, sizes=SIZES)
def test_no_chunking_shows_a_stop(name: str, text: str, stops: list[str], sizes: list[int]) -> None:
    """Law 4 on any text, with any stops, in any pieces."""
    laws.no_stop_is_shown(SUBJECTS[name], text, stops, sizes)


@attrs.frozen
class Lawless:
    """A model that shows its stops, raises for its provider, never ends its stream and holds on to what it has."""

    inner: ScriptedModel
    capabilities = Capabilities()

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        result = await self.inner.generate(attrs.evolve(request, stop_sequences=()))
        return Success(result.unwrap())

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        async for event in self.inner.stream(request):
            if isinstance(event, TextDelta):
                yield event


class Lawlessly(Scripted):
    """The lawless model in each situation."""

    def _case(self, model: ScriptedModel) -> Case:
        return Case(Lawless(model), lambda: 1, lambda: 0, patience=0.1)


@pytest.mark.parametrize("law", [law for law in LAWS if law is not laws.nothing_passed_in_is_changed])
def test_each_law_notices_who_breaks_it(law: Callable[[Subject], None]) -> None:
    with pytest.raises((AssertionError, UnwrapFailedError)):
        law(Lawlessly())


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
