"""A chat-completions server on the loopback, with scripted answers and every fault that a network has.

It runs in a thread, speaks HTTP/1.1 over raw sockets, and records what it was asked and who hung up.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import attrs


@attrs.frozen
class Seen:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body, read."""
        return json.loads(self.body)


@attrs.frozen
class Answer:
    """What to send: a body of a known length, or pieces of one; then `end`, `stall`, `reset` or `cut` the connection.

    `status` 0 sends nothing at all before that. With `together` the last piece and the end come in one packet.
    """

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    pieces: Sequence[bytes] | None = None
    then: str = "end"
    pause: float = 0.0
    together: bool = False

    @property
    def patience(self) -> float:
        """How many seconds without a byte a client of it should bear: few where none will come, and else any number."""
        return 1.0 if self.then == "stall" else 60.0


Script = Answer | Callable[[Seen], Answer]
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def whole(text: str | None = "Hello!", *, finish: str | None = "stop", **message: Any) -> Answer:
    """A whole answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    return body({"id": "c1", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": USAGE})


def body(value: Any, status: int = 200, **headers: str) -> Answer:
    """A JSON body as it is, with more headers (`_` stands for `-`)."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **more}, json.dumps(value).encode())


def error(status: int, code: str | None = None, message: str = "no", **headers: str) -> Answer:
    """A refusal in OpenAI's form."""
    return body({"error": {"message": message, "type": "some_error", "param": None, "code": code}}, status, **headers)


def chunk(delta: Mapping[str, Any] | None = None, finish: str | None = None, **fields: Any) -> bytes:
    """One event of a stream."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return sse({"id": "c1", "model": "m-1", "choices": [choice], **fields})


def sse(value: Any) -> bytes:
    """Any value as an event."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
USED = sse({"id": "c1", "model": "m-1", "choices": [], "usage": USAGE})


def streamed(*pieces: bytes, then: str = "end", pause: float = 0.0) -> Answer:
    """A stream of these bytes."""
    return Answer(headers={"content-type": "text/event-stream"}, pieces=pieces, then=then, pause=pause)


def saying(text: str, sizes: Sequence[int] = (3,), finish: str = "stop") -> Callable[[Seen], Answer]:
    """Says this text, whole or in pieces of these sizes, as it is asked to."""

    def answer(seen: Seen) -> Answer:
        if not seen.json.get("stream"):
            return whole(text, finish=finish)
        at, pieces, turn = 0, [chunk({"role": "assistant", "content": ""})], 0
        while at < len(text):
            size = sizes[turn % len(sizes)]
            pieces.append(chunk({"content": text[at : at + size]}))
            at, turn = at + size, turn + 1
        return streamed(*pieces, chunk(finish=finish), USED, DONE)

    return answer


def two_at_once() -> Answer:
    """A stream of two answers, as `n=2` asks for; each of them says "The sky"."""
    pieces = [
        sse({"id": "c1", "model": "m-1", "choices": [{"index": at, "delta": delta, "finish_reason": finish}]})
        for delta, finish in (({"content": "The"}, None), ({"content": " sky"}, None), ({}, "stop"))
        for at in (0, 1)
    ]
    return streamed(*pieces, DONE)


class Loopback:
    """The server, as a context manager. It follows its script and then repeats the last answer."""

    def __init__(self, *script: Script) -> None:
        self.script: list[Script] = list(script)
        self.requests: list[Seen] = []
        self.dropped = 0  # answers that the client didn't wait for
        self.open = 0  # answers that aren't finished
        self.stalled = 0  # answers of which no more comes
        self.connections = 0
        self.connected = 0  # connections that haven't ended
        self._turn = 0
        self._conversations: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="loopback", daemon=True)
        self._ready = threading.Event()
        self._news = threading.Condition()
        self.port = 0

    @property
    def url(self) -> str:
        """The base address, as SDKs want it."""
        return f"http://127.0.0.1:{self.port}/v1"

    def until(self, happened: Callable[[Loopback], bool], seconds: float = 60.0) -> bool:
        """Wait until something has happened here."""
        with self._news:
            return self._news.wait_for(lambda: happened(self), seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        await asyncio.sleep(0)  # asyncio never closes a connection that it begins to serve after the server has closed
        server.close()
        while left := asyncio.all_tasks() - {asyncio.current_task()}:  # a connection that has just come begins another
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            await asyncio.sleep(0)
        for _ in range(
            3
        ):  # a conversation that has just ended closes its connection in one turn and loses it in the next
            await asyncio.sleep(0)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._converse(reader, writer))
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        task.add_done_callback(lambda _: writer.transport.abort())  # also where it was cancelled before it began

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        self._note(connected=1)
        try:
            while await self._turned(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._note(connected=-1)

    def _note(self, **changes: int) -> None:
        with self._news:
            for name, by in changes.items():
                setattr(self, name, getattr(self, name) + by)
            self._news.notify_all()

    async def _turned(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        content = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        seen = Seen(method, path, headers, content)
        script = self.script[min(self._turn, len(self.script) - 1)]
        self._turn += 1
        self.requests.append(seen)
        self._note(open=1)
        try:
            answer = script if isinstance(script, Answer) else script(seen)
            gone = asyncio.ensure_future(reader.read(1))
            saying = asyncio.ensure_future(self._say(answer, writer))
            await asyncio.wait((gone, saying), return_when=asyncio.FIRST_COMPLETED)
            hung_up = not saying.done() or saying.exception() is not None
            for task in (gone, saying):
                task.cancel()
            await asyncio.gather(gone, saying, return_exceptions=True)
            if hung_up:
                self._note(dropped=1)
                return False
            return saying.result()
        finally:
            self._note(open=-1)

    async def _say(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        if answer.status:
            length = (
                "transfer-encoding: chunked" if answer.pieces is not None else f"content-length: {len(answer.body)}"
            )
            lines = [f"{name}: {value}" for name, value in answer.headers.items()]
            writer.write("\r\n".join([f"HTTP/1.1 {answer.status} Some", length, *lines, "", ""]).encode())
            writer.write(answer.body if answer.then == "end" else answer.body[: len(answer.body) // 2])
            packets = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in answer.pieces or ()]
            end = b"0\r\n\r\n" if answer.pieces is not None and answer.then == "end" else b""
            if packets and answer.together:
                end = packets.pop() + end
            for packet in packets:
                writer.write(packet)
                await writer.drain()
                await asyncio.sleep(answer.pause)
            writer.write(end)
            await writer.drain()
        if answer.then == "stall":
            self._note(stalled=1)
            await asyncio.Event().wait()
        if answer.then == "reset":
            await asyncio.sleep(0.02)  # what was sent should be read before
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return answer.then == "end"
