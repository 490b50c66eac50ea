"""litellm's other wires on the loopback: Anthropic with thoughts and cache markers, Azure, Hugging Face, Bedrock."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from litellm_calls import HI, KEY, QUIET, answered, failed, model
from loopback import Answer, Loopback, Seen, body, error, saying, streamed, whole

from modelport import Image, Message, Request, Text, ToolCall, ToolResult, Usage
from modelport.adapters.litellm.model import LiteLLMModel
from modelport.domain.event import Finished, ReasoningDelta, TextDelta
from modelport.domain.tool import Tool

pytestmark = QUIET

SAID: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-real",
    "content": [
        {"type": "thinking", "thinking": "Two and two.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "cmVk"},
        {"type": "text", "text": "Four."},
        {"type": "tool_use", "id": "tu_1", "name": "f", "input": {"a": 1}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 7,
    },
}
THOUGHTS = [
    {"type": "thinking", "thinking": "Two and two.", "signature": "c2ln"},
    {"type": "redacted_thinking", "data": "cmVk"},
]


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def delta(index: int, kind: str, **fields: str) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **fields})


def begun(index: int, **block: Any) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def anthropic(seen: Seen) -> Answer:
    if not seen.json.get("stream"):
        return body(SAID)
    return streamed(
        event("message_start", message={**SAID, "content": [], "stop_reason": None}),
        begun(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="Two and "),
        delta(0, "thinking_delta", thinking="two."),
        delta(0, "signature_delta", signature="c2ln"),
        event("content_block_stop", index=0),
        begun(1, type="redacted_thinking", data="cmVk"),
        event("content_block_stop", index=1),
        begun(2, type="text", text=""),
        delta(2, "text_delta", text="Fo"),
        delta(2, "text_delta", text="ur."),
        event("content_block_stop", index=2),
        begun(3, type="tool_use", id="tu_1", name="f", input={}),
        delta(3, "input_json_delta", partial_json='{"a":'),
        delta(3, "input_json_delta", partial_json=" 1}"),
        event("content_block_stop", index=3),
        event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}, usage={"output_tokens": 5}),
        event("message_stop"),
    )


def claude(server: Loopback, **fields: Any) -> LiteLLMModel:
    return model(server, "anthropic/claude-sonnet-4-5", api_base=server.url.removesuffix("/v1"), **fields)


TOOLS = [Tool("f", "Does something.", {"type": "object", "properties": {}})]


def test_thoughts_calls_and_cached_tokens_of_anthropic_are_read_whole_and_streamed() -> None:
    with Loopback(anthropic) as server:
        found, streamed_one, events = answered(claude(server), Request([Message("user", "hi")], tools=TOOLS))
    assert (found.reasoning, found.content, found.finish_reason) == ("Two and two.", "Four.", "tool_calls")
    assert [(call.id, call.name, call.input) for call in found.tool_calls] == [("tu_1", "f", {"a": 1})]
    assert found.message.metadata["litellm"] == {"thinking_blocks": tuple(THOUGHTS)}
    assert streamed_one.message == found.message
    assert found.usage is not None
    assert attrs.evolve(found.usage, reasoning_tokens=0) == Usage(117, 5, cached_tokens=100, cache_write_tokens=7)
    assert streamed_one.usage == found.usage
    assert found.model_id == streamed_one.model_id == "claude-real"
    assert events[:4] == [ReasoningDelta("Two and "), ReasoningDelta("two."), TextDelta("Fo"), TextDelta("ur.")]


def test_thoughts_go_back_signed_and_markers_mark() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    with Loopback(anthropic) as server:
        first, _, _ = answered(claude(server), Request([Message("user", "hi")], tools=TOOLS))
        said = [
            Message("system", "Be brief.", metadata=marked),
            Message("user", [Text("What is this?", metadata=marked), Image(b"\x89PNG\r\n\x1a\n")]),
            first.message,
            Message("tool", ToolResult("tu_1", "four")),
        ]
        answered(claude(server), Request(said, ["\n", "END"], tools=TOOLS))
    sent = server.requests[-1].json
    assert sent["system"] == [{"type": "text", "text": "Be brief.", **marked}]
    user, assistant, result = sent["messages"]
    assert user["content"][0] == {"type": "text", "text": "What is this?", **marked}
    assert user["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    assert assistant["content"][:2] == THOUGHTS
    assert assistant["content"][-1]["input"] == {"a": 1}
    assert result["content"][0]["tool_use_id"] == "tu_1"
    assert sent["stop_sequences"] == ["END"]  # it refuses a blank one, which is enforced here


def test_one_model_of_anthropic_serves_many_event_loops() -> None:
    """One after the other, and several at once: litellm itself has one client for the streams of all."""

    async def ends(subject: LiteLLMModel, times: int) -> list[type]:
        return [type([event async for event in subject.stream(HI)][-1]) for _ in range(times)]

    with Loopback(anthropic) as server:
        subject = claude(server)
        assert [asyncio.run(ends(subject, 1)) for _ in range(3)] == [[Finished]] * 3
        assert server.connections == 3
        with ThreadPoolExecutor(3) as threads:
            several = threads.map(lambda _: asyncio.run(ends(subject, 10)), range(3))
            assert list(several) == [[Finished] * 10] * 3
        assert server.until(lambda seen: seen.open == 0)


def test_a_stream_of_anthropic_that_was_cut_is_noticed() -> None:
    cut = streamed(
        event("message_start", message={**SAID, "content": [], "stop_reason": None}),
        begun(0, type="text", text=""),
        delta(0, "text_delta", text="Fo"),
    )
    with Loopback(body({}, 500), cut) as server:
        _, last, events = failed(claude(server))
    assert (last.error.kind, events) == ("interrupted", [TextDelta("Fo")])


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (401, "authentication_error", "authentication"),
        (403, "permission_error", "permission"),
        (404, "not_found_error", "not_found"),
        (429, "rate_limit_error", "rate_limited"),
        (500, "api_error", "server"),
        (529, "overloaded_error", "overloaded"),
    ],
)
def test_a_refusal_of_anthropic_is_of_this_kind(status: int, kind: str, expected: str) -> None:
    refusal = body({"type": "error", "error": {"type": kind, "message": f"no {KEY}"}}, status, retry_after="3")
    with Loopback(refusal) as server:
        found, last, _ = failed(claude(server))
    assert (found.kind, found.status, found.retry_after, found.sent) == (expected, status, 3.0, "yes")
    assert (last.error.kind, last.error.status, len(server.requests)) == (expected, status, 2)
    assert KEY not in f"{found!r} {last!r}"
    address = server.url.removesuffix("/v1")
    assert found.message == (f"{address}: no ***" if status == 404 else "no ***")


def test_a_prompt_that_is_too_long_for_anthropic_is_told_by_its_words() -> None:
    words = "prompt is too long: 300000 tokens > 200000 maximum"
    with Loopback(body({"type": "error", "error": {"type": "invalid_request_error", "message": words}}, 400)) as server:
        found, last, _ = failed(claude(server))
    assert (found.kind, last.error.kind) == ("context_window", "context_window")


def test_azure_is_reached_at_its_deployment() -> None:
    with Loopback(saying("Hello!")) as server:
        subject = model(server, "azure/dep", api_base=server.url.removesuffix("/v1"), api_version="2024-06-01")
        found, streamed_one, _ = answered(subject)
    assert found.content == streamed_one.content == "Hello!"
    assert server.requests[0].path == "/openai/deployments/dep/chat/completions?api-version=2024-06-01"
    assert server.requests[0].headers["api-key"] == KEY


def test_hugging_face_is_reached_at_an_endpoint() -> None:
    with Loopback(saying("Hello!"), saying("Hello!"), error(402)) as server:
        found, streamed_one, _ = answered(model(server, "huggingface/org/x"))
        poor, _, _ = failed(model(server, "huggingface/org/x"))
    assert found.content == streamed_one.content == "Hello!"
    assert server.requests[0].path == "/v1/chat/completions"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert poor.kind == "quota_exhausted"


def test_bedrock_is_reached_by_converse() -> None:
    answer = {
        "output": {"message": {"role": "assistant", "content": [{"text": "Hello!"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
        "metrics": {"latencyMs": 1},
    }
    with Loopback(body(answer), Answer(0, then="reset")) as server:
        address = server.url.removesuffix("/v1")
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": KEY, "aws_region_name": "us-east-1"}
        subject = LiteLLMModel(
            "bedrock/converse/anthropic.claude-3-haiku-20240307-v1:0", aws_bedrock_runtime_endpoint=address, **keys
        )
        found = subject("hi", max_tokens=5)
    assert (found.content, found.usage) == ("Hello!", Usage(7, 3))
    assert server.requests[0].path.startswith("/model/anthropic.claude-3-haiku-20240307-v1")
    assert server.requests[0].json["inferenceConfig"] == {"maxTokens": 5}
    assert KEY not in repr(subject)


def test_a_call_of_a_tool_keeps_what_its_provider_wants_back() -> None:
    """Gemini's signatures stand on the calls."""
    own = {"provider_specific_fields": {"thought_signature": "c2ln"}}
    history = [
        Message("user", "hi"),
        Message("assistant", ToolCall("c1", "f", {}, metadata={"litellm": own})),
        Message("tool", ToolResult("c1", "four")),
    ]
    with Loopback(whole()) as server:
        answered_once = model(server)(history, tools=TOOLS)
    assert answered_once.content == "Hello!"
    assert set(server.requests[0].json) == {"model", "messages", "tools"}  # and nothing that is meant for litellm
    assert (
        server.requests[0].json["messages"][1]["tool_calls"][0]["provider_specific_fields"]
        == own["provider_specific_fields"]
    )


def test_a_refused_connection_of_another_wire_was_never_sent() -> None:
    with Loopback(whole()) as server:
        pass
    found, last, _ = failed(claude(server), HI)
    assert (found.kind, found.sent, last.error.kind) == ("connection", "no", "connection")


def test_litellms_own_http_client_sends_a_request_once() -> None:
    """It connects once more where nobody listens; what was sent is not sent again."""
    with Loopback(Answer(0, then="reset")) as server:
        found, last, _ = failed(claude(server))
    assert (found.kind, found.sent, last.error.kind, len(server.requests)) == (
        "interrupted",
        "perhaps",
        "interrupted",
        2,
    )
