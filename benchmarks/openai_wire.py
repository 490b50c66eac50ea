"""What a call to OpenAI and to Azure costs the client's CPU: ours against the SDK's typed call and a bare aiohttp call.

    python benchmarks/openai_wire.py

One run, all by turns against one fast server in a process of its own, microseconds of `time.process_time`; then calls a
second, 64 and 512 at once. On a busy machine only the ratios mean something.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
import orjson
from openai import AsyncAzureOpenAI, AsyncOpenAI

from modelport.adapters import AzureOpenAIModel, OpenAIModel
from modelport.domain.message import Message
from modelport.domain.request import Request

WORDS = "The quick brown fox jumps over the lazy dog, and nobody minds at all. "
EVENTS = 400
TARGETS = {"1 message": 0.15, "50 messages": 0.02, "500 messages": 0.004, "per event": 0.2}
AT_ONCE = {64: 3000, 512: 3000}


def _answers() -> tuple[bytes, bytes]:
    # The members that OpenAI's own answers have: platform.openai.com/docs/api-reference/chat/object
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 9,
        "total_tokens": 18,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    common = {"id": "chatcmpl-1", "created": 1, "model": "m", "service_tier": "default", "system_fingerprint": "fp_1"}
    message: dict[str, Any] = {"role": "assistant", "content": WORDS, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = json.dumps({**common, "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    events = []
    for at in range(EVENTS + 1):
        delta = {"content": " word"} if at < EVENTS else {}
        part = {"index": 0, "delta": delta, "finish_reason": None if delta else "stop", "logprobs": None}
        event = {**common, "object": "chat.completion.chunk", "choices": [part]}
        data = b"data: %s\n\n" % json.dumps(event).encode()
        events.append(b"%x\r\n%s\r\n" % (len(data), data))
    done = b"data: [DONE]\n\n"
    events.append(b"%x\r\n%s\r\n0\r\n\r\n" % (len(done), done))
    stream_head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + body, stream_head + b"".join(events)


class Fast(asyncio.Protocol):
    """Answers as soon as a request is complete, without reading what it says."""

    whole, streamed = _answers()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport, self.left, self.buffer = transport, 0, b""

    def data_received(self, data: bytes) -> None:
        if not self.left:
            self.buffer += data
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.left, self.tail, self.buffer, data = length, b"", b"", rest
        self.left -= len(data)
        self.tail = (self.tail + data)[-200:]
        if not self.left:
            self.transport.write(self.streamed if b'"stream":true' in self.tail else self.whole)


def serve(port: Connection, answering: type[Fast] = Fast) -> None:
    """The server's process."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(answering, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


async def cpu(call: Callable[[], Awaitable[object]], times: int) -> float:
    """Microseconds of CPU a call."""
    start = time.process_time()
    for _ in range(times):
        await call()
    return (time.process_time() - start) / times * 1e6


Figures = dict[str, tuple[float, ...]]


async def compare(url: str) -> dict[str, Figures]:
    """Ours and the SDK's, by provider and by what is measured."""
    at: Any = {"azure_endpoint": url.removesuffix("/v1"), "api_version": "2024-10-21", "api_key": "k"}
    async with (
        AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client,
        AsyncAzureOpenAI(**at, max_retries=0) as azure,
        aiohttp.ClientSession() as bare,
    ):
        return {
            "OpenAI": await measured(OpenAIModel("m", base_url=url, api_key="k"), client, bare, url),
            "Azure": await measured(AzureOpenAIModel("m", **at), azure, bare, url),
        }


async def measured(
    model: OpenAIModel | AzureOpenAIModel, client: AsyncOpenAI, bare: aiohttp.ClientSession, url: str
) -> Figures:
    """Ours, the SDK's and aiohttp's, by what is measured."""

    async def posted(body: Mapping[str, Any]) -> aiohttp.ClientResponse:
        headers = {"authorization": "Bearer k", "content-type": "application/json"}
        return await bare.post(f"{url}/chat/completions", data=orjson.dumps(body), headers=headers)

    found: Figures = {}
    for count, times in ((1, 40), (50, 15), (500, 4)):
        said = [("user" if at % 2 == 0 else "assistant", WORDS) for at in range(count)]
        request = Request([Message(role, text) for role, text in said])
        plain: Any = [{"role": role, "content": text} for role, text in said]

        async def ours(request: Request = request) -> object:
            return (await model.generate(request)).unwrap()

        async def theirs(plain: Any = plain) -> object:
            return await client.chat.completions.create(model="m", messages=plain)

        async def beneath(plain: Any = plain) -> object:
            return orjson.loads(await (await posted({"model": "m", "messages": plain})).read())

        found[f"{count} message{'s' if count > 1 else ''}"] = await by_turns(times, ours, theirs, beneath)

    question: Any = [{"role": "user", "content": "hi"}]

    async def our_stream() -> object:
        return [event async for event in model.stream(Request([Message("user", "hi")]))]

    async def their_stream() -> object:
        stream = await client.chat.completions.create(model="m", messages=question, stream=True)
        return [chunk async for chunk in stream]

    async def bare_stream() -> object:
        answer = await posted({"model": "m", "messages": question, "stream": True})
        return [orjson.loads(line[6:]) async for line in answer.content if line.startswith(b"data: {")]

    streams = await by_turns(4, our_stream, their_stream, bare_stream)
    found["per event"] = tuple(figure / EVENTS for figure in streams)
    return found


async def by_turns(times: int, *calls: Callable[[], Awaitable[object]], rounds: int = 11) -> tuple[float, ...]:
    """The medians of all, measured alternately after a warm-up."""
    for call in calls:
        await cpu(call, 2)
    turns = [[await cpu(call, times) for call in calls] for _ in range(rounds)]
    return tuple(statistics.median(figures) for figures in zip(*turns, strict=True))


async def together(url: str) -> dict[int, tuple[float, float]]:
    """Calls a second, ours and those of bare aiohttp, by how many are made at once."""
    model = OpenAIModel("m", base_url=url, api_key="k")
    request = Request([Message("user", WORDS)])
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": WORDS}]})
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as bare:

        async def ours() -> object:
            return (await model.generate(request)).unwrap()

        async def beneath() -> object:
            async with bare.post(f"{url}/chat/completions", data=body) as answer:
                return orjson.loads(await answer.read())

        found = {}
        for at_once, calls in AT_ONCE.items():
            rounds = [(await rate(ours, at_once, calls), await rate(beneath, at_once, calls)) for _ in range(3)]
            found[at_once] = (max(one for one, _ in rounds), max(other for _, other in rounds))
        return found


async def rate(call: Callable[[], Awaitable[object]], at_once: int, calls: int) -> float:
    """Calls a second, so many at once."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await call()

    start = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return calls / (time.perf_counter() - start)


def main() -> None:
    """Print the table."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{here.recv()}/v1"
        found, rates = asyncio.run(compare(url)), asyncio.run(together(url))
    finally:
        server.terminate()
        server.join()
    columns = f"{'modelport':>11}{'SDK, typed':>12}{'ratio':>8}{'target':>8}{'aiohttp':>10}{'ratio':>8}"
    print(f"{'client CPU, microseconds':<26}{columns}")
    for provider, figures in found.items():
        for name, (ours, theirs, beneath) in figures.items():
            of_the_sdk = f"{theirs:>12.1f}{ours / theirs:>8.3f}{TARGETS[name]:>8}"
            print(f"{f'{provider}, {name}':<26}{ours:>11.1f}{of_the_sdk}{beneath:>10.1f}{ours / beneath:>8.2f}")
    for at_once, (ours, beneath) in rates.items():
        print(f"{f'calls a second, {at_once} at once':<26}{ours:>11.0f}{'':>28}{beneath:>10.0f}{ours / beneath:>8.2f}")


if __name__ == "__main__":
    main()
