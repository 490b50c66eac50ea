"""What a call to Anthropic costs the client's CPU: ours against the SDK's typed call.

    python benchmarks/anthropic_wire.py

One run, both by turns against one fast server in a process of its own, microseconds of `time.process_time`. On a busy
machine only the ratios mean something.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

from anthropic import AsyncAnthropic

from modelport.adapters import AnthropicModel
from modelport.domain.message import Message
from modelport.domain.request import Request

WORDS = "The quick brown fox jumps over the lazy dog, and nobody minds at all. "
EVENTS = 400
TARGETS = {"1 message": 0.2, "50 messages": 0.2, "500 messages": 0.2, "per event": 0.1}


def _answers() -> tuple[bytes, bytes]:
    # The members that Anthropic's own answers have: platform.claude.com/docs/en/api/messages
    usage = {
        "input_tokens": 9,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 9,
        "service_tier": "standard",
    }
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5"}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    body = json.dumps({**head, "content": [{"type": "text", "text": WORDS}], **end, "usage": usage}).encode()
    begin = {**head, "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    said: list[dict[str, Any]] = [
        {"type": "message_start", "message": begin},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}}
            for _ in range(EVENTS)
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    events = [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in said]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events)
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
    streamed = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n" + chunks
    return whole, streamed + b"0\r\n\r\n"


class _Fast(asyncio.Protocol):
    """Answers as soon as a request is complete, without reading what it says."""

    whole, streamed = _answers()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.left, self.buffer, self.tail = transport, 0, b"", b""

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
            self.transport.write(self.streamed if b'"stream":true' in self.tail.replace(b" ", b"") else self.whole)


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


async def by_turns(times: int, *calls: Callable[[], Awaitable[object]]) -> tuple[float, ...]:
    """The median of several rounds, in which each is measured once."""
    for call in calls:
        await call()
    rounds = [[await cpu(call, times) for call in calls] for _ in range(7)]
    return tuple(map(statistics.median, zip(*rounds, strict=True)))


async def compare(url: str) -> dict[str, tuple[float, ...]]:
    """Ours and the SDK's, by what is measured."""
    model = AnthropicModel("m", base_url=url, api_key="k", max_tokens=9)
    found: dict[str, tuple[float, ...]] = {}
    async with AsyncAnthropic(base_url=url, api_key="k", max_retries=0) as client:
        for count, times in ((1, 40), (50, 15), (500, 4)):
            said = [("user" if at % 2 == 0 else "assistant", WORDS) for at in range(count)]
            request = Request([Message(role, text) for role, text in said])
            plain: Any = [{"role": role, "content": text} for role, text in said]

            async def ours(request: Request = request) -> object:
                return (await model.generate(request)).unwrap()

            async def theirs(plain: Any = plain) -> object:
                return await client.messages.create(model="m", max_tokens=9, messages=plain)

            found[f"{count} message{'s' if count > 1 else ''}"] = await by_turns(times, ours, theirs)

        question: Any = [{"role": "user", "content": "hi"}]
        hi = Request([Message("user", "hi")])

        async def our_stream() -> object:
            return [event async for event in model.stream(hi)]

        async def their_stream() -> object:
            stream = await client.messages.create(model="m", max_tokens=9, messages=question, stream=True)
            return [event async for event in stream]

        both = await by_turns(4, our_stream, their_stream)
        found["per event"] = tuple(each / EVENTS for each in both)
    return found


def main() -> None:
    """Print the table."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        found = asyncio.run(compare(f"http://127.0.0.1:{here.recv()}"))
    finally:
        server.terminate()
        server.join()
    print(f"{'':14}{'ours':>10}{'SDK':>12}{'share':>8}  target")
    for name, (ours, theirs) in found.items():
        share = ours / theirs
        missed = "" if share <= TARGETS[name] else "!"
        print(f"{name:14}{ours:10.1f}{theirs:12.1f}{share:8.3f}  {TARGETS[name]} {missed}")


if __name__ == "__main__":
    main()
