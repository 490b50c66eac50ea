"""The table of the adapters says what runs, and a conversation goes through each of them without a loss."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import cache

import attrs
import pytest
from conformance import (
    CALLS,
    CLOCK,
    FEATURES,
    PAGE,
    PICTURE,
    SEEN_PICTURE,
    WEATHER,
    Exchange,
    Provider,
    documented,
    in_order,
    table,
)
from hypothesis import given
from hypothesis import strategies as st
from subjects import ADAPTERS, Scripted, as_json, each, provider, why_not_here

from modelport import (
    Audio,
    Document,
    Event,
    Image,
    Message,
    Request,
    Response,
    ScriptedModel,
    Text,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    as_messages,
)
from modelport.adapters.chat.request import wire_messages


@pytest.fixture(scope="module")
def providers() -> Iterator[Callable[[str], Provider]]:
    """Each adapter's provider by the adapter's name, made once."""
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(here(name)))


def here(name: str) -> AbstractContextManager[Provider]:
    """The provider of this adapter, where it can be made."""
    reason = why_not_here(name)
    if reason is not None:
        pytest.skip(reason)
    return provider(name)


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("name", each(ADAPTERS))
def test_the_table_says_what_runs(name: str, feature: str, providers: Callable[[str], Provider]) -> None:
    assert FEATURES[feature](providers(name)) == documented()[name][feature]


def test_the_table_has_each_adapter_and_nothing_else() -> None:
    rows = documented()
    assert list(rows) == list(ADAPTERS)
    assert all(list(row) == list(FEATURES) for row in rows.values())


def test_the_table_is_written_as_it_is_read() -> None:
    pages = {name: adapter.page for name, adapter in ADAPTERS.items()}
    assert table(documented(), pages) in PAGE.read_text("utf-8")


class Forgetful(Scripted):
    """A provider that is sent nothing, whose answers lack all but their text."""

    def replying(self, response: Response) -> Exchange:
        return Exchange(ScriptedModel(response.content, repeat=True), lambda: [{}])


@pytest.mark.parametrize("feature", ["tools", "tool history", "parallel calls", "images", "structured output"])
def test_a_feature_that_only_seems_to_run_is_noticed(feature: str) -> None:
    with pytest.raises(AssertionError):
        FEATURES[feature](Forgetful())


class Formless(Scripted):
    """A provider that is never told of the form, except of a schema's."""

    def replying(self, response: Response) -> Exchange:
        exchange = super().replying(response)
        kept = {"response_format": "colour"}
        return Exchange(exchange.model, lambda: [{**body, **kept} for body in exchange.seen()])


def test_a_form_that_is_not_sent_is_noticed() -> None:
    with pytest.raises(AssertionError):
        FEATURES["structured output"](Formless())


class WithoutPieces(ScriptedModel):
    """Shows nothing of a call before the end of a stream."""

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        async for event in super().stream(request):
            if not isinstance(event, ToolCallDelta):
                yield event


class Abrupt(Scripted):
    """A provider whose calls come whole, and never in a stream's pieces."""

    def replying(self, response: Response) -> Exchange:
        model = WithoutPieces(response, repeat=True)
        return Exchange(model, lambda: [as_json(request) for request in model.requests])


def test_calls_that_a_stream_never_shows_are_noticed() -> None:
    with pytest.raises(AssertionError):
        FEATURES["parallel calls"](Abrupt())


@pytest.mark.parametrize("feature", ["reasoning", "usage with cached tokens"])
def test_what_never_comes_is_not_there(feature: str) -> None:
    assert FEATURES[feature](Forgetful()) == "no"


TOOLS = [WEATHER, CLOCK]
ASKED = Message("user", [Text("What is the weather here, and the time?"), PICTURE])
RESULTS = (
    Message("tool", ToolResult("call_1", "sunny, 21 degrees")),
    Message("tool", ToolResult("call_2", "noon, or nearly")),
)


@pytest.mark.parametrize("name", each(ADAPTERS))
def test_a_conversation_goes_round_without_a_loss(name: str, providers: Callable[[str], Provider]) -> None:
    """Parallel calls, their results, reasoning with its signature and an image: read, kept, and sent back."""
    told = providers(name)
    features = documented()[name]
    asked = ASKED if features["images"] == "yes" else Message("user", ASKED.text)
    thought = told.signed("A picture of a city.", "c2lnbmVk")
    message = attrs.evolve(thought, content=[*thought.content, Text("Let me look."), *CALLS])
    exchange = told.replying(Response(message, "tool_calls"))
    answers = exchange.answered(Request([asked], tools=TOOLS))
    if answers is None:
        assert features["tool history"] == "no"
        return
    whole, streamed, _ = answers
    assert whole.message == streamed.message == message

    exchange = told.replying(Response.of("Sunny, at noon."))
    answers = exchange.answered(Request([asked, whole.message, *RESULTS], tools=TOOLS))
    assert answers is not None
    assert [answer.content for answer in answers[:2]] == ["Sunny, at noon."] * 2
    for sent in exchange.carried():
        picture = [SEEN_PICTURE] if asked is ASKED else []
        in_order(sent, "What is the weather here, and the time?", *picture, "Let me look.", "weather", "clock")
        in_order(sent, "Let me look.", "sunny, 21 degrees", "noon, or nearly")
        if thought.metadata or thought.content[0].metadata:  # what runs on this machine has neither signatures nor ids
            assert "c2lnbmVk" in sent
            assert sent.count("call_1") == sent.count("call_2") == 2
        assert "서울" in sent


WORDS = st.builds(Text, st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8))
NAMES = st.text("abc", min_size=1, max_size=3)
MEDIA = st.one_of(
    st.builds(Image, st.binary(max_size=8), media_type=st.sampled_from(["image/png", "image/jpeg"])),
    st.builds(Audio, st.binary(min_size=1, max_size=8), media_type=st.sampled_from(["audio/wav", "audio/mpeg"])),
    st.builds(Document, st.binary(max_size=8), media_type=st.just("application/pdf"), name=st.just("a.pdf")),
)
CALLED = st.lists(st.builds(ToolCall, NAMES, NAMES, st.dictionaries(NAMES, st.integers(), max_size=2)), max_size=2)
TURNS = st.one_of(
    st.builds(Message, st.just("user"), st.lists(WORDS | MEDIA, max_size=3), st.none() | NAMES),
    st.builds(Message, st.just("system"), st.lists(WORDS, max_size=2)),
    st.builds(
        Message, st.just("assistant"), st.tuples(st.lists(WORDS, max_size=2), CALLED).map(lambda it: it[0] + it[1])
    ),
    st.builds(Message, st.just("tool"), st.builds(ToolResult, NAMES, st.lists(WORDS, max_size=1))),
)


@given(st.lists(TURNS, min_size=1, max_size=5))
def test_any_conversation_is_read_back_from_the_chat_wire_as_it_was(said: list[Message]) -> None:
    assert as_messages(json.loads(json.dumps(wire_messages(tuple(said))))) == tuple(said)


MARKED = {"cache_control": {"type": "ephemeral"}}
MARKERS = {  # what each wire has for it
    "OpenAIModel": '"cache_control": {"type": "ephemeral"}',
    "OpenAIResponsesModel": None,
    "AzureOpenAIModel": None,
    "InferenceClientModel": None,
    "LiteLLMModel": '"cache_control": {"type": "ephemeral"}',
    "LiteLLMRouterModel": '"cache_control": {"type": "ephemeral"}',
    "AnthropicModel": '"cache_control": {"type": "ephemeral"}',
    "AmazonBedrockModel": '{"cachePoint": {"type": "default"}}',
    "GeminiModel": None,
}


@pytest.mark.parametrize("name", each(MARKERS))
def test_a_cache_marker_is_sent_where_the_wire_has_one(name: str, providers: Callable[[str], Provider]) -> None:
    """Of a part, a whole message and a result; elsewhere it is left out, and the rest is as ever."""
    said = [
        Message("system", "Be brief.", metadata=MARKED),
        Message("user", [Text("The law: ...", metadata=MARKED), Text("Who may?")]),
        Message("assistant", CALLS[0]),
        Message("tool", ToolResult("call_1", "sunny", metadata=MARKED)),
    ]
    exchange = providers(name).replying(Response.of("Everyone."))
    assert exchange.answered(Request(said, tools=TOOLS)) is not None
    for sent in exchange.carried():
        found = MARKERS[name]
        in_order(sent, "The law: ...", *([found] if found else []), "Who may?", "sunny", *([found] if found else []))
        assert sent.count("cache_control") + sent.count("cachePoint") == (3 if found else 0)


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        (None, False),
        ("https://api.openai.com/v1", False),
        ("https://eu.api.openai.com/v1", False),
        ("https://mine.openai.azure.com/openai/v1/", False),
        ("https://mine.openai.azure.us/openai/v1/", False),
        ("https://openrouter.ai/api/v1", True),
        ("http://127.0.0.1:8000/openai.com", True),
    ],
)
def test_openai_itself_is_sent_no_cache_marker(address: str | None, sent: bool) -> None:
    """It caches by itself, and has no such field."""
    pytest.importorskip("orjson", reason="orjson isn't installed here")
    from modelport.adapters.openai.model import OpenAIModel

    request = Request([Message("user", Text("The law: ...", metadata=MARKED))])
    body, _ = OpenAIModel("m-1", base_url=address, api_key="none")._encoded(request, stream=False)
    assert (b"cache_control" in body) is sent
