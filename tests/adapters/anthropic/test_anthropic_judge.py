"""Anthropic's own SDK is the judge: it sends what we send, its types take it, and it reads what our tests answer.

Each conversation stands here twice: as ours, and as Anthropic's documentation writes it for the SDK.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs
import pytest
from conformance import CALLS, CLOCK, PICTURE, WEATHER
from hypothesis import given
from hypothesis import strategies as st
from loopback import Loopback, streamed
from messages_wire import BEGIN, PING, ask, begin, delta, ending, listen, start, stop, text, whole

from modelport import Document, Finished, Image, JsonSchema, Message, Reasoning, Request, Response, Text, Tool, ToolCall
from modelport import ToolResult as Result

pytest.importorskip("anthropic", reason="anthropic, Anthropic's own SDK, isn't installed here")

MARK = {"cache_control": {"type": "ephemeral"}}
LONG_MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
PDF = b"%PDF-1.7 nothing"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED = {**SCHEMA, "additionalProperties": False}


def own(**fields: Any) -> dict[str, Any]:
    return {"anthropic": fields}


def said(role: Any, *parts: Any, **fields: Any) -> Message:
    return Message(role, parts[0] if len(parts) == 1 and isinstance(parts[0], str) else parts, **fields)


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content[0] if len(content) == 1 else list(content)}


def model(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content[0] if len(content) == 1 else list(content)}


def words(said: str, **fields: Any) -> dict[str, Any]:
    return {"type": "text", "text": said, **fields}


def b64(media_type: str, data: bytes) -> dict[str, Any]:
    return {"type": "base64", "media_type": media_type, "data": base64.b64encode(data).decode()}


def call(id: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": arguments}


def result(id: str, *content: Any, **fields: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, **({"content": list(content)} if content else {}), **fields}


SEEN = {"type": "image", "source": b64("image/gif", PICTURE.data or b"")}
TOOL = {"name": "weather", "description": "The weather to come.", "input_schema": WEATHER.parameters}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}
CITED = {
    "type": "char_location",
    "cited_text": "The grass is green.",
    "document_index": 0,
    "document_title": "Grass",
    "start_char_index": 0,
    "end_char_index": 19,
}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
NONE = {"name": "clock", "description": "The time.", "input_schema": CLOCK.parameters}
ASKED, CALLED = said("user", "The weather?"), said("assistant", CALLS[0])
ASKED_OF_SDK, CALLED_OF_SDK = user("The weather?"), model([call("call_1", "weather", city="서울")])
HELLO, HELLO_OF_SDK = said("user", "Hello, Claude"), user("Hello, Claude")


class Twice(NamedTuple):
    """A conversation as ours, with its request's and its model's fields, and as the SDK's."""

    messages: list[Message]
    sdk: dict[str, Any]
    fields: Mapping[str, Any] = MappingProxyType({})
    options: Mapping[str, Any] = MappingProxyType({})


def messages(*these: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": list(these), **more}


CONVERSATIONS: dict[str, Twice] = {
    "hello": Twice([HELLO], messages(HELLO_OF_SDK)),
    "several turns": Twice(
        [said("user", "Hello there."), said("assistant", "Hi, I'm Claude."), said("user", "Explain LLMs.")],
        messages(user("Hello there."), model("Hi, I'm Claude."), user("Explain LLMs.")),
    ),
    "a beginning of the answer": Twice(
        [said("user", "The Greek name for Sun?"), said("assistant", "The best answer is (")],
        messages(user("The Greek name for Sun?"), model("The best answer is (")),
    ),
    "a system prompt": Twice([said("system", "Be brief."), HELLO], messages(HELLO_OF_SDK, system="Be brief.")),
    "two system prompts": Twice(
        [said("system", "Be brief."), said("system", "Be kind."), HELLO],
        messages(HELLO_OF_SDK, system=[words("Be brief."), words("Be kind.")]),
    ),
    "a marked system prompt": Twice(
        [said("system", "The law: ...", metadata=MARK), HELLO],
        messages(HELLO_OF_SDK, system=[words("The law: ...", **MARK)]),
    ),
    "one side twice": Twice(
        [said("user", "Hello."), said("user", "Are you there?")],
        messages(user(words("Hello."), words("Are you there?"))),
    ),
    "several texts": Twice([said("user", Text("a"), Text("b"))], messages(user(words("a"), words("b")))),
    "letters of everywhere": Twice([said("user", '안녕 "🙂"\n')], messages(user('안녕 "🙂"\n'))),
    "a picture": Twice([said("user", PICTURE, Text("What is it?"))], messages(user(SEEN, words("What is it?")))),
    "a JPEG": Twice(
        [said("user", Image(b"\xff\xd8\xff", media_type="image/jpg"), Text("And this?"))],
        messages(user({"type": "image", "source": b64("image/jpeg", b"\xff\xd8\xff")}, words("And this?"))),
    ),
    "a picture elsewhere": Twice(
        [said("user", Image(url="https://example.com/a.png"), Text("?"))],
        messages(user({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}, words("?"))),
    ),
    "a picture in its address": Twice(
        [said("user", Image(url=f"data:image/gif;base64,{SEEN['source']['data']}"), Text("?"))],
        messages(user(SEEN, words("?"))),
    ),
    "a PDF": Twice(
        [said("user", Document(PDF, name="Q3"), Text("Sum it up."))],
        messages(
            user(
                {"type": "document", "source": b64("application/pdf", PDF), "title": "Q3"},
                words("Sum it up."),
            )
        ),
    ),
    "a PDF elsewhere": Twice(
        [said("user", Document(url="https://example.com/a.pdf"), Text("?"))],
        messages(user({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}, words("?"))),
    ),
    "a text to cite from": Twice(
        [
            said(
                "user",
                Document(
                    b"The grass is green.",
                    media_type="text/plain",
                    name="Grass",
                    metadata=own(citations={"enabled": True}, context="A trustworthy one."),
                ),
                Text("What colour?"),
            )
        ],
        messages(
            user(
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "The grass is green."},
                    "title": "Grass",
                    "context": "A trustworthy one.",
                    "citations": {"enabled": True},
                },
                words("What colour?"),
            )
        ),
    ),
    "an uploaded file": Twice(
        [said("user", Document(b"", metadata=own(source={"type": "file", "file_id": "file_1"})), Text("?"))],
        messages(user({"type": "document", "source": {"type": "file", "file_id": "file_1"}}, words("?"))),
        options={"betas": ["files-api-2025-04-14"]},
    ),
    "an answer with citations": Twice(
        [
            said("user", "What colour?"),
            said(
                "assistant",
                Text(
                    "Green.",
                    metadata=own(citations=[CITED]),
                ),
            ),
            said("user", "And the sky?"),
        ],
        messages(
            user("What colour?"),
            model(
                [
                    words(
                        "Green.",
                        citations=[CITED],
                    )
                ]
            ),
            user("And the sky?"),
        ),
    ),
    "a tool": Twice([ASKED], messages(ASKED_OF_SDK, tools=[TOOL]), {"tools": [WEATHER]}),
    "a strict tool": Twice(
        [ASKED],
        messages(
            ASKED_OF_SDK,
            tools=[{**TOOL, "strict": True, "input_schema": {**WEATHER.parameters, "additionalProperties": False}}],
        ),
        {"tools": [attrs.evolve(WEATHER, strict=True)]},
    ),
    "a tool without a description": Twice(
        [ASKED],
        messages(ASKED_OF_SDK, tools=[{"name": "f", "input_schema": {"type": "object", "properties": {}}}]),
        {"tools": [Tool("f")]},
    ),
    "a tool of choice": Twice(
        [ASKED],
        messages(ASKED_OF_SDK, tools=[TOOL, NONE], tool_choice={"type": "tool", "name": "clock"}),
        {"tools": [WEATHER, CLOCK], "tool_choice": "clock"},
    ),
    "any tool": Twice(
        [ASKED],
        messages(ASKED_OF_SDK, tools=[TOOL], tool_choice={"type": "any"}),
        {"tools": [WEATHER], "tool_choice": "required"},
    ),
    "no tool": Twice(
        [ASKED],
        messages(ASKED_OF_SDK, tools=[TOOL], tool_choice={"type": "none"}),
        {"tools": [WEATHER], "tool_choice": "none"},
    ),
    "one tool after the other": Twice(
        [ASKED],
        messages(ASKED_OF_SDK, tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
        {"tools": [WEATHER]},
        {"parallel_tool_calls": False},
    ),
    "a result": Twice(
        [ASKED, CALLED, said("tool", Result("call_1", "sunny"))],
        messages(ASKED_OF_SDK, CALLED_OF_SDK, user([result("call_1", words("sunny"))]), tools=[TOOL]),
        {"tools": [WEATHER]},
    ),
    "a result that is an error": Twice(
        [ASKED, CALLED, said("tool", Result("call_1", "no such city", is_error=True))],
        messages(
            ASKED_OF_SDK, CALLED_OF_SDK, user([result("call_1", words("no such city"), is_error=True)]), tools=[TOOL]
        ),
        {"tools": [WEATHER]},
    ),
    "a result without a word": Twice(
        [ASKED, CALLED, said("tool", Result("call_1"))],
        messages(ASKED_OF_SDK, CALLED_OF_SDK, user([result("call_1")]), tools=[TOOL]),
        {"tools": [WEATHER]},
    ),
    "a result with a picture and a document": Twice(
        [ASKED, CALLED, said("tool", Result("call_1", (Text("See:"), PICTURE, Document(PDF))))],
        messages(
            ASKED_OF_SDK,
            CALLED_OF_SDK,
            user([result("call_1", words("See:"), SEEN, {"type": "document", "source": b64("application/pdf", PDF)})]),
            tools=[TOOL],
        ),
        {"tools": [WEATHER]},
    ),
    "parallel calls": Twice(
        [
            ASKED,
            said("assistant", Text("Let me look."), *CALLS),
            said("tool", Result("call_1", "sunny")),
            said("tool", Result("call_2", "noon")),
            said("user", "Thanks."),
        ],
        messages(
            ASKED_OF_SDK,
            model([words("Let me look."), call("call_1", "weather", city="서울"), call("call_2", "clock")]),
            user([result("call_1", words("sunny")), result("call_2", words("noon")), words("Thanks.")]),
            tools=[TOOL, NONE],
        ),
        {"tools": [WEATHER, CLOCK]},
    ),
    "thoughts with their signatures": Twice(
        [
            ASKED,
            said(
                "assistant",
                Reasoning("A city.", metadata=own(signature="c2ln")),
                Reasoning("", metadata=own(redacted="c2Vj")),
                Reasoning("And another.", metadata=own(signature="bmVk")),
                CALLS[0],
            ),
            said("tool", Result("call_1", "sunny")),
        ],
        messages(
            ASKED_OF_SDK,
            model(
                [
                    {"type": "thinking", "thinking": "A city.", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "c2Vj"},
                    {"type": "thinking", "thinking": "And another.", "signature": "bmVk"},
                    call("call_1", "weather", city="서울"),
                ]
            ),
            user([result("call_1", words("sunny"))]),
            tools=[TOOL],
            thinking={"type": "adaptive", "display": "summarized"},
        ),
        {"tools": [WEATHER]},
        {"thinking": {"type": "adaptive", "display": "summarized"}},
    ),
    "a thinking budget": Twice(
        [HELLO],
        messages(HELLO_OF_SDK, thinking={"type": "enabled", "budget_tokens": 2000}, max_tokens=18_000),
        options={"thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    "markers": Twice(
        [
            said("user", Text("The law: ...", metadata=LONG_MARK), Text("Who may?")),
            said("assistant", "Everyone.", metadata=MARK),
            said("user", "And when?"),
        ],
        messages(
            user([words("The law: ...", **LONG_MARK), words("Who may?")]),
            model([words("Everyone.", **MARK)]),
            user("And when?"),
        ),
    ),
    "a marker of the whole": Twice(
        [HELLO],
        messages(HELLO_OF_SDK, cache_control={"type": "ephemeral"}),
        options={"cache_control": {"type": "ephemeral"}},
    ),
    "a form": Twice(
        [HELLO],
        messages(HELLO_OF_SDK, output_config={"format": {"type": "json_schema", "schema": CLOSED}}),
        {"response_format": JsonSchema(SCHEMA)},
    ),
    "a form and an effort": Twice(
        [HELLO],
        messages(HELLO_OF_SDK, output_config={"effort": "low", "format": {"type": "json_schema", "schema": CLOSED}}),
        {"response_format": JsonSchema(SCHEMA)},
        {"reasoning_effort": "low"},
    ),
    "stops": Twice([HELLO], messages(HELLO_OF_SDK, stop_sequences=["이", "END"]), {"stop_sequences": ["이", "END"]}),
    "few tokens": Twice([HELLO], messages(HELLO_OF_SDK, max_tokens=20), options={"max_tokens": 20}),
    "who asks, and how fast": Twice(
        [HELLO],
        messages(HELLO_OF_SDK, metadata={"user_id": "u-1"}, service_tier="standard_only"),
        options={"metadata": {"user_id": "u-1"}, "service_tier": "standard_only"},
    ),
    "a tool of the server's": Twice(
        [ASKED],
        messages(ASKED_OF_SDK, tools=[TOOL, {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]),
        {"tools": [WEATHER]},
        {"extra_body": {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 5}]}},
    ),
    "a search of the server's, sent back": Twice(
        [
            said("user", "Who is it?"),
            said(
                "assistant",
                Text("", metadata=own(block=SEARCH)),
                Text("", metadata=own(block=FOUND)),
                Text("Nobody."),
            ),
            said("user", "Sure?"),
        ],
        messages(
            user("Who is it?"),
            model([SEARCH, FOUND, words("Nobody.")]),
            user("Sure?"),
        ),
    ),
}


def test_there_are_forty_conversations() -> None:
    assert len(CONVERSATIONS) >= 40


def plain(body: Any) -> Any:
    """A body in which each text is a block, as the documentation says that it is short for."""
    return {
        **body,
        **({"system": _blocks(body["system"])} if "system" in body else {}),
        "messages": [{**message, "content": _blocks(message["content"])} for message in body["messages"]],
    }


def _blocks(content: Any) -> Any:
    return [words(content)] if isinstance(content, str) else content


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_sdk_sends_what_we_send(name: str, stream: bool) -> None:
    """The same body, up to the order of its members, and the same headers that say what is spoken."""
    from anthropic import AsyncAnthropic

    twice = CONVERSATIONS[name]
    request = Request(twice.messages, **twice.fields, options=twice.options)
    theirs = {"model": "claude-sonnet-5-5", "max_tokens": 16_000, **twice.sdk}
    headers = {"anthropic-beta": ",".join(twice.options["betas"])} if "betas" in twice.options else {}

    async def sdk(url: str) -> None:
        async with AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client:
            answer: Any = await client.messages.create(**theirs, stream=stream, extra_headers=headers)
            if stream:
                assert [event async for event in answer]

    answer = streamed(BEGIN, start(words("")), text("Hi"), stop(), *ending()) if stream else whole("Hi")
    with Loopback(answer) as server:
        if stream:
            assert isinstance(listen(server, request, api_key="k")[-1], Finished)
        else:
            assert isinstance(ask(server, request, api_key="k"), Response)
        asyncio.run(sdk(server.url.removesuffix("/v1")))
    ours, judged = server.requests
    expected = plain(judged.json)
    if not stream:
        expected.pop("stream")  # what is false there is left out here
    assert ours.json == expected
    assert (ours.method, ours.path) == (judged.method, judged.path)
    for header in ("anthropic-version", "anthropic-beta", "authorization", "content-type"):
        assert ours.headers.get(header) == judged.headers.get(header)


TOOL_CALL = call("toolu_1", "weather", city="서울")
ANSWERS: dict[str, list[dict[str, Any]]] = {
    "text": [words("Hello!")],
    "a thought": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, words("Hello!")],
    "a secret thought": [{"type": "redacted_thinking", "data": "c2Vj"}, words("Hello!")],
    "calls": [words("Let me look."), TOOL_CALL, call("toolu_2", "clock")],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_sdk_reads_what_our_tests_answer(name: str) -> None:
    """Else our reader might agree with our tests alone."""
    from anthropic import AsyncAnthropic

    content = ANSWERS[name]
    reason = "tool_use" if name == "calls" else "end_turn"

    async def main(url: str) -> tuple[Any, Any]:
        async with AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client:
            asked: Any = {"model": "m", "max_tokens": 9, "messages": [HELLO_OF_SDK]}
            answer = await client.messages.create(**asked)
            async with client.messages.stream(**asked) as stream:
                return answer, await stream.get_final_message()

    with Loopback(whole(content, reason), streamed(begin(), *events(content), *ending(reason))) as server:
        answer, final = asyncio.run(main(server.url.removesuffix("/v1")))
        ours = ask(server)
    for read in (answer, final):
        dumped = [block.model_dump(exclude_none=True) for block in read.content]
        assert [{name: it for name, it in block.items() if name != "parsed_output"} for block in dumped] == content
        assert (read.stop_reason, read.usage.input_tokens, read.usage.output_tokens) == (reason, 7, 3)
    assert isinstance(ours, Response)


def events(content: list[dict[str, Any]]) -> list[bytes]:
    """The events of these blocks."""
    out: list[bytes] = []
    for at, block in enumerate(content):
        match block["type"]:
            case "text":
                out += [start(words(""), at), text(block["text"], at)]
            case "thinking":
                out += [start({"type": "thinking", "thinking": "", "signature": ""}, at)]
                out += [delta("thinking_delta", at, thinking=block["thinking"])]
                out += [delta("signature_delta", at, signature=block["signature"])]
            case "tool_use":
                out += [start({**block, "input": {}}, at)]
                out += [delta("input_json_delta", at, partial_json=json.dumps(block["input"]))]
            case _:
                out += [start(block, at)]
        out += [PING, stop(at)]
    return out


LETTERS = st.text("ab가😀 \n", max_size=20)


@given(st.lists(LETTERS.filter(str.strip), min_size=1, max_size=4), st.dictionaries(LETTERS, LETTERS, max_size=2))
def test_any_conversation_is_one_that_the_sdk_has_a_type_for(texts: list[str], arguments: dict[str, str]) -> None:
    """Its types, as pydantic checks them, with no member that they don't name."""
    from anthropic.types import MessageCreateParams
    from pydantic import TypeAdapter

    from modelport.adapters.anthropic.request import encode

    said = [Message("user" if at % 2 == 0 else "assistant", text) for at, text in enumerate(texts)]
    said += [Message("assistant", ToolCall("a", "f", arguments)), Message("tool", Result("a", texts[0]))]
    body = json.loads(encode(Request(said, tools=[Tool("f")]), "m", {}))
    TypeAdapter[Any](MessageCreateParams).validate_python(body)
