"""What many streams cost one process, and what they leave behind.

    python benchmarks/streams.py [LEFT] [AT_ONCE] [SECONDS]

First LEFT streams (10,000), of which a third are closed, dropped or cancelled at every point: connections, tasks,
threads and memory afterwards. Then AT_ONCE streams (1,000) at once of 20 events a second, for SECONDS (10): how late
the event loop is, how late an event is, CPU and memory. The server has a process of its own. On a busy machine all are
late.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import socket
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kit"))
from leaving import ROUND, leave_all

from modelport import TextDelta, as_request
from modelport.adapters import HttpTransport, OpenAIModel

RATE: Final = 20  # events a second
SLOTS: Final = 10  # the streams take turns within each of its 50 ms, as streams of different beginnings do
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
PARTS: Final = 5


def event(text: str, finish: str | None = None) -> bytes:
    """One event in one chunk of HTTP."""
    delta = {"content": text} if text else {}
    data = {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    body = b"data: %s\n\n" % json.dumps(data).encode()
    return b"%x\r\n%s\r\n" % (len(body), body)


END: Final = event("", "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
SHORT: Final = HEAD + b"".join(map(event, ("One ", "two ", "three ", "four ", "five."))) + END
HALF: Final = HEAD + event("One ") + event("two ")


class Speaking(asyncio.Protocol):
    """Says a short answer, half of one, or something 20 times a second, as it is asked to."""

    connected = 0
    slots: tuple[set[asyncio.Transport], ...] = tuple(set() for _ in range(SLOTS))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport, self.said = transport, b""
        Speaking.connected += 1

    def connection_lost(self, exc: Exception | None) -> None:
        Speaking.connected -= 1
        for slot in self.slots:
            slot.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.said += data
        if self.said.count(b"}") == 0 or not self.said.rstrip().endswith(b"}"):
            return
        said, self.said = self.said, b""
        if b'"content":"tick"' in said:
            self.transport.write(HEAD)
            min(self.slots, key=len).add(self.transport)
        else:
            self.transport.write(HALF if b'"content":"wait"' in said else SHORT)


async def _tick() -> None:
    due = time.monotonic()
    while True:
        for slot in Speaking.slots:
            due += 1 / RATE / SLOTS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            packet = event(f"{time.monotonic():.6f} ")
            for transport in tuple(slot):
                transport.write(packet)


def serve(line: Connection) -> None:
    """The server's process; whatever is sent over the line is answered with the connections that it has."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Speaking, "127.0.0.1", 0, backlog=2048)
        line.send(server.sockets[0].getsockname()[1])
        ticking = loop.create_task(_tick())
        loop.add_reader(line.fileno(), lambda: (line.recv(), line.send(Speaking.connected)))
        await ticking

    asyncio.run(main())


def resident() -> float:
    """MiB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20


async def left(url: str, line: Connection, count: int) -> None:
    """Print what is left of many streams that are left."""
    transport = HttpTransport()
    models = [OpenAIModel("m", base_url=url, api_key="k", transport=transport)]
    await leave_all(models, 4 * ROUND, at_once=64)
    before, objects, threads, steps = resident(), len(gc.get_objects()), threading.active_count(), []
    begun = time.monotonic()
    for _ in range(PARTS):
        await leave_all(models, count // PARTS, at_once=64)
        steps.append(f"{resident() - before:+.1f}")
    seconds = time.monotonic() - begun
    tasks = len(asyncio.all_tasks()) - 1
    await transport.close()
    await asyncio.sleep(0.5)
    line.send("how many?")
    print(f"{count} streams, a third of them left, in {seconds:.1f} s")
    print(f"  connections, tasks, threads more: {line.recv()}, {tasks}, {threading.active_count() - threads}")
    gc.collect()
    print(f"  objects more: {len(gc.get_objects()) - objects}; MiB more after each fifth: {', '.join(steps)}")


async def together(url: str, count: int, seconds: float) -> None:
    """Print what many streams at once cost."""
    model = OpenAIModel("m", base_url=url, api_key="k", transport=HttpTransport())
    before, lags, delays, heard = resident(), [], [], 0
    measuring = asyncio.Event()

    async def read() -> None:
        nonlocal heard
        async for each in model.stream(as_request("tick")):
            if measuring.is_set() and isinstance(each, TextDelta):
                heard += 1
                delays.append(time.monotonic() - float(each.text))

    async def lag() -> None:
        while True:
            due = time.monotonic() + 0.005
            await asyncio.sleep(0.005)
            if measuring.is_set():
                lags.append(time.monotonic() - due)

    tasks = [asyncio.create_task(lag()), *(asyncio.create_task(read()) for _ in range(count))]
    await asyncio.sleep(3)  # until all are connected
    measuring.set()
    cpu = time.process_time()
    await asyncio.sleep(seconds)
    cpu = time.process_time() - cpu
    held = resident() - before
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await model.transport.close()
    print(f"{count} streams at once, {heard / seconds:,.0f} events a second of {count * RATE:,} that were due")
    for name, times in (("the loop is late by", lags), ("an event is late by", delays)):
        at = sorted(times)
        p50, p99 = (at[int(share * len(at))] * 1000 for share in (0.5, 0.99))
        print(f"  {name} {p50:.1f} ms; p99 {p99:.1f}, at most {at[-1] * 1000:.1f}")
    an_event, a_stream = cpu / max(heard, 1) * 1e6, held / count * 1024
    print(f"  {cpu / seconds:.0%} of a core, {an_event:.1f} us an event; {a_stream:.0f} KiB a stream")


def main() -> None:
    """Print it all."""
    given = [float(argument) for argument in sys.argv[1:]]
    count, at_once, seconds = [*given, *(10_000, 1_000, 10)[len(given) :]]
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{here.recv()}/v1"
        asyncio.run(left(url, here, int(count)))
        asyncio.run(together(url, int(at_once), seconds))
    finally:
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
