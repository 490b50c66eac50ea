"""What a call over Gemini's wire costs the client's CPU: ours against Google's SDK used by hand.

    python benchmarks/gemini_wire.py

One run, both sides by turns against one fast server in a process of its own, microseconds of `time.process_time`.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

from google import genai

from modelport.adapters import GeminiModel
from modelport.domain.message import Message
from modelport.domain.request import Request

WORDS = "The quick brown fox jumps over the lazy dog, and nobody minds at all. "
EVENTS = 400
TARGETS = {"1 message": 0.2, "50 messages": 0.2, "500 messages": 0.2, "per event": 0.1}


def _answers() -> tuple[bytes, bytes]:
    details = [{"modality": "TEXT", "tokenCount": 9}]
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 18, "promptTokensDetails": details}
    head = {"usageMetadata": usage, "modelVersion": "gemini-2.5-flash", "responseId": "g6bnaYSOCJSxjuMPuJSl0Ao"}

    def said(text: str, **more: Any) -> bytes:
        candidate = {"content": {"parts": [{"text": text}], "role": "model"}, **more, "index": 0}
        return json.dumps({"candidates": [candidate], **head}).encode()

    body = said(WORDS, finishReason="STOP")
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    events = [said(" word")] * EVENTS + [said("", finishReason="STOP")]
    chunks = b"".join(b"%x\r\ndata: %s\r\n\r\n\r\n" % (len(event) + 10, event) for event in events) + b"0\r\n\r\n"
    stream = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return whole, stream + chunks


class _Fast(asyncio.Protocol):
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
            self.answer = self.streamed if b":streamGenerateContent" in head else self.whole
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.left, self.buffer, data = length, b"", rest
        self.left -= len(data)
        if not self.left:
            self.transport.write(self.answer)


def serve(port: Connection) -> None:
    """The server's process."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Fast, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(main())


async def cpu(call: Callable[[], Awaitable[object]], times: int) -> float:
    """Microseconds of CPU a call."""
    start = time.process_time()
    for _ in range(times):
        await call()
    return (time.process_time() - start) / times * 1e6


async def by_turns(
    ours: Callable[[], Awaitable[object]], theirs: Callable[[], Awaitable[object]], times: int, rounds: int = 41
) -> tuple[float, float]:
    """The least of both, measured alternately after a warm-up: what else the machine does only ever adds."""
    await cpu(ours, 2)
    await cpu(theirs, 2)
    pairs = [(await cpu(ours, times), await cpu(theirs, times)) for _ in range(rounds)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


async def compare(url: str) -> dict[str, tuple[float, float]]:
    """Ours and the SDK's, by what is measured."""
    model = GeminiModel("gemini-2.5-flash", base_url=url, api_key="k")
    client: Any = genai.Client(api_key="k", http_options={"base_url": url})
    found: dict[str, tuple[float, float]] = {}
    for count, times in ((1, 40), (50, 15), (500, 4)):
        said = [("user" if at % 2 == 0 else "assistant", WORDS) for at in range(count)]
        request = Request([Message(role, text) for role, text in said])
        plain: Any = [{"role": "user" if role == "user" else "model", "parts": [{"text": it}]} for role, it in said]

        async def ours(request: Request = request) -> object:
            return (await model.generate(request)).unwrap()

        async def theirs(plain: Any = plain) -> object:
            return await client.aio.models.generate_content(model="gemini-2.5-flash", contents=plain)

        found[f"{count} message{'s' if count > 1 else ''}"] = await by_turns(ours, theirs, times)

    hi = Request([Message("user", "hi")])

    async def our_stream() -> object:
        return [event async for event in model.stream(hi)]

    async def their_stream() -> object:
        stream = await client.aio.models.generate_content_stream(model="gemini-2.5-flash", contents="hi")
        return [chunk async for chunk in stream]

    one, other = await by_turns(our_stream, their_stream, 4)
    found["per event"] = (one / EVENTS, other / EVENTS)
    await client.aio.aclose()
    return found


def main() -> None:
    """Print the table."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        found = asyncio.run(compare(f"http://127.0.0.1:{here.recv()}"))
    finally:
        server.terminate()
        server.join()
    print(f"{'client CPU, microseconds':<26}{'modelport':>11}{'SDK by hand':>13}{'ratio':>8}{'target':>8}")
    for name, (one, other) in found.items():
        print(f"{name:<26}{one:>11.1f}{other:>13.1f}{one / other:>8.3f}{TARGETS[name]:>8}")


if __name__ == "__main__":
    main()
