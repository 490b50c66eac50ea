"""Streams as platform.claude.com/docs/en/build-with-claude/streaming shows them, byte by byte, in any pieces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Loopback, streamed
from messages_wire import BEGIN, END, answered, begin, delta, ending, event, listen, start, stop, text, whole

from modelport import Finished, Message, Reasoning, Request, Response, Text, TextDelta, ToolCall, ToolCallDelta, Usage
from modelport.adapters.anthropic.answer import Arriving
from modelport.adapters.anthropic.stream import Reader
from modelport.adapters.chat.answer import Reported
from modelport.adapters.http.http_errors import Malformed

# platform.claude.com/docs/en/build-with-claude/streaming: "Basic streaming request"
BASIC = b"""event: message_start
data: {"type": "message_start", "message": {"id": "msg_1nZdL29xx5MUA1yADyHTEsnR8uuvGzszyY", "type": "message", \
"role": "assistant", "content": [], "model": "claude-opus-4-6", "stop_reason": null, "stop_sequence": null, \
"usage": {"input_tokens": 25, "output_tokens": 1}}}

event: content_block_start
data: {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}

event: content_block_delta
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "!"}}

event: content_block_stop
data: {"type": "content_block_stop", "index": 0}

event: message_delta
data: {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence":null}, \
"usage": {"output_tokens": 15}}

event: message_stop
data: {"type": "message_stop"}

"""
# "Streaming request with tool use"
TOOLS = b"""event: message_start
data: {"type":"message_start","message":{"id":"msg_014p7gG3wDgGV9EUtLvnow3U","type":"message","role":"assistant",\
"model":"claude-opus-4-6","stop_sequence":null,"usage":{"input_tokens":472,"output_tokens":2},"content":[],\
"stop_reason":null}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Okay"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":", let's see:"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_01T1x1fJ34qAmk2tNTrN7Up6",\
"name":"get_weather","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\\"location\\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta",\
"partial_json":" \\"San Francisco\\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}

event: message_stop
data: {"type":"message_stop"}

"""
# "Streaming request with extended thinking"
THINKING = b"""event: message_start
data: {"type": "message_start", "message": {"id": "msg_01", "type": "message", "role": "assistant", "content": [], \
"model": "claude-opus-4-6", "stop_reason": null, "stop_sequence": null}}

event: content_block_start
data: {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", \
"signature": ""}}

event: content_block_delta
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", \
"thinking": "I need the GCD of 1071 and 462."}}

event: content_block_delta
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", \
"thinking": "\\n1071 = 2 \xc3\x97 462 + 147"}}

event: content_block_delta
data: {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", \
"signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk"}}

event: content_block_stop
data: {"type": "content_block_stop", "index": 0}

event: content_block_start
data: {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}

event: content_block_delta
data: {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "It is **21**."}}

event: content_block_stop
data: {"type": "content_block_stop", "index": 1}

event: message_delta
data: {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}}

event: message_stop
data: {"type": "message_stop"}

"""
# "Streaming request with web search tool use", and citations as citations_delta brings them
SEARCH = b"".join(
    [
        begin(
            {"input_tokens": 2679, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 3}
        ),
        start({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}, 0),
        delta("input_json_delta", 0, partial_json=""),
        delta("input_json_delta", 0, partial_json='{"query":'),
        delta("input_json_delta", 0, partial_json=' "weather NYC"}'),
        stop(0),
        start({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"title": "NYC"}]}, 1),
        stop(1),
        start({"citations": [], "type": "text", "text": ""}, 2),
        delta("citations_delta", 2, citation={"type": "web_search_result_location", "url": "https://example.com"}),
        text("Sunny", 2),
        delta("citations_delta", 2, citation={"type": "web_search_result_location", "url": "https://example.org"}),
        text(", 21 °C.", 2),
        stop(2),
        *ending(
            "end_turn",
            {
                "input_tokens": 10682,
                "cache_creation_input_tokens": 40,
                "cache_read_input_tokens": 300,
                "output_tokens": 510,
                "output_tokens_details": {"thinking_tokens": 80},
                "server_tool_use": {"web_search_requests": 1},
            },
        ),
    ]
)
# what no example is made for: a redacted thought, kinds of tomorrow, a refusal, nulls
RARE = b"".join(
    [
        b": a comment\n\n",
        begin({"input_tokens": 9, "output_tokens": None}),
        event("content_block_start", index=0, content_block={"type": "redacted_thinking", "data": "c2Vj"}),
        stop(0),
        start({"type": "compaction", "content": None}, 1),
        delta("compaction_delta", 1, content="A long "),
        delta("compaction_delta", 1, content="story.", tokens=4),
        stop(1),
        start({"type": "text", "text": "I "}, 2),
        text("can't.", 2),
        delta("mood_delta", 2, mood="sad", size=3),
        event("mood", mood="sad"),
        event("content_block_delta", index=2, delta=None),
        event("content_block_start", index=2, content_block=None),
        event("message_start", message=None),
        stop(2),
        event(
            "message_delta", delta={"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "bio"}}
        ),
        event("message_delta", delta=None, usage={"input_tokens": None, "output_tokens": 4}),
        END,
    ]
)


def own(**fields: Any) -> dict[str, Any]:
    return {"anthropic": fields}


STREAMS: dict[str, tuple[bytes, list[Any], str, Usage | None]] = {
    "basic": (BASIC, [Text("Hello!")], "stop", Usage(25, 15)),
    "tools": (
        TOOLS,
        [
            Text("Okay, let's see:"),
            ToolCall("toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather", '{"location": "San Francisco"}'),
        ],
        "tool_calls",
        Usage(472, 89),
    ),
    "thinking": (
        THINKING,
        [
            Reasoning(
                "I need the GCD of 1071 and 462.\n1071 = 2 \u00d7 462 + 147",
                metadata=own(signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pk"),
            ),
            Text("It is **21**."),
        ],
        "stop",
        None,
    ),
    "a search": (
        SEARCH,
        [
            Text(
                "",
                metadata=own(
                    block={
                        "type": "server_tool_use",
                        "id": "srvtoolu_1",
                        "name": "web_search",
                        "input": {"query": "weather NYC"},
                    }
                ),
            ),
            Text(
                "",
                metadata=own(
                    block={"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"title": "NYC"}]}
                ),
            ),
            Text(
                "Sunny, 21 °C.",
                metadata=own(
                    citations=[
                        {"type": "web_search_result_location", "url": "https://example.com"},
                        {"type": "web_search_result_location", "url": "https://example.org"},
                    ]
                ),
            ),
        ],
        "stop",
        Usage(11022, 510, 300, 40, 80),
    ),
    "what is rare": (
        RARE,
        [
            Reasoning("", metadata=own(redacted="c2Vj")),
            Text("", metadata=own(block={"type": "compaction", "content": "A long story."})),
            Text("I can't."),
        ],
        "content_filter",
        Usage(9, 4),
    ),
}


def folded(*chunks: bytes, stops: tuple[str, ...] = ()) -> tuple[Response, list[Any]]:
    """What a stream in these pieces comes to, and its events."""
    arriving = Arriving(stops, "m")
    reader = Reader(arriving)
    events = [event for chunk in chunks for event in reader.read(chunk)]
    events += reader.end()
    events += arriving.finish()
    assert isinstance(events[-1], Finished)
    return events[-1].response, events


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_of_the_documentation_folds_to_the_right_response(name: str) -> None:
    body, content, reason, usage = STREAMS[name]
    response, _ = folded(body)
    assert list(response.message.content) == content
    assert (response.finish_reason, response.usage) == (reason, usage)


@pytest.mark.parametrize("name", STREAMS)
@given(cuts=st.lists(st.integers(0, 4000), max_size=30))
def test_any_chunking_folds_to_the_same(name: str, cuts: list[int]) -> None:
    body = STREAMS[name][0]
    at = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    assert folded(*(body[one:other] for one, other in pairwise(at)))[0] == folded(body)[0]


@pytest.mark.parametrize("name", STREAMS)
def test_each_byte_may_come_alone(name: str) -> None:
    body = STREAMS[name][0]
    assert folded(*(body[at : at + 1] for at in range(len(body))))[0] == folded(body)[0]


def test_halves_of_characters_are_joined_whatever_they_are_part_of() -> None:
    """Servers in JavaScript cut a text by UTF-16 units; none of Anthropic's own does."""
    one, other = b"\\ud83d", b"\\ude42"

    def cut(kind: str, name: str, at: int) -> list[bytes]:
        pieces = delta(kind, at, **{name: "HALF"})
        return [pieces.replace(b"HALF", half) for half in (b"a" + one, other + b"b", one)]

    response, events = folded(
        BEGIN,
        *cut("thinking_delta", "thinking", 0),
        start({"type": "tool_use", "id": "a", "name": "f", "input": {}}, 1),
        *cut("input_json_delta", "partial_json", 1),
        stop(1),
        *cut("text_delta", "text", 2),
        *ending(),
    )
    assert list(response.message.content) == [
        Reasoning("a\U0001f642b\ufffd"),
        ToolCall("a", "f", "a\U0001f642b\ufffd"),
        Text("a\U0001f642b\ufffd"),
    ]
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "a\U0001f642b\ufffd"


def test_the_raw_answer_is_what_a_whole_one_would_be() -> None:
    raw = folded(TOOLS)[0].raw
    assert raw["content"][1] == {
        "type": "tool_use",
        "id": "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
        "name": "get_weather",
        "input": {"location": "San Francisco"},
    }
    assert (raw["stop_reason"], raw["usage"]) == ("tool_use", {"input_tokens": 472, "output_tokens": 89})


def test_a_call_comes_in_its_pieces_and_one_of_nothing_at_its_end() -> None:
    nothing = start({"type": "tool_use", "id": "b", "name": "clock", "input": {}}, 2)
    body = TOOLS.replace(b"event: message_delta", nothing + stop(2) + b"event: message_delta")
    response, events = folded(body)
    assert [event for event in events if isinstance(event, ToolCallDelta)] == [
        ToolCallDelta(0, "toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather"),
        ToolCallDelta(0, arguments='{"location":'),
        ToolCallDelta(0, arguments=' "San Francisco"}'),
        ToolCallDelta(1, "b", "clock"),
        ToolCallDelta(1, arguments="{}"),
    ]
    assert response.tool_calls[1] == ToolCall("b", "clock", "{}")


def test_a_call_that_is_said_at_once_is_read() -> None:
    """As servers do that only speak like Anthropic."""
    said = start({"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}})
    response, events = folded(BEGIN, said, stop(), *ending("end_turn"))
    assert response.tool_calls == (ToolCall("a", "f", '{"x":1}'),)
    assert ToolCallDelta(0, arguments='{"x":1}') in events
    assert response.finish_reason == "tool_calls"


def test_a_call_that_was_cut_off_keeps_what_came_of_it() -> None:
    said = start({"type": "tool_use", "id": "a", "name": "f", "input": {}})
    response, _ = folded(BEGIN, said, delta("input_json_delta", partial_json='{"x": "a lo'), *ending("max_tokens"))
    assert response.tool_calls == (ToolCall("a", "f", '{"x": "a lo'),)
    assert (response.finish_reason, response.raw["content"][0]["input"]) == ("length", '{"x": "a lo')


def test_blocks_that_never_began_are_of_the_kind_of_their_deltas() -> None:
    response, _ = folded(
        BEGIN,
        delta("thinking_delta", 0, thinking="Hm."),
        delta("signature_delta", 0, signature="c2"),
        delta("signature_delta", 0, signature="ln"),
        event("content_block_delta", index=None, delta={"type": "text_delta", "text": ""}),
        text("Hi.", 1),
        *ending(),
    )
    assert list(response.message.content) == [Reasoning("Hm.", metadata=own(signature="c2ln")), Text("Hi.")]


def test_a_signature_that_began_as_no_text_is_what_its_deltas_say() -> None:
    response, _ = folded(
        BEGIN,
        start({"type": "thinking", "thinking": "", "signature": 1}),
        delta("thinking_delta", thinking="Hm."),
        delta("signature_delta", signature="c2ln"),
        *ending(),
    )
    assert list(response.message.content) == [Reasoning("Hm.", metadata=own(signature="c2ln"))]


def test_a_stop_in_the_text_ends_it_and_what_it_cost_is_still_heard() -> None:
    body = b"".join([BEGIN, text("One two"), text(" three"), *ending(), b"data: what?\n\n"])
    response, events = folded(body, stops=("tw",))
    assert (response.content, response.stopped_by, response.finish_reason) == ("One ", "tw", "stop")
    assert response.usage == Usage(7, 3)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["One "]


def test_the_stop_that_anthropic_found_is_told() -> None:
    with Loopback(streamed(BEGIN, text("One "), *ending("stop_sequence", stop_sequence="two"))) as server:
        *_, last = listen(server, Request([Message("user", "hi")], ["two"]))
    assert isinstance(last, Finished)
    assert (last.response.stopped_by, last.response.finish_reason) == ("two", "stop")


def test_what_comes_after_the_end_is_not_read() -> None:
    arriving = Arriving()
    reader = Reader(arriving)
    assert list(reader.read(b"".join([BEGIN, text("Hi"), *ending(), b"data: what?\n\n"])))
    assert (arriving.ended, list(reader.end())) == (True, [])


def test_an_event_without_its_last_line_is_read() -> None:
    """Servers forget the empty line after the last event."""
    response, _ = folded(b"".join([BEGIN, text("Hi"), *ending()])[:-2].removesuffix(END[:-2]).rstrip(b"\n"))
    assert (response.content, response.finish_reason) == ("Hi", "stop")


def test_a_gateway_s_done_is_no_event() -> None:
    assert folded(BEGIN, text("Hi"), ending()[0], b"data: [DONE]\n\n", b"data: \n\n")[0].content == "Hi"


def test_an_empty_stream_is_malformed() -> None:
    with pytest.raises(Malformed, match="the answer is empty"):
        folded(b": nothing\n\n")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (event("error", error={"type": "overloaded_error"}), {"type": "overloaded_error"}),
        (b'data: {"type": "error", "message": "no"}\n\n', {"type": "error", "message": "no"}),
        (b'data: {"error": {"message": "no"}}\n\n', {"message": "no"}),
        (b'event: error\ndata: {"type": "api_error", "message": "no"}\n\n', {"type": "api_error", "message": "no"}),
        (b"event: error\ndata: no way\n\n", "no way"),
        (b"event: error\ndata: [1]\n\n", [1]),
    ],
)
def test_an_error_in_a_stream_is_reported_in_any_form(body: bytes, error: Any) -> None:
    with pytest.raises(Reported) as raised:
        folded(BEGIN, text("Hi"), body)
    assert raised.value.error == error


def test_a_whole_answer_where_a_stream_was_asked_for_is_read() -> None:
    with Loopback(whole("Hello!")) as server:
        *shown, last = listen(server)
    assert shown == [TextDelta("Hello!")]
    assert isinstance(last, Finished)


def test_a_stream_where_a_whole_answer_was_asked_for_is_read() -> None:
    with Loopback(streamed(BEGIN, text("Hello!"), *ending())) as server:
        assert answered(server).content == "Hello!"
