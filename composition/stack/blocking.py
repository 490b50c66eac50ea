"""The synchronous twin of the port: without an event loop, inside a running one, in threads and after a fork."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncGenerator, Generator
from queue import SimpleQueue
from typing import Any

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
from .compose import expect_model
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
        return _Reading(self.model, request)


class _Reading(Generator[Event]):
    """A stream that is read while its call runs on the background loop, where it begins with the first event."""

    __slots__ = ("_model", "_over", "_pump", "_queue", "_request", "_where")

    def __init__(self, model: Model, request: Request) -> None:
        self._model, self._request = model, request
        self._queue = _Queue()
        self._pump: concurrent.futures.Future[None] | None = None
        self._over = False

    def __next__(self) -> Event:
        if self._over:
            raise StopIteration
        if self._pump is None:
            self._pump = background.submit(_pump(self._model.stream(self._request), self._queue))
            self._where = background.loop()
        elif background.is_gone(self._where):
            raise RuntimeError(
                "this stream was begun before a fork, and is read in the process that began it; ask again"
            )
        try:
            event = self._queue.get(self._where)
        except BaseException:  # Ctrl-C
            self.close()
            raise
        if event is None:
            self._over = True
            self._pump.result()
            raise StopIteration
        return event

    def send(self, value: None, /) -> Event:
        return next(self)

    def throw(self, error: Any, value: Any = None, traceback: Any = None, /) -> Event:
        self.close()
        raise error if value is None else value

    def close(self) -> None:
        """End the call, and wait until it has ended."""
        if self._cancel():
            while self._queue.get(self._where) is not None:
                pass

    def __del__(self) -> None:
        # A garbage collection runs on any thread, whatever locks that holds: whoever waited here could wait for ever.
        self._cancel()

    def _cancel(self) -> bool:
        over, self._over = self._over, True
        return not over and self._pump is not None and background.end(self._pump, self._where)


class _Queue:
    """What has arrived and isn't read yet: written on the loop, read on another thread. None is the end.

    There is no lock to be waited for. The writer says that it waits and looks again whether it has to; the reader looks
    whether somebody waits after it has taken something: so one of them sees the other.
    """

    __slots__ = ("_arrived", "_full", "_room")

    def __init__(self) -> None:
        self._arrived: SimpleQueue[Event | None] = SimpleQueue()
        self._room = asyncio.Event()
        self._full = False

    async def put(self, event: Event) -> None:
        self._arrived.put(event)
        if self._arrived.qsize() >= _AHEAD:
            self._room.clear()
            self._full = True
            if self._arrived.qsize() >= _AHEAD // 2:
                await self._room.wait()

    def end(self) -> None:
        self._arrived.put(None)

    def get(self, writer: asyncio.AbstractEventLoop) -> Event | None:
        event = self._arrived.get()
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
    expect_model(model, "blocking: the argument is")
    return BlockingModel(model if isinstance(model, Decorated) else Decorated(model, Direct()))
