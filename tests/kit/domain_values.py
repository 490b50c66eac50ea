"""Strategies that make domain values of every kind."""

from typing import Any

from hypothesis import strategies as st

from modelport.domain.attempt import Attempt, Wait
from modelport.domain.error import ErrorKind, ModelError, Scope, Sent
from modelport.domain.message import Audio, Document, Image, Message, Reasoning, Role, Text, ToolCall, ToolResult
from modelport.domain.options.option import OMIT
from modelport.domain.request import Request
from modelport.domain.response import FinishReason, Response
from modelport.domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex
from modelport.domain.tool import Tool
from modelport.domain.usage import Usage

texts = st.text(max_size=12)
words = st.text("abc", min_size=1, max_size=4)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)
objects = st.dictionaries(words, json_values, max_size=3)
metadata = st.just({}) | st.dictionaries(words, objects, max_size=2)
options = st.dictionaries(
    st.sampled_from(["chat_template_kwargs", "extra_body", "mm_processor_kwargs", "eos_token_id"]),
    json_values | st.just(OMIT),
    max_size=4,
)

media = st.one_of(
    st.builds(Image, st.binary(max_size=8), metadata=metadata),
    st.builds(Image, url=st.just("https://example.org/a.png"), detail=st.sampled_from([None, "low"])),
    st.builds(Audio, st.binary(max_size=8), metadata=metadata),
    st.builds(Document, st.binary(max_size=8), name=st.none() | texts, metadata=metadata),
)
calls = st.builds(ToolCall, words, words, objects | texts, metadata=metadata)
parts = st.one_of(
    st.builds(Text, texts, metadata=metadata),
    media,
    st.builds(Reasoning, texts, metadata=metadata),
    calls,
    st.builds(
        ToolResult, words, st.lists(st.builds(Text, texts) | media, max_size=2), st.none() | words, st.booleans()
    ),
)
messages = st.builds(Message, st.sampled_from(Role), st.lists(parts, max_size=3), st.none() | words, metadata=metadata)
stops = st.lists(words, max_size=3).map(lambda found: tuple(dict.fromkeys(found)))
formats = st.one_of(
    st.just(Free()),
    st.just(JsonObject()),
    st.builds(JsonSchema, objects, words),
    st.builds(Regex, texts),
    st.builds(Grammar, texts, st.sampled_from(["lark", "gbnf", "ebnf"])),
)
one_tool = st.builds(Tool, words, texts, objects)
tools = st.lists(one_tool, max_size=2, unique_by=lambda tool: tool.name)
requests = st.builds(Request, st.lists(messages, min_size=1, max_size=3), stops, tools, st.none(), formats, options)
usages = st.builds(Usage, *[st.integers(0, 9)] * 5)
attempts = st.builds(
    Attempt,
    st.none() | words,
    st.none() | words,
    words,
    usage=st.none() | usages,
    waits=st.lists(st.builds(Wait, words, st.floats(0, 9)), max_size=1).map(tuple),
)
responses = st.builds(
    Response,
    st.builds(Message, st.just(Role.ASSISTANT), st.lists(parts, max_size=3)),
    st.sampled_from(FinishReason),
    st.none() | words,
    st.none() | usages,
    st.none() | words,
    st.none() | words,
    st.lists(attempts, max_size=2).map(tuple),
)
errors = st.builds(
    ModelError,
    st.sampled_from(ErrorKind),
    texts,
    st.sampled_from(Scope),
    st.sampled_from(Sent),
    st.none() | st.floats(0, 9),
    st.none() | st.integers(400, 599),
    attempts=st.lists(attempts, max_size=2).map(tuple),
)
