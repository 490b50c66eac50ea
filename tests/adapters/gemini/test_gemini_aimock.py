"""`GeminiModel` against a server that this project didn't write (`tests/kit/wires/aimock.py`)."""

from __future__ import annotations

import asyncio
from typing import Any

import aimock
import pytest

from modelport.adapters.gemini.model import GeminiModel
from modelport.domain.error import ErrorKind, ModelError
from modelport.domain.event import Event, Failed, Finished, ReasoningDelta, TextDelta
from modelport.domain.message import Message, ToolCall, ToolResult
from modelport.domain.request import Request
from modelport.domain.response import FinishReason
from modelport.domain.tool import Tool

pytestmark, url = aimock.NEEDED, aimock.url


def ask(url: str, question: str | Request, **fields: Any) -> tuple[Any, list[Event]]:
    """The whole answer or its error, and the stream of another one. It knows the beta alone."""
    request = question if isinstance(question, Request) else Request([Message("user", question)])
    model = GeminiModel("gemini-2.5-flash", base_url=url.removesuffix("/v1") + "/v1beta", api_key="k", **fields)

    async def main() -> tuple[Any, list[Event]]:
        result = await model.generate(request)
        events = [event async for event in model.stream(request)]
        return result.value_or(None) or result.failure(), events

    return asyncio.run(main())


def test_it_answers_whole_and_streamed(url: str) -> None:
    found, events = ask(url, "say hello")
    assert (found.content, found.finish_reason) == ("안녕, friend. 이것은 a greeting 🙂.", FinishReason.STOP)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == found.content
    assert len(events) > 10
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.response.message, last.response.finish_reason) == (found.message, found.finish_reason)
    assert last.response.usage == found.usage


def test_a_stop_that_it_ignores_is_enforced(url: str) -> None:
    found, events = ask(url, Request([Message("user", "say hello")], ["이", "greeting"]))
    assert (found.content, found.stopped_by) == ("안녕, friend. ", "이")
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.response.message, last.response.stopped_by) == (found.message, "이")


def test_reasoning_arrives(url: str) -> None:
    found, events = ask(url, "think")
    assert (found.reasoning, found.content) == ("Two and two.", "Four.")
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "Two and two."


def test_a_length_is_told(url: str) -> None:
    found, events = ask(url, "be brief")
    assert found.finish_reason == FinishReason.LENGTH
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.response.finish_reason == FinishReason.LENGTH


def test_parallel_calls_of_tools_arrive(url: str) -> None:
    """It ends them with a reason that Gemini hasn't."""
    request = Request([Message("user", "weather")], tools=[Tool("weather", "Tells the weather.")])
    found, events = ask(url, request)
    assert [(call.id, call.input["city"]) for call in found.tool_calls] == [("call_1", "Seoul"), ("call_2", "Bern")]
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.response.tool_calls == found.tool_calls


def test_a_history_of_tools_is_understood(url: str) -> None:
    history = [
        Message("user", "weather"),
        Message("assistant", ToolCall("call_9", "weather", "{}")),
        Message("tool", ToolResult("call_9", "rain")),
    ]
    found, _ = ask(url, Request(history, tools=[Tool("weather")]))
    assert found.content == "It rains."


def test_a_stream_that_breaks_off_is_interrupted(url: str) -> None:
    _, events = ask(url, "break off")
    last = events[-1]
    assert isinstance(last, Failed)
    assert last.error.kind == ErrorKind.INTERRUPTED
    assert last.partial is not None
    assert set(last.partial.content) == {"x"}


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("fail with 503 overloaded", "overloaded"),
        ("garble", "malformed_response"),
        ("hang up", "interrupted"),
        ("slow down", "rate_limited"),
        ("something that no fixture knows", "not_found"),
    ],
)
def test_a_fault_is_of_this_kind(url: str, question: str, kind: str) -> None:
    found, events = ask(url, question)
    last = events[-1]
    assert isinstance(found, ModelError)
    assert isinstance(last, Failed)
    assert (found.kind, last.error.kind) == (kind, kind)
