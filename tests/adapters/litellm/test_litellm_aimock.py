"""litellm's models against a server that this project didn't write: on the wires of OpenAI, Azure and Anthropic."""

from __future__ import annotations

import asyncio
from typing import Any

import aimock
import pytest
from litellm_calls import QUIET, answered, failed

from modelport.adapters.litellm.model import LiteLLMModel
from modelport.adapters.litellm.router import LiteLLMRouterModel
from modelport.domain.event import ReasoningDelta, TextDelta
from modelport.domain.message import Message, ToolCall, ToolResult
from modelport.domain.request import Request
from modelport.domain.tool import Tool

pytestmark, url = [QUIET, aimock.NEEDED], aimock.url

MODELS = ["openai", "azure", "anthropic", "router"]
WEATHER = [Tool("weather", "Tells the weather.", {"type": "object", "properties": {"city": {"type": "string"}}})]


def model(which: str, address: str) -> Any:
    """A model of this server, on one of its wires."""
    host = address.removesuffix("/v1")
    match which:
        case "openai":
            return LiteLLMModel("openai/gpt-4o", api_base=address, api_key="k")
        case "azure":
            return LiteLLMModel("azure/gpt-4o", api_base=host, api_key="k", api_version="2024-06-01")
        case "anthropic":
            return LiteLLMModel("anthropic/claude-sonnet-4-5", api_base=host, api_key="k", max_tokens=100)
    params = {"model": "openai/gpt-4o", "api_base": address, "api_key": "k"}
    return LiteLLMRouterModel("group", model_list=[{"model_name": "group", "litellm_params": params}])


def asking(words: str, *stops: str) -> Request:
    return Request([Message("user", words)], stops)


@pytest.mark.parametrize("which", MODELS)
def test_it_answers_whole_and_streamed(which: str, url: str) -> None:
    found, streamed, events = answered(model(which, url), asking("say hello"))
    assert found.content == "안녕, friend. 이것은 a greeting 🙂."
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == found.content
    assert len(events) > 10
    assert (streamed.message, streamed.finish_reason, streamed.usage) == (
        found.message,
        found.finish_reason,
        found.usage,
    )
    assert (found.usage is None) == (which == "anthropic")  # it counts nothing on that wire


@pytest.mark.parametrize("which", MODELS)
def test_a_stop_that_it_ignores_is_enforced(which: str, url: str) -> None:
    found, streamed, _ = answered(model(which, url), asking("say hello", "이", "greeting"))
    assert (found.content, found.stopped_by) == ("안녕, friend. ", "이")
    assert (streamed.message, streamed.stopped_by) == (found.message, "이")


@pytest.mark.parametrize("which", MODELS)
def test_reasoning_arrives(which: str, url: str) -> None:
    found, streamed, events = answered(model(which, url), asking("think"))
    assert (found.reasoning, found.content) == ("Two and two.", "Four.")
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == streamed.reasoning
    assert streamed.reasoning == "Two and two."


@pytest.mark.parametrize("which", MODELS)
def test_parallel_calls_of_tools_and_their_history_are_understood(which: str, url: str) -> None:
    found, streamed, _ = answered(model(which, url), Request([Message("user", "weather")], tools=WEATHER))
    assert [call.input["city"] for call in found.tool_calls] == ["Seoul", "Bern"]
    assert [(call.id, call.input) for call in streamed.tool_calls] == [
        (call.id, call.input) for call in found.tool_calls
    ]
    called = Message("assistant", ToolCall("call_9", "weather", "{}"))
    history = [Message("user", "weather"), called, Message("tool", ToolResult("call_9", "rain"))]
    assert answered(model(which, url), Request(history, tools=WEATHER))[0].content == "It rains."


@pytest.mark.parametrize("which", MODELS)
def test_a_stream_that_breaks_off_is_interrupted(which: str, url: str) -> None:
    async def main() -> Any:
        return [event async for event in model(which, url).stream(asking("break off"))][-1]

    last = asyncio.run(main())
    assert last.error.kind == "interrupted"
    assert set(last.partial.content) == {"x"}


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
@pytest.mark.parametrize("which", ["openai", "router"])
def test_a_fault_is_of_this_kind(which: str, question: str, kind: str, url: str) -> None:
    found, last, _ = failed(model(which, url), asking(question))
    assert (found.kind, last.error.kind) == (kind, kind)
