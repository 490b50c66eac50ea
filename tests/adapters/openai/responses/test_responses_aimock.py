"""`OpenAIResponsesModel` against a server that this project didn't write (`tests/kit/wires/aimock.py`)."""

from __future__ import annotations

import asyncio
from typing import Any

import aimock
import pytest

from modelport.adapters import OpenAIResponsesModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed, Finished, ReasoningDelta, TextDelta
from modelport.domain.message import Message, ToolCall, ToolResult
from modelport.domain.request import Request
from modelport.domain.tool import Tool

pytestmark, url = aimock.NEEDED, aimock.url


def ask(url: str, question: str | Request, **fields: Any) -> tuple[Any, list[Event]]:
    """The whole answer or its error, and the stream of another one."""
    request = question if isinstance(question, Request) else Request([Message("user", question)])
    model = OpenAIResponsesModel("gpt-5", base_url=url, api_key="k", **fields)

    async def main() -> tuple[Any, list[Event]]:
        result = await model.generate(request)
        events = [event async for event in model.stream(request)]
        return result.value_or(None) or result.failure(), events

    return asyncio.run(main())


def finished(events: list[Event]) -> Any:
    last = events[-1]
    assert isinstance(last, Finished), last
    return last.response


def test_it_answers_whole_and_streamed(url: str) -> None:
    found, events = ask(url, "say hello")
    assert (found.content, found.finish_reason) == ("안녕, friend. 이것은 a greeting 🙂.", "stop")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == found.content
    assert len(events) > 10
    assert (finished(events).content, finished(events).finish_reason) == (found.content, "stop")
    assert found.usage is not None


def test_a_stop_is_enforced(url: str) -> None:
    found, events = ask(url, Request([Message("user", "say hello")], ["이", "greeting"]))
    assert (found.content, found.stopped_by) == ("안녕, friend. ", "이")
    assert (finished(events).content, finished(events).stopped_by) == ("안녕, friend. ", "이")


def test_reasoning_arrives(url: str) -> None:
    found, events = ask(url, "think")
    assert (found.reasoning, found.content) == ("Two and two.", "Four.")
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "Two and two."
    assert (finished(events).reasoning, finished(events).content) == ("Two and two.", "Four.")


def test_parallel_calls_of_tools_arrive(url: str) -> None:
    request = Request([Message("user", "weather")], tools=[Tool("weather", "Tells the weather.")])
    found, events = ask(url, request)
    assert [call.input["city"] for call in found.tool_calls] == ["Seoul", "Bern"]
    assert found.finish_reason == "tool_calls"
    assert [(call.id, call.input) for call in finished(events).tool_calls] == [
        (call.id, call.input) for call in found.tool_calls
    ]


def test_a_history_of_tools_is_understood(url: str) -> None:
    history = [
        Message("user", "weather"),
        Message("assistant", ToolCall("call_9", "weather", "{}")),
        Message("tool", ToolResult("call_9", "rain")),
    ]
    found, _ = ask(url, Request(history, tools=[Tool("weather")]))
    assert found.content == "It rains."


def test_an_answer_goes_back_with_all_that_came(url: str) -> None:
    """Reasoning and text as items with their ids."""
    found, _ = ask(url, "think")
    said = [Message("user", "think"), found.message, Message("user", "say hello")]
    again, events = ask(url, Request(said))
    assert again.content == finished(events).content == "안녕, friend. 이것은 a greeting 🙂."


def test_a_stream_that_breaks_off_is_interrupted(url: str) -> None:
    _, events = ask(url, "break off")
    last = events[-1]
    assert isinstance(last, Failed)
    assert last.error.kind == "interrupted"


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
    last = events[-1]
    assert isinstance(found, ModelError)
    assert isinstance(last, Failed)
    assert (found.kind, last.error.kind) == (kind, kind)
