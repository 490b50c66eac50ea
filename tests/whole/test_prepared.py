"""Each model behind an API prepares a conversation as it was told to: other roles, plain text, its own options."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from bedrock_provider import BedrockProvider
from chat_provider import ChatProvider
from conformance import CALLS, PICTURE, WEATHER, Exchange, in_order
from gemini_provider import GeminiProvider
from loopback import Loopback
from messages_provider import MessagesProvider
from responses_provider import ResponsesProvider
from subjects import each, why_not_here

from modelport import Message, Model, Request, Response, Text, ToolResult, adapters

ARGUMENTS: Mapping[str, Callable[[Loopback], dict[str, Any]]] = {
    "OpenAIModel": lambda server: {"model_id": "m-1", "base_url": server.url, "api_key": "none"},
    "OpenAIResponsesModel": lambda server: {"model_id": "m-1", "base_url": server.url, "api_key": "none"},
    "AzureOpenAIModel": lambda server: {
        "model_id": "m-1",
        "azure_endpoint": server.url.removesuffix("/v1"),
        "api_version": "2024-10-21",
        "api_key": "none",
    },
    "InferenceClientModel": lambda server: {"model_id": "org/m-1", "base_url": server.url, "token": "none"},
    "LiteLLMModel": lambda server: {"model_id": "openai/m-1", "api_base": server.url, "api_key": "none"},
    "LiteLLMRouterModel": lambda server: {
        "model_id": "group",
        "model_list": [
            {
                "model_name": "group",
                "litellm_params": {"model": "openai/m-1", "api_base": server.url, "api_key": "none"},
            }
        ],
    },
    "AnthropicModel": lambda server: {"model_id": "m-1", "base_url": server.url, "api_key": "none"},
    "AmazonBedrockModel": lambda server: {
        "model_id": "anthropic.claude-sonnet-4-20250514-v1:0",
        "endpoint_url": server.url.removesuffix("/v1"),
        "region_name": "us-east-1",
        "aws_access_key_id": "none",
        "aws_secret_access_key": "none",
    },
    "GeminiModel": lambda server: {
        "model_id": "gemini-2.5-flash",
        "base_url": server.url.removesuffix("/v1"),
        "api_key": "none",
    },
}


PROVIDERS: Mapping[str, Callable[[Callable[[Loopback], Model]], AbstractContextManager[Any]]] = {
    "AmazonBedrockModel": BedrockProvider,
    "AnthropicModel": MessagesProvider,
    "GeminiModel": GeminiProvider,
    "OpenAIResponsesModel": ResponsesProvider,
}
"""Who speaks another wire than that of chat completions."""


@contextmanager
def told(name: str, **fields: Any) -> Iterator[Exchange]:
    """The adapter of this name with these arguments, before its provider."""
    reason = why_not_here(name)
    if reason is not None:
        pytest.skip(reason)

    def make(server: Loopback) -> Model:
        made: Model = getattr(adapters, name)(**ARGUMENTS[name](server), **fields)
        return made

    with PROVIDERS.get(name, ChatProvider)(make) as ready:
        yield ready.replying(Response.of("Fine."))


def roles(body: Mapping[str, Any]) -> list[str]:
    """Who speaks, in the domain's words."""
    said = [message["role"] for message in body.get("messages") or body.get("contents") or body["input"]]
    return ["assistant" if role == "model" else role for role in said]


SYSTEM = Message("system", "Be brief.")
ASKED = Message("user", [Text("How is"), Text("the weather?")])


@pytest.mark.parametrize("name", each(ARGUMENTS))
def test_a_role_is_sent_for_another_as_one_turn(name: str) -> None:
    with told(name, custom_role_conversions={"system": "user"}) as exchange:
        assert exchange.answered(Request([SYSTEM, ASKED])) is not None
    for body in exchange.seen():
        assert roles(body) == ["user"]
        assert not {"system", "systemInstruction"} & body.keys()
        in_order(json.dumps(body), "Be brief.", "How is", "the weather?")


@pytest.mark.parametrize("name", each(ARGUMENTS))
def test_a_server_without_tools_reads_them_as_text(name: str) -> None:
    """The conversions that smolagents has for such servers."""
    said = [ASKED, Message("assistant", CALLS[0]), Message("tool", ToolResult("call_1", "sunny", "weather"))]
    with told(name, custom_role_conversions={"tool-call": "assistant", "tool-response": "user"}) as exchange:
        assert exchange.answered(Request(said)) is not None
    for body, sent in zip(exchange.seen(), exchange.carried(), strict=True):
        assert roles(body) == ["user", "assistant", "user"]
        words = set(json.dumps(body).split('"'))
        wires = {"tool_calls", "tool_call_id", "toolUse", "toolResult", "functionCall", "functionResponse"}
        assert not {*wires, "function_call", "call_id"} & words
        in_order(sent, "<tool_call>", "call_1", "서울", "</tool_call>", "<tool_response>", "sunny", "</tool_response>")


@pytest.mark.parametrize("name", each(ARGUMENTS))
def test_content_is_flattened_and_what_can_not_be_is_not_sent(name: str) -> None:
    with told(name, flatten_messages_as_text=True) as exchange:
        refused = exchange.both(Request([Message("user", [Text("Look."), PICTURE])], tools=[WEATHER]))
        assert not isinstance(refused, tuple)
        assert (refused.kind, refused.sent, exchange.seen()) == ("unsupported", "no", [])
        assert "messages[0].content[1]: an Image can't be flattened to text" in refused.message
        assert exchange.answered(Request([SYSTEM, ASKED])) is not None
    for sent in exchange.carried():
        assert "Be brief." in sent
        assert "How is\\nthe weather?" in sent


@pytest.mark.parametrize("name", each(ARGUMENTS))
def test_a_conversion_that_can_not_be_meant_is_refused_where_it_is_written(name: str) -> None:
    expected = pytest.raises(ValueError, match=f"{name}: custom_role_conversions: unknown role 'robot'")
    with expected, told(name, custom_role_conversions={"robot": "user"}):
        pass
