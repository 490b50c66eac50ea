"""What a request looks like on the chat-completions wire, byte by byte and value by value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.chat.request import Unsupported, Unwritable, encode, wire_messages
from modelport.domain.message import Audio, Document, Image, Message, Part, Reasoning, Text, ToolCall, ToolResult
from modelport.domain.options.option import OMIT
from modelport.domain.request import Request
from modelport.domain.response_format import Grammar, JsonSchema, Regex
from modelport.domain.tool import Tool


def wire(request: Request, options: dict[str, Any] | None = None, **how: Any) -> Any:
    return json.loads(encode(request, "m", options or {}, **how))


def messages(*given: Message, **how: Any) -> Any:
    return wire(Request(given), **how)["messages"]


def test_text_goes_as_it_is() -> None:
    said = [Message("system", "be brief"), Message("user", "안녕 🙂", "bob"), Message("assistant", "")]
    assert messages(*said) == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "안녕 🙂", "name": "bob"},
        {"role": "assistant", "content": ""},
    ]


def test_media_go_as_parts() -> None:
    parts: list[Part] = [
        Text("look"),
        Image(b"abc", detail="low"),
        Image(url="https://h/x.jpg"),
        Audio(b"abc"),
        Audio(b"abc", media_type="audio/mpeg"),
        Audio(url="https://h/x.wav"),
        Document(b"abc", name="a.pdf"),
        Document(b"abc"),
    ]
    assert messages(Message("user", parts))[0]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,YWJj", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://h/x.jpg"}},
        {"type": "input_audio", "input_audio": {"data": "YWJj", "format": "wav"}},
        {"type": "input_audio", "input_audio": {"data": "YWJj", "format": "mp3"}},
        {"type": "audio_url", "audio_url": {"url": "https://h/x.wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,YWJj"}},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,YWJj"}},
    ]


def test_a_history_of_tools_keeps_its_order_and_pictures_wait_for_the_last_result() -> None:
    calls: list[Part] = [Reasoning("hm"), ToolCall("a", "look", {"at": 1}), ToolCall("b", "look", "{}")]
    history = [
        Message("user", "go"),
        Message("assistant", calls),
        Message("tool", ToolResult("a", [Text("seen"), Image(url="https://h/x.png")])),
        Message("tool", ToolResult("b", "broken", is_error=True)),
        Message("assistant", "done"),
    ]
    assert messages(*history) == [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"at":1}'}},
                {"id": "b", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "seen"},
        {"role": "tool", "tool_call_id": "b", "content": "Error: broken"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://h/x.png"}}]},
        {"role": "assistant", "content": "done"},
    ]
    assert messages(*history[:4]) == messages(*history)[:5]


def test_results_stand_together_in_messages_of_the_user_too() -> None:
    history = [
        Message("assistant", [ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}")]),
        Message("user", ToolResult("a", [Text("seen"), Image(url="https://h/x.png")])),
        Message("user", ToolResult("b", "nothing")),
        Message("user", "so?"),
    ]
    expected = [
        {"role": "tool", "tool_call_id": "a", "content": "seen"},
        {"role": "tool", "tool_call_id": "b", "content": "nothing"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://h/x.png"}}]},
        {"role": "user", "content": "so?"},
    ]
    assert messages(*history)[1:] == expected
    assert wire_messages(tuple(history))[1:] == expected


def test_what_is_said_of_streams_is_sent_with_streams_alone() -> None:
    options = {"stream_options": {"include_usage": True}}
    said = Request([Message("user", "hi")])
    assert wire(said, options) == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    assert wire(said, options, stream=True)["stream_options"] == {"include_usage": True}


def test_what_is_taken_away_within_the_extra_body_is_not_sent() -> None:
    said = Request([Message("user", "hi")])
    assert wire(said, {"extra_body": {"a": OMIT, "b": None}}) == {**wire(said), "b": None}


@pytest.mark.parametrize("name", ["messages", "model", "seed", "stream"])
def test_the_extra_body_overrules_nothing(name: str) -> None:
    with pytest.raises(Unwritable, match=f"extra_body: '{name}' is set by the call itself; say it in one place"):
        wire(Request([Message("user", "hi")]), {"seed": 7, "extra_body": {name: 8}})


def test_metadata_of_this_provider_is_sent_back_and_that_of_another_is_not() -> None:
    marked = Text("long", metadata={"openai": {"cache_control": {"type": "ephemeral"}}, "bedrock": {"x": 1}})
    assert messages(Message("user", marked)) == [
        {"role": "user", "content": [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}]}
    ]
    assert messages(Message("user", marked), provider="azure") == [{"role": "user", "content": "long"}]


def test_tools_a_choice_and_a_form() -> None:
    tool = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "integer"}}}, strict=True)
    schema = JsonSchema({"type": "object"}, "thing", "A thing.")
    sent = wire(Request([Message("user", "hi")], (), [tool], "look", schema), {"max_tokens": 5, "x": [1, None]})
    del sent["messages"]
    assert sent == {
        "model": "m",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look",
                    "description": "Looks.",
                    "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}},
                    "strict": True,
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "thing",
                "schema": {"type": "object"},
                "strict": True,
                "description": "A thing.",
            },
        },
        "max_tokens": 5,
        "x": [1, None],
        "stream": False,
    }
    loose = wire(Request([Message("user", "hi")], (), [Tool("t")], "auto", {"type": "json_object"}), stream=True)
    assert (loose["tool_choice"], loose["response_format"], loose["stream"]) == ("auto", {"type": "json_object"}, True)


@pytest.mark.parametrize(("max_stops", "sent"), [(None, ["a", "b", "c"]), (2, ["a", "b"]), (0, None)])
def test_as_many_stops_are_sent_as_are_taken(max_stops: int | None, sent: list[str] | None) -> None:
    request = Request([Message("user", "hi")], ["a", "b", "c"])
    assert wire(request, max_stops=max_stops).get("stop") == sent


def test_what_the_wire_cannot_say_is_refused_by_name() -> None:
    for form in (Regex("a+"), Grammar("start: /a/")):
        with pytest.raises(Unsupported, match=type(form).__name__):
            wire(Request([Message("user", "hi")], response_format=form))
    with pytest.raises(Unsupported, match=r"messages\[1\]"):
        messages(Message("user", "hi"), Message("tool", "no call"))
    with pytest.raises(Unwritable, match=r"messages\[0\]"):
        messages(Message("user", "half \ud83d"))
    with pytest.raises(Unwritable, match="options"):
        wire(Request([Message("user", "hi")]), {"x": object()})


def test_a_message_is_encoded_once() -> None:
    first = Message("user", "remembered")
    messages(first)
    (kept,) = first.written.values()
    messages(first, Message("assistant", "more"))
    (again,) = first.written.values()
    assert again is kept


ROLES = st.sampled_from(["system", "user", "assistant"])


@given(st.lists(st.tuples(ROLES, st.text(st.characters(exclude_categories=["Cs"]))), min_size=1, max_size=5))
def test_any_text_survives(said: list[tuple[str, str]]) -> None:
    conversation = [Message(role, text) for role, text in said]
    for _ in range(2):
        assert [(m["role"], m["content"]) for m in messages(*conversation)] == said
