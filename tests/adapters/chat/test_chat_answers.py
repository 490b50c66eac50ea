"""What the answers of the chat-completions wire mean, whole and in chunks, from servers of every kind."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters.chat.answer import Arriving, Malformed, Reported, decode, decode_event
from modelport.adapters.chat.json import parse
from modelport.adapters.chat.request import encode
from modelport.domain.event import Event, Finished, TextDelta, ToolCallDelta, gather
from modelport.domain.message import Reasoning, Text, ToolCall
from modelport.domain.request import Request
from modelport.domain.response import FinishReason, Response
from modelport.domain.usage import Usage


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
    sent = json.loads(encode(Request([found.message]), "m", {}))
    assert sent["messages"] == [{"role": "assistant", **message}]


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
