"""A streamed answer on the Responses wire comes to the right response, however it is cut and whoever sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, get_args

import pytest
import responses_wire as wire
from hypothesis import given
from hypothesis import strategies as st
from responses_fold import fold

from modelport.adapters.openai.responses.answer import decode
from modelport.domain.event import ReasoningDelta, TextDelta, ToolCallDelta, gather
from modelport.domain.message import Reasoning, Text, ToolCall
from modelport.domain.usage import Usage

OWN = "openai-responses"
CITED = {"type": "url_citation", "start_index": 0, "end_index": 2, "title": "x", "url": "https://x.org"}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}
PICTURE = {
    "id": "ig_1",
    "type": "image_generation_call",
    "status": "completed",
    "result": "R0lG",
    "output_format": "gif",
}
SAID = wire.message("안녕, 친구 🙂.") | {"phase": "commentary"}
SAID["content"][0]["annotations"] = [CITED]
CUSTOM = {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "print('둘')"}

ANSWERS: dict[str, dict[str, Any]] = {
    "a text": wire.response(wire.message("Hello!")),
    "nothing": wire.response(),
    "all there is": wire.response(
        wire.reasoning("First, 생각.", "Then 하나 더.", encrypted="bGFzdA=="),
        SEARCH,
        SAID,
        wire.call("weather", '{"city":"서울"}'),
        CUSTOM,
        PICTURE,
        usage=wire.USAGE | {"output_tokens_details": {"reasoning_tokens": 2}},
    ),
    "a refusal": wire.response(wire.refusal("I can't help with that.")),
    "an answer that is cut short": wire.response(
        wire.message("Once upon"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}
    ),
    "an answer that is filtered": wire.response(status="incomplete", incomplete_details={"reason": "content_filter"}),
}


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    chunks, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        chunks.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return chunks


@given(
    st.sampled_from(sorted(ANSWERS)), st.lists(st.integers(1, 200), min_size=1), st.lists(st.integers(1, 9), min_size=1)
)
def test_a_stream_comes_to_the_whole_answer_however_it_is_cut(name: str, bytes_: list[int], words: list[int]) -> None:
    answer = ANSWERS[name]
    events, response = fold(cut(b"".join(wire.events(answer, words)), bytes_))
    assert response == decode(json.dumps(answer).encode())
    assert response.raw == answer
    shown = gather(events)
    assert (shown.text, "".join(e.text for e in events if isinstance(e, ReasoningDelta))) == (
        response.content,
        response.reasoning,
    )
    assert [(call.id, call.name, call.arguments) for call in shown.tool_calls] == [
        (call.id, call.name, call.arguments) for call in response.tool_calls
    ]


@given(st.lists(st.integers(1, 200), min_size=1), st.sampled_from(["녕", " 친", "🙂", "안녕, 친구 🙂."]))
def test_a_stop_ends_a_stream_as_it_ends_the_whole_answer(sizes: list[int], stop: str) -> None:
    answer = ANSWERS["all there is"]
    _, response = fold(cut(b"".join(wire.events(answer)), sizes), (stop,))
    whole = decode(json.dumps(answer).encode(), (stop,))
    assert (response.content, response.stopped_by, response.finish_reason) == (
        whole.content,
        whole.stopped_by,
        whole.finish_reason,
    )
    assert response.reasoning == whole.reasoning
    assert response.tool_calls == ()


def test_a_stop_keeps_what_was_done_before_it() -> None:
    """The encrypted reasoning of an item that is done goes back, and the message has the id that it had so far."""
    answer = ANSWERS["all there is"]
    events = wire.events(answer)
    upto = next(at for at, event in enumerate(events) if "친".encode() in event)
    _, response = fold(events[: upto + 1], ("친",))
    first, searched, said = response.message.content
    assert first.metadata[OWN]["item"]["encrypted_content"] == "bGFzdA=="
    assert searched == Reasoning("", metadata={OWN: {"item": SEARCH}})
    assert said == Text("안녕, ", metadata={OWN: {"item": said.metadata[OWN]["item"]}})
    assert said.metadata[OWN]["item"]["id"] == "msg_1"
    assert response.usage is None
    assert response.response_id == "resp_1"


def test_the_last_reasoning_is_kept() -> None:
    """It is encrypted anew from event to event: what the last one says goes back."""
    first, last = wire.reasoning("Hm.", encrypted="Zmlyc3Q="), wire.reasoning("Hm.", encrypted="bGFzdA==")
    stream = wire.events(wire.response(first, wire.message("Hi")))[:-1]
    stream.append(wire.event("response.completed", response=wire.response(last, wire.message("Hi"))))
    _, response = fold(stream)
    assert response.message.content[0].metadata[OWN]["item"]["encrypted_content"] == "bGFzdA=="


def test_calls_are_told_apart_by_their_items() -> None:
    """The arguments of two calls come by turns; each names the item that it belongs to."""
    one = wire.call("weather", '{"city":"a"}')
    two = wire.call("clock", '{"zone":"b"}', call_id="call_2", id="fc_2")
    delta = "response.function_call_arguments.delta"
    begun = [
        wire.event("response.output_item.added", output_index=at, item={**item, "arguments": ""})
        for at, item in enumerate((one, two))
    ]
    pieces = [
        wire.event(delta, item_id="fc_2", delta='{"zone"'),
        wire.event(delta, item_id="fc_1", delta='{"city"'),
        wire.event(delta, item_id="fc_1", delta=':"a"}'),
        wire.event(delta, item_id="fc_2", delta=':"b"}'),
    ]
    events, response = fold([*begun, *pieces, wire.event("response.completed", response=wire.response(one, two))])
    assert [event for event in events if isinstance(event, ToolCallDelta) and event.arguments] == [
        ToolCallDelta(1, arguments='{"zone"'),
        ToolCallDelta(0, arguments='{"city"'),
        ToolCallDelta(0, arguments=':"a"}'),
        ToolCallDelta(1, arguments=':"b"}'),
    ]
    assert [call.arguments for call in response.tool_calls] == ['{"city":"a"}', '{"zone":"b"}']


DONE = "response.output_item.done"
ADDED = "response.output_item.added"
COMPLETED = wire.event("response.completed", response=wire.response(wire.message("Hello!")))
EMPTY = wire.event("response.completed", response=wire.response())


def test_a_call_that_comes_whole_is_shown_when_it_is_done() -> None:
    """It has no name before, and its pieces wait for that."""
    stream = [
        wire.event(ADDED, output_index=0, item={"type": "function_call", "id": "fc_1", "arguments": ""}),
        wire.event("response.function_call_arguments.delta", output_index=0, delta='{"a":'),
        wire.event(DONE, output_index=0, item=wire.call("f", '{"a":1}')),
        EMPTY,
    ]
    events, response = fold(stream)
    assert events == [ToolCallDelta(0, "call_1", "f"), ToolCallDelta(0, arguments='{"a":1}')]
    assert response.tool_calls == (ToolCall("call_1", "f", '{"a":1}', metadata={OWN: {"id": "fc_1"}}),)


def test_reasoning_that_comes_whole_is_shown_when_it_is_done_and_a_call_without_a_name_is_none() -> None:
    stream = [
        wire.event(DONE, output_index=0, item=wire.reasoning("I see.", "Now.")),
        wire.event(DONE, output_index=1, item={"type": "function_call", "arguments": "{}"}),
        EMPTY,
    ]
    events, response = fold(stream)
    assert events == [ReasoningDelta("I see.\n\nNow.")]
    assert (response.reasoning, response.tool_calls) == ("I see.\n\nNow.", ())


def test_a_call_that_is_cut_off_by_a_stop_of_the_text_after_it_is_as_it_was_so_far() -> None:
    begun = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": ""}
    stream = [
        wire.event(ADDED, output_index=0, item=begun),
        wire.event("response.function_call_arguments.delta", output_index=0, delta='{"a":'),
        wire.event("response.function_call_arguments.delta", output_index=0, delta=""),
        wire.event("response.output_text.delta", output_index=1, delta="Hi STOP"),
    ]
    _, response = fold(stream, (" STOP",))
    assert response.message.content == (ToolCall("call_1", "f", '{"a":'), Text("Hi"))


def test_reasoning_that_is_not_done_when_a_stop_ends_the_text_is_as_it_was_so_far() -> None:
    stream = [
        wire.event("response.reasoning_text.delta", output_index=0, content_index=0, delta="I see"),
        wire.event("response.reasoning_text.delta", output_index=0, content_index=1, delta="more."),
        wire.event("response.refusal.delta", output_index=1, delta="No STOP"),
    ]
    events, response = fold(stream, (" STOP",))
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["I see", "\n\nmore."]
    assert (response.reasoning, response.content) == ("I see\n\nmore.", "No")


def test_what_comes_with_a_stop_may_still_say_what_it_cost() -> None:
    stream = b"".join([wire.delta("Hello STOP"), COMPLETED])
    _, response = fold([stream], ("!", " STOP"))
    assert (response.content, response.stopped_by) == ("Hello", " STOP")
    assert response.usage == Usage(7, 3)


# Every kind of event that there is

HEEDED = {
    "error",
    "response.completed",
    "response.created",
    "response.custom_tool_call_input.delta",
    "response.failed",
    "response.function_call_arguments.delta",
    "response.in_progress",
    "response.incomplete",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.queued",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
    "response.refusal.delta",
}
PROGRESS = {  # how the server's own tools get on: what they came to is in their items
    "response.code_interpreter_call.completed",
    "response.code_interpreter_call.in_progress",
    "response.code_interpreter_call.interpreting",
    "response.code_interpreter_call_code.delta",
    "response.code_interpreter_call_code.done",
    "response.compaction.compacting",
    "response.file_search_call.completed",
    "response.file_search_call.in_progress",
    "response.file_search_call.searching",
    "response.image_generation_call.completed",
    "response.image_generation_call.generating",
    "response.image_generation_call.in_progress",
    "response.image_generation_call.partial_image",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "response.mcp_call.in_progress",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.mcp_list_tools.completed",
    "response.mcp_list_tools.failed",
    "response.mcp_list_tools.in_progress",
    "response.shell_call_command.added",
    "response.shell_call_command.delta",
    "response.shell_call_command.done",
    "response.shell_call_output_content.delta",
    "response.shell_call_output_content.done",
    "response.web_search_call.completed",
    "response.web_search_call.in_progress",
    "response.web_search_call.searching",
}
AGAIN = {  # what the item, once it is done, says too
    "response.content_part.added",
    "response.content_part.done",
    "response.custom_tool_call_input.done",
    "response.function_call_arguments.done",
    "response.output_text.annotation.added",
    "response.output_text.done",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_part.done",
    "response.reasoning_summary_text.done",
    "response.reasoning_text.done",
    "response.refusal.done",
}
SOUND = {  # no model of this API speaks
    "response.audio.delta",
    "response.audio.done",
    "response.audio.transcript.delta",
    "response.audio.transcript.done",
}
SILENT = sorted(PROGRESS | AGAIN | SOUND)


@pytest.mark.skipif(find_spec("openai") is None, reason="the openai SDK isn't installed here")
def test_there_is_no_kind_of_event_that_nobody_has_thought_of() -> None:
    """A newer SDK with another kind fails here."""
    from openai.types.responses import ResponseStreamEvent

    union: Any = get_args(ResponseStreamEvent)[0]
    kinds = {get_args(event.model_fields["type"].annotation)[0] for event in get_args(union)}
    assert kinds == HEEDED | set(SILENT)


def full(kind: str) -> bytes:
    """An event of this kind, with whatever one of its kind may have."""
    at: Mapping[str, Any] = {"output_index": 0, "item_id": "x_1", "content_index": 0, "summary_index": 0}
    said = {"delta": "no", "text": "no", "arguments": "no", "input": "no", "code": "no", "refusal": "no"}
    piece = {"part": {"type": "output_text", "text": "no"}, "annotation": CITED, "partial_image_b64": "R0lG"}
    return wire.event(kind, **at, **said, **piece)


@given(st.lists(st.sampled_from(SILENT)), st.integers(0, 10))
def test_other_kinds_of_events_change_nothing(kinds: list[str], at: int) -> None:
    stream = wire.events(wire.response(wire.message("Hello!")))
    events, response = fold([*stream[:at], *map(full, kinds), *stream[at:]])
    assert events == [TextDelta("Hel"), TextDelta("lo!")]
    assert response.message.content == (
        Text("Hello!", metadata={OWN: {"item": response.message.content[0].metadata[OWN]["item"]}}),
    )
