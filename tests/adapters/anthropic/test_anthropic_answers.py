"""A whole answer of the Messages wire is read, with all that must go back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from loopback import Loopback
from messages_wire import HI, answered, model, sent, whole

from modelport import Message, Reasoning, Request, Text, ToolCall, Usage
from modelport.adapters.anthropic.answer import decode, usage_of


def own(**fields: Any) -> dict[str, Any]:
    return {"anthropic": fields}


CITED = {"type": "char_location", "cited_text": "Green.", "document_index": 0}
BLOCKS: list[tuple[Any, Any]] = [
    ({"type": "text", "text": "Hi"}, Text("Hi")),
    ({"type": "text", "text": "Hi", "citations": None}, Text("Hi")),
    ({"type": "text", "text": "Green.", "citations": [CITED]}, Text("Green.", metadata=own(citations=[CITED]))),
    (
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        Reasoning("Hm.", metadata=own(signature="c2ln")),
    ),
    ({"type": "thinking", "thinking": "", "signature": "c2ln"}, Reasoning("", metadata=own(signature="c2ln"))),
    ({"type": "thinking", "thinking": "Hm.", "signature": ""}, Reasoning("Hm.")),
    ({"type": "redacted_thinking", "data": "c2Vj"}, Reasoning("", metadata=own(redacted="c2Vj"))),
    ({"type": "tool_use", "id": "a", "name": "f", "input": {"x": "가"}}, ToolCall("a", "f", '{"x":"가"}')),
    ({"type": "tool_use", "id": "a", "name": "f"}, ToolCall("a", "f", "{}")),
    ({"type": "tool_use", "id": "a", "name": "f", "input": '{"x": 1}'}, ToolCall("a", "f", '{"x": 1}')),
    (
        {"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "direct"}, "toolset_name": None},
        ToolCall("a", "f", "{}", metadata=own(caller={"type": "direct"})),
    ),
    (
        {"type": "mcp_tool_result", "tool_use_id": "a", "content": []},
        Text("", metadata=own(block={"type": "mcp_tool_result", "tool_use_id": "a", "content": []})),
    ),
]


@pytest.mark.parametrize(("block", "part"), BLOCKS)
def test_a_block_is_this_part(block: Any, part: Any) -> None:
    answer = decode(whole([block]).body)
    assert answer.message.content == (part,)


@pytest.mark.parametrize("block", [block for block, _ in BLOCKS if block.get("signature") != ""])
def test_a_block_goes_back_as_it_came(block: Any) -> None:
    answer = decode(whole([block]).body)
    back = sent(Request([*HI.messages, answer.message, Message("user", "And?")]))
    written = {"input": {}, **block} if block["type"] == "tool_use" else block
    written = {name: value for name, value in written.items() if value is not None}
    if isinstance(written.get("input"), str):
        written["input"] = json.loads(written["input"])
    assert back["messages"][1]["content"] == [written]


def test_a_thought_that_nobody_signed_stays_here() -> None:
    """An empty signature would be refused."""
    answer = decode(
        whole([{"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "text", "text": "Hi"}]).body
    )
    back = sent(Request([*HI.messages, answer.message, Message("user", "And?")]))
    assert back["messages"][1]["content"] == [{"type": "text", "text": "Hi"}]


@pytest.mark.parametrize(
    ("reason", "meant"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "other"),
        ("of_tomorrow", "other"),
        (None, "other"),
        (7, "other"),
    ],
)
def test_a_stop_reason_means_this(reason: Any, meant: str) -> None:
    assert decode(whole(reason=reason).body).finish_reason == meant


def test_an_end_after_calls_is_one_for_their_sake() -> None:
    assert decode(whole([{"type": "tool_use", "id": "a", "name": "f", "input": {}}]).body).finish_reason == "tool_calls"


def test_the_stop_that_anthropic_found_is_told_where_it_is_one_of_ours() -> None:
    assert decode(whole(reason="stop_sequence", stop_sequence="END").body, ("END",)).stopped_by == "END"
    assert decode(whole(reason="stop_sequence", stop_sequence="END").body).stopped_by is None


def test_a_stop_that_the_server_ignores_ends_the_text() -> None:
    answer = decode(whole("One two three").body, ("tw",))
    assert (answer.content, answer.stopped_by) == ("One ", "tw")


def test_the_answer_says_which_model_it_is_of() -> None:
    answer = decode(whole().body, (), "mine")
    assert (answer.model_id, answer.response_id) == ("m-1", "msg_1")
    answer = decode(whole(model=None, id=None).body, (), "mine")
    assert (answer.model_id, answer.response_id) == ("mine", None)


def test_the_raw_answer_is_anthropic_s_own() -> None:
    answer = decode(whole(reason="refusal", stop_details={"type": "refusal", "category": "bio"}).body)
    assert answer.raw["stop_details"]["category"] == "bio"


@pytest.mark.parametrize(
    ("usage", "meant"),
    [
        ({"input_tokens": 9, "output_tokens": 4}, Usage(9, 4)),
        (
            {
                "input_tokens": 9,
                "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 1000,
                "output_tokens": 4,
                "output_tokens_details": {"thinking_tokens": 3},
            },
            Usage(1109, 4, 1000, 100, 3),
        ),
        ({"input_tokens": 9, "cache_read_input_tokens": None, "output_tokens": 4}, Usage(9, 4)),
        ({"input_tokens": 9}, None),
        ({"output_tokens": 9}, None),
        ({"input_tokens": -1, "output_tokens": 4}, None),
        ({"input_tokens": True, "output_tokens": 4}, None),
        ({}, None),
        ([1], None),
        (None, None),
    ],
)
def test_usage_adds_up_what_is_beside_the_cache(usage: Any, meant: Usage | None) -> None:
    assert usage_of(usage) == meant


def test_an_answer_without_content_is_an_empty_one() -> None:
    with Loopback(whole([])) as server:
        answer = answered(server)
    assert (answer.content, answer.message.content) == ("", ())


def test_a_paused_answer_goes_on_when_it_is_sent_back() -> None:
    search = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
    with Loopback(whole([search], "pause_turn"), whole("Done.")) as server:
        subject = model(server)
        paused = subject("Search!")
        assert subject([Message("user", "Search!"), paused.message]).content == "Done."
    assert server.requests[1].json["messages"][1] == {"role": "assistant", "content": [search]}
