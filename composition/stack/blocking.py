"""The synchronous twin of the port: without an event loop, inside a running one, in threads and after a fork."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from queue import SimpleQueue

import attrs
from returns.result import Result

from ...adapters.process import background
from ...adapters.process.calling import answer_of, reads_input, tell_of_held_loop
from ...domain.capability import Capabilities
from ...domain.error import ModelError
from ...domain.event import Event
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from .policy import Decorated, Direct

_AHEAD = 256
"""How many events a stream may run ahead of who reads it."""


@attrs.frozen
class BlockingModel:
    """A model whose members wait. All of them run on one background event loop."""

    model: Model

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares that it can do."""
        return self.model.capabilities

    @reads_input
    def __call__(self, request: Request, /) -> Response:
        """The answer; raises `ModelFailure` when there is none, ValueError or TypeError on bad input."""
        tell_of_held_loop()
        return answer_of(background.run(self.model.generate(request)))

    ask = __call__

    @reads_input
    def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer."""
        return background.run(self.model.generate(request))

    @reads_input
    def stream(self, request: Request, /) -> Generator[Event]:
        """The answer while it arrives. Closing the generator, or Ctrl-C, ends the call before it returns."""
        queue = _Queue()
        pump = background.submit(_pump(self.model.stream(request), queue))
        where = background.loop()
        over = False
        try:
            while (event := queue.get(where)) is not None:
                yield event
            over = True
            pump.result()
        finally:
            if not over and background.end(pump, where):
                while queue.get(where) is not None:
                    pass


class _Queue:
    """What has arrived and isn't read yet: written on the loop, read on another thread. None is the end."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue[Event | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._room = asyncio.Event()
        self._full = False

    async def put(self, event: Event) -> None:
        with self._lock:
            self._arrived.put(event)
            self._full = self._arrived.qsize() >= _AHEAD
            if not self._full:
                return
            self._room.clear()
        await self._room.wait()

    def end(self) -> None:
        self._arrived.put(None)

    def get(self, writer: asyncio.AbstractEventLoop) -> Event | None:
        event = self._arrived.get()
        with self._lock:
            if self._full and self._arrived.qsize() < _AHEAD // 2:
                self._full = False
                writer.call_soon_threadsafe(self._room.set)
        return event


async def _pump(stream: AsyncGenerator[Event], queue: _Queue) -> None:
    try:
        async for event in stream:
            await queue.put(event)
    finally:
        try:
            await stream.aclose()
        finally:
            queue.end()


def blocking(model: Model) -> BlockingModel:
    """The synchronous twin of a model.

    >>> from modelport import ScriptedModel
    >>> blocking(ScriptedModel("Hello!")).generate("Hi").unwrap().text
    'Hello!'
    """
    return BlockingModel(model if isinstance(model, Decorated) else Decorated(model, Direct()))
