"""What a call over Bedrock's wire costs the client's CPU: ours against boto3 used by hand, in a thread as it must be.

    python benchmarks/bedrock_wire.py

One run, both sides by turns against one fast server in a process of its own, microseconds of `time.process_time`, which
counts all threads. By hand is `await asyncio.to_thread(client.converse, ...)`, and a thread that reads
`converse_stream` and hands each event to the loop.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

import boto3
from botocore.config import Config

from modelport.adapters import AmazonBedrockModel
from modelport.domain.message import Message
from modelport.domain.request import Request

WORDS = "The quick brown fox jumps over the lazy dog, and nobody minds at all. "
EVENTS = 400
KEYS: Any = {"region_name": "us-east-1", "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "none"}


def _frame(name: str, payload: Any) -> bytes:
    head = b""
    for key, value in ((":event-type", name), (":content-type", "application/json"), (":message-type", "event")):
        head += bytes([len(key)]) + key.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    data = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(data), len(head))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + data
    return whole + struct.pack(">I", zlib.crc32(whole))


def _answers() -> tuple[bytes, bytes]:
    usage = {"inputTokens": 9, "outputTokens": 9, "totalTokens": 18}
    message = {"role": "assistant", "content": [{"text": WORDS}]}
    answer = {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 9}}
    body = json.dumps(answer).encode()
    more = "date: Mon, 02 Nov 2026 10:00:00 GMT\r\nx-amzn-requestid: 0f1e2d3c-0000-4000-8000-000000000000\r\n"
    head = f"HTTP/1.1 200 OK\r\n{more}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    # Real events are padded so that their length tells nothing of their words.
    said = {"contentBlockIndex": 0, "delta": {"text": " word"}, "p": "abcdefghijklmnopqrstuvwx"}
    events = [_frame("messageStart", {"role": "assistant"}), *([_frame("contentBlockDelta", said)] * EVENTS)]
    events.append(_frame("contentBlockStop", {"contentBlockIndex": 0}))
    events.append(_frame("messageStop", {"stopReason": "end_turn"}))
    events.append(_frame("metadata", {"usage": usage, "metrics": {"latencyMs": 9}}))
    kind = "content-type: application/vnd.amazon.eventstream\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"
    return head + body, f"HTTP/1.1 200 OK\r\n{more}{kind}".encode() + chunks


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
            self.answer = self.streamed if b"/converse-stream" in head else self.whole
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


async def compare(url: str) -> dict[str, tuple[float, float]]:
    """Ours and the SDK's, by what is measured."""
    model = AmazonBedrockModel("amazon.nova-lite-v1:0", endpoint_url=url, **KEYS)
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    client: Any = boto3.client("bedrock-runtime", endpoint_url=url, config=config, **KEYS)
    found: dict[str, tuple[float, float]] = {}
    for count, times in ((1, 10), (50, 5), (500, 1)):
        said = [("user" if at % 2 == 0 else "assistant", WORDS) for at in range(count)]
        request = Request([Message(role, text) for role, text in said])
        plain: Any = [{"role": role, "content": [{"text": text}]} for role, text in said]

        async def ours(request: Request = request) -> object:
            return (await model.generate(request)).unwrap()

        async def theirs(plain: Any = plain) -> object:
            return await asyncio.to_thread(client.converse, modelId="amazon.nova-lite-v1:0", messages=plain)

        found[f"{count} message{'s' if count > 1 else ''}"] = await by_turns(ours, theirs, times)

    question: Any = [{"role": "user", "content": [{"text": "hi"}]}]
    hi = Request([Message("user", "hi")])

    async def our_stream() -> object:
        return [event async for event in model.stream(hi)]

    async def their_stream() -> object:
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Any] = asyncio.Queue()

        def read() -> None:
            answer = client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=question)
            for event in answer["stream"]:
                loop.call_soon_threadsafe(arrived.put_nowait, event)
            loop.call_soon_threadsafe(arrived.put_nowait, None)

        reading = asyncio.create_task(asyncio.to_thread(read))
        events = []
        while (event := await arrived.get()) is not None:
            events.append(event)
        await reading
        return events

    def their_loop() -> object:
        return list(client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=question)["stream"])

    async def in_one_go() -> object:
        return await asyncio.to_thread(their_loop)

    one, other = await by_turns(our_stream, their_stream, 1)
    found["per event"] = (one / EVENTS, other / EVENTS)
    one, other = await by_turns(our_stream, in_one_go, 1)
    found["per event, theirs unseen"] = (one / EVENTS, other / EVENTS)
    client.close()
    return found


async def by_turns(
    ours: Callable[[], Awaitable[object]], theirs: Callable[[], Awaitable[object]], times: int, rounds: int = 81
) -> tuple[float, float]:
    """The least of both, measured alternately after a warm-up: what else the machine does only ever adds."""
    await cpu(ours, 2)
    await cpu(theirs, 2)
    pairs = [(await cpu(ours, times), await cpu(theirs, times)) for _ in range(rounds)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


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
    print(f"{'client CPU, microseconds':<26}{'modelport':>11}{'boto3':>12}{'ratio':>8}{'target':>8}")
    for name, (one, other) in found.items():
        print(f"{name:<26}{one:>11.1f}{other:>12.1f}{one / other:>8.3f}{0.4:>8}")


if __name__ == "__main__":
    main()
