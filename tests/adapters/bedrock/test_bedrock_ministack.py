"""Bedrock as others have understood it: MiniStack's Converse and ConverseStream, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from bedrock_wire import KEYS, MODEL, heard

from modelport import Finished, TextDelta, Tool
from modelport.adapters import AmazonBedrockModel
from modelport.domain.message import Document, Image, Message, Reasoning, Text, ToolCall, ToolResult
from modelport.domain.request import Request

pytest.importorskip("ministack", reason="MiniStack isn't installed here: pip install ministack")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": port, "SERVICES": "bedrock-runtime"}
    with subprocess.Popen(
        [sys.executable, "-m", "ministack"],
        env={**os.environ, **where, "PYTHONUNBUFFERED": "1"},
        cwd=tmp_path_factory.mktemp("ministack"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        said: list[str] = []
        try:
            assert server.stdout is not None
            for line in server.stdout:
                said.append(line)
                if "Running on" in line:
                    break
            else:
                pytest.fail("".join(said))
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.communicate(timeout=20)


REQUEST = Request(
    [
        Message("system", "Be brief."),
        Message(
            "user",
            [
                Text("What is the weather there?"),
                Image(b"\x89PNG\r\n\x1a\n"),
                Document(b"%PDF-1.7", name="cities.pdf", metadata={"cache_control": {"type": "ephemeral"}}),
            ],
        ),
        Message(
            "assistant",
            [
                Reasoning("Two calls.", metadata={"bedrock": {"signature": "c2ln"}}),
                ToolCall("c1", "weather", '{"city": "서울"}'),
                ToolCall("c2", "weather", '{"city": "Busan"}'),
            ],
        ),
        Message("tool", ToolResult("c1", "sunny")),
        Message("tool", ToolResult("c2", "no such city", is_error=True)),
    ],
    ["END"],
    tools=[Tool("weather", "The weather.")],
    options={"max_tokens": 50, "temperature": 0.1, "top_k": 3},
)


@pytest.mark.parametrize("model_id", [MODEL, "us.amazon.nova-lite-v1:0", "meta.llama3-1-8b-instruct-v1:0"])
def test_it_answers_whole_and_streamed_alike(address: str, model_id: str) -> None:
    async def main() -> tuple[Any, list[Any]]:
        model = AmazonBedrockModel(model_id, endpoint_url=address, **KEYS)
        return (await model.generate(REQUEST)).unwrap(), await heard(model.stream(REQUEST))

    whole, events = asyncio.run(main())
    *shown, last = events
    assert isinstance(last, Finished)
    assert "ministack mock" in whole.content
    assert "".join(event.text for event in shown if isinstance(event, TextDelta)) == whole.content
    assert (last.response.message, last.response.finish_reason) == (whole.message, whole.finish_reason)
    assert whole.finish_reason == "stop"
    for response in (whole, last.response):
        assert response.usage is not None
        assert response.usage.input_tokens > 0
        assert response.response_id


def test_a_stop_ends_the_text_that_it_says(address: str) -> None:
    async def main() -> tuple[Any, list[Any]]:
        model = AmazonBedrockModel(MODEL, endpoint_url=address, **KEYS)
        request = Request([Message("user", "hi")], ["reply"])
        return (await model.generate(request)).unwrap(), await heard(model.stream(request))

    whole, events = asyncio.run(main())
    last = events[-1]
    assert isinstance(last, Finished)
    assert whole.content == last.response.content
    assert whole.stopped_by == last.response.stopped_by == "reply"
    assert "reply" not in whole.content


def test_what_it_refuses_is_understood(address: str) -> None:
    arn = "arn:aws:bedrock:us-east-1:000000000000:nothing/x"
    found = asyncio.run(AmazonBedrockModel(arn, endpoint_url=address, **KEYS).generate(REQUEST)).failure()
    assert (found.kind, found.code, found.status, found.sent) == ("not_found", "ValidationException", 400, "yes")
    assert arn in found.message
