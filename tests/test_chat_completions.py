"""The chat-completions wire as pure functions: what a request looks like on it, and what its answers mean."""

from __future__ import annotations

import contextlib
import gc
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters import chat_completions
from modelport.adapters.chat_answers import Arriving, Malformed, Reported, decode, decode_event, parse
from modelport.adapters.chat_completions import Unsupported, Unwritable, encode
from modelport.domain.event import Event, Finished, TextDelta, ToolCallDelta, gather
from modelport.domain.message import Audio, Document, Image, Message, Reasoning, Text, ToolCall, ToolResult
from modelport.domain.request import Request
from modelport.domain.response import FinishReason, Response
from modelport.domain.response_format import Grammar, JsonSchema, Regex
from modelport.domain.tool import Tool
from modelport.domain.usage import Usage


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
    parts = [
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
    calls = [Reasoning("hm"), ToolCall("a", "look", {"at": 1}), ToolCall("b", "look", "{}")]
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


def test_metadata_of_this_provider_is_sent_back_and_that_of_another_is_not() -> None:
    marked = Text("long", metadata={"openai": {"cache_control": {"type": "ephemeral"}}, "bedrock": {"x": 1}})
    assert messages(Message("user", marked)) == [
        {"role": "user", "content": [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral"}}]}
    ]
    assert messages(Message("user", marked), provider="azure") == [
        {"role": "user", "content": [{"type": "text", "text": "long"}]}
    ]


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


def test_a_message_is_encoded_once_and_forgotten_with_the_message() -> None:
    first = Message("user", "remembered")
    messages(first)
    remembered = chat_completions._remembered["openai"]
    kept = remembered[id(first)][1]
    messages(first, Message("assistant", "more"))
    assert remembered[id(first)][1] is kept
    key = id(first)
    del first
    gc.collect()
    assert key not in remembered


ROLES = st.sampled_from(["system", "user", "assistant"])


@given(st.lists(st.tuples(ROLES, st.text(st.characters(exclude_categories=["Cs"]))), min_size=1, max_size=5))
def test_any_text_survives(said: list[tuple[str, str]]) -> None:
    conversation = [Message(role, text) for role, text in said]
    for _ in range(2):
        assert [(m["role"], m["content"]) for m in messages(*conversation)] == said


def answer(message: dict[str, Any], finish: str | None = "stop", stops: tuple[str, ...] = (), **more: Any) -> Response:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **more}
    return decode(json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode(), stops)


def stream(*deltas: Any, finish: str | None = "stop", stops: tuple[str, ...] = (), **more: Any) -> Response:
    arriving = Arriving(stops)
    events: list[Event] = []
    for delta in deltas:
        events += decode_event({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]}, arriving)
    decode_event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish, **more}]}, arriving)
    assert arriving.complete == (finish is not None)
    events += arriving.finish()
    last = events[-1]
    assert isinstance(last, Finished)
    shown, told = gather(events), last.response.message
    assert (shown.text, [(c.id, c.name, c.arguments) for c in shown.tool_calls]) == (
        told.text,
        [(c.id, c.name, c.arguments) for c in told.tool_calls],
    )
    return last.response


REASONS = [
    ("stop", "stop"),
    ("length", "length"),
    ("content_filter", "content_filter"),
    ("function_call", "tool_calls"),
    ("eos_token", "stop"),
    ("model_length", "length"),
    ("abort", "other"),
    ("error", "other"),
]


@pytest.mark.parametrize(("word", "reason"), REASONS)
def test_a_finish_reason_means_this(word: str, reason: str) -> None:
    assert answer({"content": "x"}, word).finish_reason == reason
    assert stream({"content": "x"}, finish=word) == answer({"content": "x"}, word)


def test_a_null_finish_reason_is_other() -> None:
    assert answer({"content": "x"}, None).finish_reason == FinishReason.OTHER


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_read_under_both_names(name: str) -> None:
    found = answer({name: "hm", "content": "x"})
    assert found.message.content == (Reasoning("hm"), Text("x"))
    assert stream({name: "h", "content": ""}, {name: "m"}, {"content": "x", name: None}) == found


def test_content_in_parts_is_read() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}]
    assert answer({"content": parts}).message.content == (Reasoning("hm"), Text("x"))
    assert stream({"content": parts}) == answer({"content": parts})


def test_a_refusal_is_text_that_was_filtered() -> None:
    found = answer({"content": None, "refusal": "I won't."})
    assert (found.content, found.finish_reason) == ("I won't.", "content_filter")
    assert stream({"refusal": "I "}, {"refusal": "won't."}) == found


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
OTHER = {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}}


def test_calls_of_tools_are_read() -> None:
    found = answer({"content": None, "tool_calls": [CALL, OTHER]}, "tool_calls")
    assert found.tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))
    assert answer({"content": None, "tool_calls": [CALL]}, "stop").finish_reason == "tool_calls"
    legacy = answer({"content": None, "function_call": CALL["function"]}, "function_call")
    assert legacy.tool_calls == (ToolCall("call_0", "f", '{"x":1}'),)
    as_dict = answer({"tool_calls": [{"id": "a", "function": {"name": "f", "arguments": {"x": 1}}}]}, "tool_calls")
    assert as_dict.tool_calls == found.tool_calls[:1]


def piece(index: Any = "-", id: Any = "-", name: Any = "-", arguments: Any = "-") -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value != "-"}
    outer = {key: value for key, value in (("index", index), ("id", id)) if value != "-"}
    return {**outer, "function": function}


ONE, TWO = ("a", "f", '{"x":1}'), ("b", "g", "{}")

STREAMS: dict[str, tuple[list[list[dict[str, Any]]], list[tuple[str, str, str]]]] = {
    "by the book": (
        [
            [piece(0, "a", "f", "")],
            [piece(0, arguments='{"x"')],
            [piece(0, arguments=":1}")],
            [piece(1, "b", "g", "{}")],
        ],
        [ONE, TWO],
    ),
    "interleaved": (
        [
            [piece(0, "a", "f", '{"x"'), piece(1, "b", "g", "{")],
            [piece(1, arguments="}"), piece(0, arguments=":1}")],
        ],
        [ONE, TWO],
    ),
    "one index for all": ([[piece(0, "a", "f", '{"x":1}')], [piece(0, "b", "g", "{}")]], [ONE, TWO]),
    "no index": (
        [
            [piece(id="a", name="f", arguments='{"x"')],
            [piece(arguments=":1}")],
            [piece(id="b", name="g", arguments="{}")],
        ],
        [ONE, TWO],
    ),
    "null index": ([[piece(None, "a", "f", '{"x":1}')], [piece(None, "b", "g", "{}")]], [ONE, TWO]),
    "no index, one chunk": ([[piece(id="a", name="f", arguments='{"x":1}'), piece(id="b", name="g", arguments="{}")]],
                            [ONE, TWO]),
    "no ids": (
        [[piece(0, None, "f", '{"x":1}')], [piece(0, None, "g", "{}")]],
        [("call_0", "f", '{"x":1}'), ("call_1", "g", "{}")],
    ),
    "name and id repeated": ([[piece(0, "a", "f", '{"x"')], [piece(0, "a", "f", ":1}")]], [ONE]),
    "a new id with each piece": ([[piece(0, "a", "f", '{"x"')], [piece(0, "z", None, ":1}")]], [ONE]),
    "indices that begin at one": ([[piece(1, "a", "f", '{"x":1}')], [piece(2, "b", "g", "{}")]], [ONE, TWO]),
    "no arguments": ([[piece(0, "b", "g")]], [("b", "g", "")]),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_calls_in_a_stream_are_told_apart(name: str) -> None:
    deltas, calls = STREAMS[name]
    found = stream(*({"tool_calls": pieces} for pieces in deltas), finish="tool_calls")
    assert [(call.id, call.name, call.arguments) for call in found.tool_calls] == calls
    assert found.finish_reason == "tool_calls"


def test_a_legacy_function_call_in_a_stream_is_a_call() -> None:
    found = stream({"function_call": {"name": "f", "arguments": '{"x"'}}, {"function_call": {"arguments": ":1}"}})
    assert found.tool_calls == (ToolCall("call_0", "f", '{"x":1}'),)


def test_what_the_domain_has_no_word_for_is_kept_and_sent_back() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "s"}}}
    message = {"content": "x", "tool_calls": [signed], "reasoning_details": [{"data": "e"}]}
    found = answer(message, "tool_calls")
    assert stream({"content": "x", "reasoning_details": [{"data": "e"}]}, {"tool_calls": [signed]}) == found
    assert messages(found.message) == [{"role": "assistant", **message}]


def test_usage_is_read_in_every_spelling() -> None:
    usages = [
        ({"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}, Usage(9, 4)),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": None}, Usage(9, 4)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            Usage(9, 4, 3, 2, 1),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 4, "prompt_cache_hit_tokens": 5}, Usage(9, 4, 5)),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 4,
                "total_tokens": 23,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            Usage(9, 14, reasoning_tokens=10),
        ),
        ({"prompt_tokens": None}, Usage(0, 0)),
        (None, None),
    ]
    for given_usage, usage in usages:
        body = {"choices": [{"message": {"content": "x"}}], "usage": given_usage}
        assert decode(json.dumps(body).encode()).usage == usage


def test_usage_that_grows_from_chunk_to_chunk_ends_as_its_last() -> None:
    arriving = Arriving()
    for count in (1, 2, 3):
        chunk = {"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 9, "completion_tokens": count}}
        decode_event(chunk, arriving)
    decode_event({"choices": [], "usage": None}, arriving)
    assert arriving.usage == Usage(9, 3)


def test_vllm_says_which_stop_it_was() -> None:
    assert answer({"content": "x"}, stops=("a", "b"), stop_reason="b").stopped_by == "b"
    assert stream({"content": "x"}, stops=("a", "b"), stop_reason="b").stopped_by == "b"
    assert answer({"content": "x"}, stops=("a",), stop_reason=128009).stopped_by is None
    assert answer({"content": "x"}, stops=("a",), matched_stop="a").stopped_by == "a"


def test_a_stop_drops_the_calls_after_it() -> None:
    found = answer({"content": "one STOP", "tool_calls": [CALL]}, "tool_calls", ("STOP",))
    assert (found.content, found.tool_calls, found.finish_reason) == ("one ", (), "stop")
    assert stream({"content": "one ST"}, {"content": "OP"}, {"tool_calls": [CALL]}, stops=("STOP",)) == found


def test_other_answers_of_the_same_stream_are_not_mixed_in() -> None:
    arriving = Arriving()
    events = [
        *decode_event({"choices": [{"index": 1, "delta": {"content": "no"}}]}, arriving),
        *decode_event({"choices": [{"index": 0, "delta": {"content": "yes"}}]}, arriving),
    ]
    assert events == [TextDelta("yes")]


@pytest.mark.parametrize("chunk", [[], "x", 7, None])
def test_a_chunk_that_is_no_object_is_malformed(chunk: object) -> None:
    with pytest.raises(Malformed):
        decode_event(chunk, Arriving())


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {}}], "usage": 7},
        {"choices": [{"delta": {"content": None, "tool_calls": None}}]},
        {"choices": [{"delta": {"tool_calls": [None, {"function": None}]}}]},
    ],
)
def test_a_chunk_that_says_nothing_gives_no_text(chunk: object) -> None:
    assert [event for event in decode_event(chunk, Arriving()) if not isinstance(event, ToolCallDelta)] == []


def test_an_error_in_place_of_an_answer_is_reported() -> None:
    with pytest.raises(Reported) as whole:
        decode(b'{"error": {"message": "busy"}}')
    assert whole.value.error == {"message": "busy"}
    with pytest.raises(Reported):
        decode_event({"error": "busy"}, Arriving())


def test_a_character_that_was_cut_in_two_is_joined() -> None:
    assert parse(b'"\\ud83d"') == "\ud83d"
    assert decode(b'{"choices": [{"message": {"content": "a\\ud83d\\ude42b\\ud83d"}}]}').content == "a🙂b\ufffd"
    found = stream({"content": "a\ud83d"}, {"content": "\ude42b"}, {"content": "이\ud83d"})
    assert found.content == "a🙂b이\ufffd"
    thought = stream({"reasoning": "\ud83d"}, {"reasoning": "\ude42"}, {"content": "x"})
    assert thought.reasoning == "🙂"
    parts = [piece(0, "a", "f", '{"x":"\ud83d'), piece(0, arguments='\ude42"}')]
    assert stream({"tool_calls": parts}).tool_calls[0].input == {"x": "🙂"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "delta", "content", "tool_calls", "function", "index", "usage", "id"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_breaks_the_reader(value: Any) -> None:
    for attempt in (value, {"choices": [{"message": value}]}):
        with contextlib.suppress(Malformed, Reported):
            decode(json.dumps(attempt).encode())
    for attempt in (value, {"choices": [{"delta": value}]}, {"choices": [{"delta": {"tool_calls": [value]}}]}):
        arriving = Arriving()
        try:
            decode_event(attempt, arriving)
        except (Malformed, Reported):
            continue
        arriving.finish()
