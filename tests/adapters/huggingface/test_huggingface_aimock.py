"""`InferenceClientModel` against a server that this project didn't write, beside the SDK's own client."""

from __future__ import annotations

import asyncio
from typing import Any

import aimock
import pytest

from modelport.adapters.huggingface.model import InferenceClientModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed, Finished, ReasoningDelta, TextDelta
from modelport.domain.message import Message, ToolCall, ToolResult
from modelport.domain.request import Request
from modelport.domain.tool import Tool

pytest.importorskip("huggingface_hub")
pytestmark, url = aimock.NEEDED, aimock.url


def ask(address: str, question: str | Request) -> tuple[Any, list[Event]]:
    """The whole answer or its error, and the stream of another one."""
    request = question if isinstance(question, Request) else Request([Message("user", question)])
    model = InferenceClientModel("org/name", base_url=address, token="hf_x")

    async def main() -> tuple[Any, list[Event]]:
        result = await model.generate(request)
        events = [event async for event in model.stream(request)]
        return result.value_or(None) or result.failure(), events

    return asyncio.run(main())


def test_it_reads_what_the_client_by_hand_reads(url: str) -> None:
    async def by_hand() -> tuple[Any, str]:
        from huggingface_hub import AsyncInferenceClient

        says = [{"role": "user", "content": "say hello"}]
        async with AsyncInferenceClient(base_url=url, token="hf_x") as client:
            whole = await client.chat_completion(says, model="org/name")
            stream = await client.chat_completion(says, model="org/name", stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        return whole, "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16")  # it cuts a character in two

    whole, streamed = asyncio.run(by_hand())
    found, events = ask(url, "say hello")
    assert found.content == whole.choices[0].message.content == streamed
    assert found.finish_reason == whole.choices[0].finish_reason
    assert found.usage.input_tokens == whole.usage.prompt_tokens
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == streamed
    assert isinstance(events[-1], Finished)
    assert (events[-1].response.message, events[-1].response.usage) == (found.message, found.usage)


def test_a_stop_that_it_ignores_is_enforced(url: str) -> None:
    found, events = ask(url, Request([Message("user", "say hello")], ["이", "greeting"]))
    assert (found.content, found.stopped_by) == ("안녕, friend. ", "이")
    assert isinstance(events[-1], Finished)
    assert (events[-1].response.message, events[-1].response.stopped_by) == (found.message, "이")


def test_reasoning_arrives(url: str) -> None:
    found, events = ask(url, "think")
    assert (found.reasoning, found.content) == ("Two and two.", "Four.")
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "Two and two."


def test_parallel_calls_of_tools_and_their_history_are_understood(url: str) -> None:
    tool = Tool("weather", "Tells the weather.")
    found, events = ask(url, Request([Message("user", "weather")], tools=[tool]))
    assert [call.input["city"] for call in found.tool_calls] == ["Seoul", "Bern"]
    assert isinstance(events[-1], Finished)
    assert events[-1].response.tool_calls == found.tool_calls
    called = Message("assistant", ToolCall("call_9", "weather", "{}"))
    history = [Message("user", "weather"), called, Message("tool", ToolResult("call_9", "rain"))]
    assert ask(url, Request(history, tools=[tool]))[0].content == "It rains."


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("fail with 400 context_length_exceeded", "context_window"),
        ("fail with 429 insufficient_quota", "quota_exhausted"),
        ("fail with 503 overloaded", "overloaded"),
        ("garble", "malformed_response"),
        ("hang up", "interrupted"),
        ("slow down", "rate_limited"),
        ("something that no fixture knows", "not_found"),
    ],
)
def test_a_fault_is_of_this_kind(url: str, question: str, kind: str) -> None:
    found, events = ask(url, question)
    assert isinstance(found, ModelError)
    assert isinstance(events[-1], Failed)
    assert (found.kind, events[-1].error.kind) == (kind, kind)
