"""What servers of the Responses wire really send, reduced to the events that matter, and what comes of it.

The next report is one more row.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses_wire as wire
from hypothesis import given
from hypothesis import strategies as st
from responses_fold import fold

from modelport.adapters.chat.answer import Reported
from modelport.adapters.http.http_errors import CutOff, Malformed
from modelport.adapters.openai.responses.answer import decode
from modelport.adapters.openai.responses.items import input_items
from modelport.adapters.openai.responses.stream import Arriving, decode_event
from modelport.domain.event import Event, ReasoningDelta, TextDelta, ToolCallDelta, gather
from modelport.domain.message import Message

ADDED = "response.output_item.added"
DONE = "response.output_item.done"
TEXT = "response.output_text.delta"
ARGUMENTS = "response.function_call_arguments.delta"
COMPLETED = wire.event("response.completed", response=wire.response(wire.message("Hello!")))
EMPTY = wire.event("response.completed", response=wire.response())
HALF = b'{"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "\\ud83d"}'
CALL = wire.call("f", '{"a":1}')

# What came; the text, the reasoning and the calls of the answer; and the pieces of text that were shown.
ROWS: dict[str, tuple[list[bytes], tuple[str, str, list[str]], list[str]]] = {
    "an end without output: github.com/vllm-project/vllm/pull/30223": (
        [wire.delta("Hel"), wire.delta("lo!"), EMPTY],
        ("Hello!", "", []),
        ["Hel", "lo!"],
    ),
    "an end without output, and items that are done: github.com/BerriAI/litellm/pull/32724": (
        [*wire.events(wire.response(wire.reasoning("Hm."), wire.message("Hello!"), CALL))[:-1], EMPTY],
        ("Hello!", "Hm.", ['{"a":1}']),
        ["Hel", "lo!"],
    ),
    "an end that doesn't even name its output": (
        [wire.delta("Hello!"), wire.event("response.completed", response={"id": "resp_1", "status": "completed"})],
        ("Hello!", "", []),
        ["Hello!"],
    ),
    "no deltas, and the item once it is done": (
        [wire.event(DONE, output_index=0, item=wire.message("Hello!")), EMPTY],
        ("Hello!", "", []),
        ["Hello!"],
    ),
    "nothing but the end": ([COMPLETED], ("Hello!", "", []), ["Hello!"]),
    "half the deltas": ([wire.delta("Hel"), COMPLETED], ("Hello!", "", []), ["Hel", "lo!"]),
    "another text in the end": ([wire.delta("Hullo"), COMPLETED], ("Hello!", "", []), ["Hullo"]),
    "an item that is done too early: github.com/diegosouzapw/OmniRoute/issues/13693": (
        [wire.delta("1"), wire.event(DONE, output_index=0, item=wire.message("1")), wire.delta(" 2"), EMPTY],
        ("1 2", "", []),
        ["1", " 2"],
    ),
    "events that don't say what they belong to": (
        [
            wire.event(ADDED, item={"type": "message", "content": []}),
            wire.event(TEXT, delta="Hel"),
            wire.event(TEXT, delta="lo!"),
            COMPLETED,
        ],
        ("Hello!", "", []),
        ["Hel", "lo!"],
    ),
    "ids that change from event to event: github.com/BerriAI/litellm/pull/30072": (
        [
            wire.event(ADDED, output_index=0, item=wire.reasoning(id="a")),
            wire.event("response.reasoning_summary_text.delta", output_index=0, item_id="b", delta="H"),
            wire.event("response.reasoning_summary_text.delta", output_index=0, item_id="c", delta="m."),
            wire.event(DONE, output_index=0, item=wire.reasoning("Hm.", id="d")),
            wire.event(ADDED, output_index=1, item=wire.message("", id="e")),
            wire.event(TEXT, output_index=1, item_id="f", delta="Hel"),
            wire.event(TEXT, output_index=1, item_id="g", delta="lo!"),
            wire.event(DONE, output_index=1, item=wire.message("Hello!", id="h")),
            EMPTY,
        ],
        ("Hello!", "Hm.", []),
        ["Hel", "lo!"],
    ),
    "one index for several items: github.com/BerriAI/litellm/pull/36375": (
        [
            wire.event(ADDED, output_index=0, item=wire.message("", id="m")),
            wire.event(ADDED, output_index=0, item={**CALL, "arguments": ""}),
            wire.event(ARGUMENTS, output_index=0, item_id="fc_1", delta='{"a"'),
            wire.event(TEXT, output_index=0, item_id="m", delta="Hello!"),
            wire.event(ARGUMENTS, output_index=0, item_id="fc_1", delta=":1}"),
            wire.event("response.completed", response=wire.response(wire.message("Hello!", id="m"), CALL)),
        ],
        ("Hello!", "", ['{"a":1}']),
        ["Hello!"],
    ),
    "one index for two messages": (
        [
            wire.event(ADDED, output_index=0, item=wire.message("", id="m")),
            wire.event(TEXT, output_index=0, item_id="m", delta="One."),
            wire.event(DONE, output_index=0, item=wire.message("One.", id="m")),
            wire.event(ADDED, output_index=0, item=wire.message("", id="n")),
            wire.event(TEXT, output_index=0, item_id="n", delta="Two."),
            wire.event(DONE, output_index=0, item=wire.message("Two.", id="n")),
            EMPTY,
        ],
        ("One.Two.", "", []),
        ["One.", "Two."],
    ),
    "an item that the end doesn't have in that place: github.com/invergent-ai/surogate/issues/175": (
        [
            wire.event(ADDED, output_index=0, item=wire.reasoning()),
            wire.event(TEXT, output_index=1, delta="Hello!"),
            COMPLETED,
        ],
        ("Hello!", "", []),
        ["Hello!"],
    ),
    "empty and strange pieces": (
        [
            wire.delta(""),
            wire.event(TEXT, output_index=0, delta=None),
            wire.event(TEXT, output_index=0, delta={"type": "output_text", "text": "x"}),
            wire.event("response.reasoning_text.delta", output_index=0, delta=""),
            wire.event(ARGUMENTS, item_id="nobody", delta="{}"),
            wire.event(ADDED, output_index=4, item=None),
            wire.event(ADDED, output_index=4, item={"type": None}),
            wire.event("response.created", response=None),
            wire.event("response.made_up", delta="x"),
            wire.event("keepalive"),
            b'data: {"type": 7}\n\n',
            b"data: {}\n\n",
            COMPLETED,
        ],
        ("Hello!", "", []),
        [],
    ),
    "a character in two halves": (
        [b"data: " + HALF + b"\n\n", b"data: " + HALF.replace(b"ud83d", b"ude42") + b"\n\n", EMPTY],
        ("🙂", "", []),
        ["🙂"],
    ),
    "half a character, which the end has whole": (
        [
            b"data: " + HALF + b"\n\n",
            wire.event("response.completed", response=wire.response(wire.message("🙂", id="m"))),
        ],
        ("🙂", "", []),
        ["🙂"],
    ),
    "[DONE] after the end": ([COMPLETED, b"data: [DONE]\n\n"], ("Hello!", "", []), ["Hello!"]),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_a_server_makes_of_it_is_read(name: str) -> None:
    stream, answer, shown = ROWS[name]
    events, response = fold(stream)
    assert (response.content, response.reasoning, [call.arguments for call in response.tool_calls]) == answer
    assert [event.text for event in events if isinstance(event, TextDelta) and event.text] == shown
    pieces = gather(events)
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == response.reasoning
    assert [call.arguments for call in pieces.tool_calls] == answer[2]


def test_an_end_that_brings_nothing_after_nothing_is_malformed() -> None:
    """github.com/raullenchai/Rapid-MLX/pull/851: an empty answer would hide it."""
    with pytest.raises(Malformed, match="the answer has no output"):
        fold([wire.event("response.completed", response={"id": "resp_1", "status": "completed"})])


# Whatever comes

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
TYPES = ["message", "reasoning", "function_call", "custom_tool_call", "web_search_call", "image_generation_call"]
PIECES = st.lists(
    st.fixed_dictionaries(
        {}, optional={"type": st.sampled_from(["output_text", "refusal"]) | JSON, "text": JSON, "refusal": JSON}
    )
    | JSON,
    max_size=2,
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["a", "b"]) | JSON,
        "type": st.sampled_from(TYPES) | JSON,
        "content": PIECES | JSON,
        "summary": PIECES | JSON,
        "call_id": st.just("c") | JSON,
        "name": st.just("f") | JSON,
        "arguments": st.just("{}") | JSON,
        "input": JSON,
        "result": st.just("R0lG") | JSON,
        "status": st.sampled_from(["completed", "incomplete"]) | JSON,
    },
)
RESPONSES = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON,
        "model": JSON,
        "status": st.sampled_from(["completed", "incomplete", "failed"]) | JSON,
        "output": st.lists(ITEMS | JSON, max_size=3) | JSON,
        "usage": JSON,
        "incomplete_details": st.fixed_dictionaries({"reason": JSON}) | JSON,
    },
)
KINDS = [ADDED, DONE, TEXT, ARGUMENTS, "response.refusal.delta", "response.custom_tool_call_input.delta"]
KINDS += ["response.reasoning_summary_text.delta", "response.reasoning_text.delta", "response.created"]
KINDS += ["response.completed", "response.incomplete"]
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS) | JSON},
    optional={
        "output_index": st.integers(0, 2) | JSON,
        "item_id": st.sampled_from(["a", "b"]) | JSON,
        "summary_index": JSON,
        "delta": st.text(max_size=3) | JSON,
        "item": ITEMS | JSON,
        "response": RESPONSES | JSON,
    },
)


@given(st.lists(EVENTS, max_size=8))
def test_whatever_comes_is_an_answer_or_can_not_be_read(chunks: list[Any]) -> None:
    """And what has come goes back."""
    arriving = Arriving()
    events: list[Event] = []
    try:
        for chunk in chunks:
            events += decode_event(chunk, arriving)
    except (Malformed, Reported, CutOff):
        return
    *_, last = arriving.finish()
    response = last.response  # type: ignore[union-attr]
    for kept in (True, False):
        json.dumps(input_items(response.message, kept))
    assert all(isinstance(event, (TextDelta, ReasoningDelta, ToolCallDelta)) for event in events)


@given(RESPONSES)
def test_whatever_comes_whole_is_an_answer_or_can_not_be_read(answer: Any) -> None:
    try:
        response = decode(json.dumps(answer).encode())
    except (Malformed, Reported, CutOff):
        return
    json.dumps(input_items(Message("assistant", response.message.content), kept=True))
