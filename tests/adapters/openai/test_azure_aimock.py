"""`AzureOpenAIModel` against a server that this project didn't write, beside the SDK's own client."""

from __future__ import annotations

import asyncio
from typing import Any

import aimock
import pytest

from modelport.adapters.openai.azure import AzureOpenAIModel
from modelport.domain.error import ErrorKind, ModelError
from modelport.domain.event import Event, Failed, Finished, TextDelta
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.tool import Tool

pytestmark, url = aimock.NEEDED, aimock.url


def at(address: str) -> dict[str, Any]:
    return {"azure_endpoint": address.removesuffix("/v1"), "api_version": "2024-10-21", "api_key": "k"}


def ask(address: str, question: str | Request, **fields: Any) -> tuple[Any, list[Event]]:
    """The whole answer or its error, and the stream of another one."""
    request = question if isinstance(question, Request) else Request([Message("user", question)])
    model = AzureOpenAIModel("chat", **at(address), **fields)

    async def main() -> tuple[Any, list[Event]]:
        result = await model.generate(request)
        events = [event async for event in model.stream(request)]
        return result.value_or(None) or result.failure(), events

    return asyncio.run(main())


def test_it_reads_what_the_client_by_hand_reads(url: str) -> None:
    async def by_hand() -> Any:
        from openai import AsyncAzureOpenAI

        async with AsyncAzureOpenAI(**at(url)) as client:
            return await client.chat.completions.create(
                model="chat", messages=[{"role": "user", "content": "say hello"}]
            )

    whole = asyncio.run(by_hand())
    found, events = ask(url, "say hello")
    assert found.content == whole.choices[0].message.content
    assert found.finish_reason == whole.choices[0].finish_reason
    assert found.usage.input_tokens == whole.usage.prompt_tokens
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == found.content
    assert isinstance(events[-1], Finished)
    assert (events[-1].response.message, events[-1].response.usage) == (found.message, found.usage)


def test_a_stop_that_it_ignores_is_enforced(url: str) -> None:
    found, events = ask(url, Request([Message("user", "say hello")], ["이", "greeting"]))
    assert (found.content, found.stopped_by) == ("안녕, friend. ", "이")
    assert isinstance(events[-1], Finished)
    assert (events[-1].response.message, events[-1].response.stopped_by) == (found.message, "이")


def test_parallel_calls_of_tools_arrive(url: str) -> None:
    request = Request([Message("user", "weather")], tools=[Tool("weather", "Tells the weather.")])
    found, events = ask(url, request)
    assert [call.input["city"] for call in found.tool_calls] == ["Seoul", "Bern"]
    assert isinstance(events[-1], Finished)
    assert events[-1].response.tool_calls == found.tool_calls


def test_a_stream_that_breaks_off_is_interrupted(url: str) -> None:
    _, events = ask(url, "break off")
    assert isinstance(events[-1], Failed)
    assert events[-1].error.kind == ErrorKind.INTERRUPTED


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("fail with 400 context_length_exceeded", "context_window"),
        ("fail with 429 insufficient_quota", "quota_exhausted"),
        ("fail with 503 overloaded", "overloaded"),
        ("garble", "malformed_response"),
        ("hang up", "interrupted"),
        ("slow down", "rate_limited"),
    ],
)
def test_a_fault_is_of_this_kind(url: str, question: str, kind: str) -> None:
    found, events = ask(url, question)
    assert isinstance(found, ModelError)
    assert isinstance(events[-1], Failed)
    assert (found.kind, events[-1].error.kind, found.provider) == (kind, kind, "azure")
