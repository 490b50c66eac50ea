"""Every model keeps every law: adapters, layers and stacks of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import cache

import attrs
import laws
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import LAWS, Case, Subject
from returns.primitives.exceptions import UnwrapFailedError
from returns.result import Result, Success
from subjects import NAMES, TELLABLE, Scripted, each, provider, why_not_here

from modelport import (
    Capabilities,
    Event,
    Message,
    ModelError,
    Request,
    Response,
    ScriptedModel,
    Text,
    TextDelta,
    ToolCall,
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
