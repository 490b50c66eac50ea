"""The official SDK judges: for the same conversation its body and ours are the same JSON, and it reads our answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import pytest
import responses_wire as wire
from conformance import CALLS, CLOCK, PICTURE, SCHEMA, SEEN_PICTURE, WEATHER
from loopback import Loopback
from openai_calls import KEY
from responses_calls import model

from modelport import (
    OMIT,
    Audio,
    Capabilities,
    Document,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    Reasoning,
    Request,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)

pytestmark = pytest.mark.skipif(find_spec("openai") is None, reason="the openai SDK isn't installed here")

OWN = "openai-responses"
HI = [Message("user", "Hi")]
HI_SENT: dict[str, Any] = {"role": "user", "content": "Hi"}
CALLED = {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": '{"city":"서울"}'}
CALLED_2 = {"type": "function_call", "call_id": "call_2", "name": "clock", "arguments": "{}"}
SIGHT = {"type": "input_image", "image_url": f"data:image/gif;base64,{SEEN_PICTURE}", "detail": "auto"}
THOUGHT = wire.reasoning("I see.", encrypted="c2VjcmV0")
SAID = {"id": "msg_1", "type": "message", "role": "assistant"}
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}
CITED = {"type": "url_citation", "start_index": 0, "end_index": 2, "title": "x", "url": "https://x.org"}


def own(**fields: Any) -> dict[str, Any]:
    return {OWN: fields}


def result(*parts: Any, **fields: Any) -> Message:
    return Message("tool", ToolResult("call_1", parts, **fields))


def output(value: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": "call_1", "output": value}


CONVERSATIONS: dict[str, tuple[list[Message], list[Any]]] = {
    "a question": (HI, [HI_SENT]),
    "a system": (
        [Message("system", "Be brief."), *HI],
        [{"role": "system", "content": "Be brief."}, HI_SENT],
    ),
    "an empty question": ([Message("user", [])], [{"role": "user", "content": []}]),
    "two texts": (
        [Message("user", [Text("Hi"), Text("there")])],
        [{"role": "user", "content": [{"type": "input_text", "text": t} for t in ("Hi", "there")]}],
    ),
    "a text with a breakpoint of the cache": (
        [Message("user", Text("Hi", metadata=own(prompt_cache_breakpoint={"mode": "explicit"})))],
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Hi", "prompt_cache_breakpoint": {"mode": "explicit"}},
                ],
            }
        ],
    ),
    "a picture": ([Message("user", PICTURE)], [{"role": "user", "content": [SIGHT]}]),
    "a picture elsewhere": (
        [Message("user", Image(url="https://x.org/a.png", detail="low"))],
        [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.org/a.png", "detail": "low"}]}],
    ),
    "a document": (
        [Message("user", Document(b"%PDF", name="a.pdf"))],
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}
                ],
            }
        ],
    ),
    "a document without a name": (
        [Message("user", Document(b"%PDF"))],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "input_file",
                        "filename": "document.pdf",
                        "file_data": "data:application/pdf;base64,JVBERg==",
                    }
                ],
            }
        ],
    ),
    "a document elsewhere": (
        [Message("user", Document(url="https://x.org/a.pdf"))],
        [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x.org/a.pdf"}]}],
    ),
    "a sound, which others take": (
        [Message("user", Audio(b"RIFF", media_type="audio/mpeg"))],
        [
            {
                "role": "user",
                "content": [{"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}}],
            }
        ],
    ),
    "an answer of another provider": (
        [*HI, Message("assistant", [Reasoning("Hm."), Text("Hello!")])],
        [HI_SENT, {"role": "assistant", "content": "Hello!"}],
    ),
    "an answer with a picture, which only a user can show": (
        [*HI, Message("assistant", [Text("Look!"), PICTURE])],
        [HI_SENT, {"role": "assistant", "content": "Look!"}, {"role": "user", "content": [SIGHT]}],
    ),
    "a call and its result": (
        [*HI, Message("assistant", CALLS[0]), result(Text("sunny"))],
        [HI_SENT, CALLED, output("sunny")],
    ),
    "parallel calls": (
        [*HI, Message("assistant", CALLS), result(Text("sunny")), Message("tool", ToolResult("call_2", "noon"))],
        [
            HI_SENT,
            CALLED,
            CALLED_2,
            output("sunny"),
            {"type": "function_call_output", "call_id": "call_2", "output": "noon"},
        ],
    ),
    "a call without arguments, and an id that is too long": (
        [*HI, Message("assistant", ToolCall("x" * 65, "clock", ""))],
        [
            HI_SENT,
            CALLED_2 | {"call_id": "9537c5fdf120482f7d58d25e9ed583f52c02b4e304ea814db1633ad565aed7e9"},
        ],
    ),
    "a result that is an error": (
        [*HI, Message("assistant", CALLS[0]), result(Text("no such city"), is_error=True)],
        [HI_SENT, CALLED, output("Error: no such city")],
    ),
    "a result with a picture": (
        [*HI, Message("assistant", CALLS[0]), result(Text("look"), PICTURE)],
        [HI_SENT, CALLED, output([{"type": "input_text", "text": "look"}, SIGHT])],
    ),
    "a result with a picture that is an error": (
        [*HI, Message("assistant", CALLS[0]), result(PICTURE, is_error=True)],
        [HI_SENT, CALLED, output([{"type": "input_text", "text": "Error: "}, SIGHT])],
    ),
    "a result beside words": (
        [*HI, Message("assistant", CALLS[0]), Message("user", [ToolResult("call_1", "sunny"), Text("So?")])],
        [HI_SENT, CALLED, output("sunny"), {"role": "user", "content": "So?"}],
    ),
    "a result that a user brings": (
        [*HI, Message("assistant", CALLS[0]), Message("user", ToolResult("call_1", "sunny"))],
        [HI_SENT, CALLED, output("sunny")],
    ),
    "an answer of its own, with reasoning": (
        [
            *HI,
            Message(
                "assistant",
                [
                    Reasoning("I see.", metadata=own(item=THOUGHT)),
                    Text("Hi", metadata=own(item=SAID, annotations=[CITED])),
                    Text("No.", metadata=own(item=SAID, type="refusal")),
                ],
            ),
        ],
        [
            HI_SENT,
            THOUGHT,
            {
                **SAID,
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": "Hi", "annotations": [CITED]},
                    {"type": "refusal", "refusal": "No."},
                ],
            },
        ],
    ),
    "a call of its own, with reasoning, and what the server did": (
        [
            *HI,
            Message(
                "assistant",
                [
                    Reasoning("", metadata=own(item=SEARCH)),
                    Reasoning("I see.", metadata=own(item=THOUGHT)),
                    ToolCall("call_1", "weather", '{"city":"서울"}', metadata=own(id="fc_1")),
                ],
            ),
            result(Text("sunny")),
        ],
        [HI_SENT, SEARCH, THOUGHT, {**CALLED, "id": "fc_1"}, output("sunny")],
    ),
    "a custom tool": (
        [
            *HI,
            Message("assistant", ToolCall("call_1", "run", "print(1)", metadata=own(type="custom_tool_call"))),
            result(Text("1")),
        ],
        [
            HI_SENT,
            {"type": "custom_tool_call", "call_id": "call_1", "name": "run", "input": "print(1)"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "1"},
        ],
    ),
    "two messages of one answer": (
        [
            *HI,
            Message(
                "assistant",
                [
                    Text("One.", metadata=own(item={**SAID, "phase": "commentary"})),
                    Text("Two.", metadata=own(item={**SAID, "id": "msg_2", "phase": "final_answer"})),
                ],
            ),
        ],
        [
            HI_SENT,
            *(
                {
                    **SAID,
                    "id": id_,
                    "phase": phase,
                    "status": "completed",
                    "content": [{"type": "output_text", "text": text, "annotations": []}],
                }
                for id_, phase, text in (("msg_1", "commentary", "One."), ("msg_2", "final_answer", "Two."))
            ),
        ],
    ),
}

FUNCTION = {
    "type": "function",
    "name": "weather",
    "description": "The weather to come.",
    "parameters": WEATHER.parameters,
    "strict": False,
}
FORMAT = {"type": "json_schema", "name": "answer", "schema": SCHEMA, "strict": True}
ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any], Mapping[str, Any]]] = {
    "tools": ({"tools": [WEATHER]}, {}, {"tools": [FUNCTION]}),
    "a strict tool": (
        {"tools": [Tool("clock", "The time.", CLOCK.parameters, strict=True)]},
        {},
        {
            "tools": [
                {
                    "type": "function",
                    "name": "clock",
                    "description": "The time.",
                    "parameters": CLOCK.parameters,
                    "strict": True,
                }
            ]
        },
    ),
    "a tool without a description, and a choice": (
        {"tools": [Tool("clock")], "tool_choice": "required"},
        {},
        {
            "tools": [{"type": "function", "name": "clock", "parameters": Tool("clock").parameters, "strict": False}],
            "tool_choice": "required",
        },
    ),
    "the choice of one tool": (
        {"tools": [WEATHER], "tool_choice": "weather"},
        {},
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "weather"}},
    ),
    "the server's own tools": (
        {"tools": [WEATHER]},
        {"extra_body": {"tools": [{"type": "web_search"}]}},
        {"tools": [FUNCTION, {"type": "web_search"}]},
    ),
    "the server's own tools alone, and a choice of them": (
        {},
        {"extra_body": {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}},
        {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}},
    ),
    "a JSON object": ({"response_format": JsonObject()}, {}, {"text": {"format": {"type": "json_object"}}}),
    "a schema": ({"response_format": JsonSchema(SCHEMA, "answer")}, {}, {"text": {"format": FORMAT}}),
    "a schema with a description, and a verbosity": (
        {"response_format": JsonSchema(SCHEMA, "answer", "A colour.", strict=False)},
        {"verbosity": "low"},
        {"text": {"verbosity": "low", "format": {**FORMAT, "description": "A colour.", "strict": False}}},
    ),
    "numbers": (
        {},
        {"max_tokens": 16, "temperature": 0.5, "top_p": 0.9},
        {"max_output_tokens": 16, "temperature": 0.5, "top_p": 0.9},
    ),
    "an effort": ({}, {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
    "an effort beside a summary": (
        {},
        {"reasoning_effort": "low", "reasoning": {"summary": "auto"}},
        {"reasoning": {"effort": "low", "summary": "auto"}},
    ),
    "a summary before an effort": (
        {},
        {"reasoning": {"summary": "auto"}, "reasoning_effort": "low"},
        {"reasoning": {"effort": "low", "summary": "auto"}},
    ),
    "reasoning alone": ({}, {"reasoning": {"summary": "auto"}}, {"reasoning": {"summary": "auto"}}),
    "a conversation that the server keeps": (
        {},
        {"previous_response_id": "resp_0", "store": True},
        {"previous_response_id": "resp_0", "store": True},
    ),
    "an answer that it doesn't keep": ({}, {"store": False}, {"store": False}),
    "log probabilities": ({}, {"logprobs": True}, {"include": [ENCRYPTED, LOGPROBS]}),
    "several log probabilities": (
        {},
        {"include": OMIT, "top_logprobs": 2},
        {"include": [LOGPROBS], "top_logprobs": 2},
    ),
    "what else is to be included": (
        {},
        {"include": ["web_search_call.action.sources"], "truncation": "auto"},
        {"include": ["web_search_call.action.sources"], "truncation": "auto"},
    ),
    "what belongs to the account": (
        {},
        {"metadata": {"team": "red"}, "service_tier": "flex", "safety_identifier": "u-1", "prompt_cache_key": "k"},
        {"metadata": {"team": "red"}, "service_tier": "flex", "safety_identifier": "u-1", "prompt_cache_key": "k"},
    ),
    "what no option says": (
        {},
        {"extra_body": {"prompt": {"id": "pmpt_1"}, "store": False}},
        {"prompt": {"id": "pmpt_1"}, "store": False},
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback(wire.saying("Hello!")) as server:
        yield server


def bodies(
    server: Loopback, request: Request, options: dict[str, Any], theirs: Mapping[str, Any], *, stream: bool
) -> tuple[Any, Any]:
    """What we send, and what the SDK does."""
    from openai import AsyncOpenAI

    capabilities = Capabilities(tools=True, images=True, audio=True, documents=True, json_object=True, json_schema=True)

    async def main() -> None:
        ours = model(server, capabilities=capabilities, **options)
        if stream:
            assert len([event async for event in ours.stream(request)]) > 2
        else:
            assert (await ours.generate(request)).unwrap().content == "Hello!"
        async with AsyncOpenAI(base_url=server.url, api_key=KEY, max_retries=0) as client:
            answer: Any = await client.responses.create(model="gpt-5", **theirs, **({"stream": True} if stream else {}))
            if stream:
                *_, last = [event async for event in answer]
                assert last.type == "response.completed"
                answer = last.response
            assert answer.output_text == "Hello!"
            assert answer.usage.total_tokens == 10

    before = len(server.requests)
    asyncio.run(main())
    ours, sdks = server.requests[before:]
    assert (ours.path, ours.headers["authorization"]) == (sdks.path, sdks.headers["authorization"])
    return ours.json, sdks.json


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_is_sent_as_the_sdk_sends_it(name: str, server: Loopback) -> None:
    messages, sent = CONVERSATIONS[name]
    ours, sdks = bodies(server, Request(messages), {}, {"input": sent, "include": [ENCRYPTED]}, stream=False)
    assert ours == sdks


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_sent_as_the_sdk_sends_them(name: str, server: Loopback) -> None:
    fields, options, sent = OPTIONS[name]
    theirs = {"input": [HI_SENT], **({"include": [ENCRYPTED]} if options.get("include") is None else {}), **sent}
    ours, sdks = bodies(server, Request(HI, **fields), options, theirs, stream=True)
    assert ours == sdks


def test_there_are_forty_and_more() -> None:
    assert len(CONVERSATIONS) + len(OPTIONS) >= 40
