"""Many streams, of which a third are dropped, closed or cancelled at every point, leave nothing behind.

`benchmarks/streams.py` does the same with ten thousand, and tells the memory.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import threading

import bedrock_wire
import loopback
import pytest
from api_models import HI, WIRES
from leaving import ROUND, leave_all
from loopback import Answer, Loopback, Seen
from raw_server import RawServer, question

from modelport import TextDelta
from modelport.adapters import HttpTransport

pytestmark = pytest.mark.needs("openai", "huggingface", "bedrock")
PIECES = ["One ", "two ", "three ", "four ", "five."]


def speaking(seen: Seen) -> Answer:
    """A short answer; or the half of one, and nothing more."""
    waits = b"wait" in seen.body
    if seen.path.endswith("/converse-stream"):
        said = [bedrock_wire.text_delta(piece) for piece in PIECES]
        if waits:
            return bedrock_wire.streamed(*said[:2], then="stall")
        return bedrock_wire.streamed(*said, *bedrock_wire.ending())
    said = [loopback.chunk({"content": piece}) for piece in PIECES]
    if waits:
        return loopback.streamed(*said[:2], then="stall")
    return loopback.streamed(*said, loopback.chunk(finish="stop"), loopback.DONE)


def test_streams_that_are_left_leave_nothing_behind() -> None:
    async def main(server: Loopback) -> None:
        transport = HttpTransport()
        models = [wire.make(server.url, transport=transport) for wire in WIRES.values()]
        await leave_all(models, 2 * ROUND, at_once=16)  # what is loaded and kept with the first calls doesn't count
        server.requests.clear()
        gc.collect()
        objects, threads = len(gc.get_objects()), threading.active_count()
        await leave_all(models, 8 * ROUND, at_once=16)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert server.until(lambda server: server.open == 0 and server.connected <= 64)  # what is kept is idle
        await transport.close()
        assert server.until(lambda server: server.connected == 0)
        server.requests.clear()
        gc.collect()
        assert threading.active_count() <= threads
        assert len(gc.get_objects()) - objects < 2 * ROUND  # not one for four of the streams

    with Loopback(speaking) as server:
        asyncio.run(main(server))


@pytest.mark.parametrize("name", WIRES)
def test_a_stream_that_nobody_reads_holds_the_server_back(name: str) -> None:
    """What has come waits in the sockets, and not in this process's memory."""
    wire, sent, held_back = WIRES[name], [0], threading.Event()

    def endless(connection: socket.socket) -> None:
        question(connection)
        event = wire.event("word ")
        events = event * (65536 // len(event))
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\n\r\n" % wire.content_type.encode())
        connection.settimeout(0.5)
        try:
            for _ in range(4096):  # a quarter of a GiB
                sent[0] += connection.send(events)
        except TimeoutError:
            held_back.set()

    async def main(url: str) -> None:
        stream = wire.make(url).stream(HI)
        assert await anext(stream) == TextDelta("word ")
        assert await asyncio.to_thread(held_back.wait, 60)
        await stream.aclose()

    with RawServer(endless) as server:
        asyncio.run(main(server.url))
    assert sent[0] < 32 * 1024 * 1024  # what Linux holds of a connection at most, and ours
