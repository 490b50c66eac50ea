"""The synchronous twin of the port: without an event loop, inside a running one, in threads and after a fork."""

from __future__ import annotations

import queue
from collections.abc import AsyncGenerator, Generator

import attrs
from returns.result import Result

from ..adapters import background
from ..domain.capability import Capabilities
from ..domain.error import ModelError
from ..domain.event import Event
from ..domain.model import Model
from ..domain.request import Request
from ..domain.response import Response
from .policy import Decorated, Direct


@attrs.frozen
class BlockingModel:
    """A model whose members wait. All of them run on one background event loop."""

    model: Model

    @property
    def capabilities(self) -> Capabilities:
        """What the model declares that it can do."""
        return self.model.capabilities

    def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer."""
        return background.run(self.model.generate(request))

    def stream(self, request: Request, /) -> Generator[Event]:
        """The answer while it arrives. Closing the generator, or Ctrl-C, ends the call before it returns."""
        arrived: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        pump = background.submit(_pump(self.model.stream(request), arrived))
        where = background.loop()
        over = False
        try:
            while (event := arrived.get()) is not None:
                yield event
            over = True
            pump.result()
        finally:
            if not over and background.end(pump, where):
                while arrived.get() is not None:
                    pass


async def _pump(stream: AsyncGenerator[Event], arrived: queue.SimpleQueue[Event | None]) -> None:
    try:
        async for event in stream:
            arrived.put(event)
    finally:
        try:
            await stream.aclose()
        finally:
            arrived.put(None)


def blocking(model: Model) -> BlockingModel:
    """The synchronous twin of a model.

    >>> from modelport import ScriptedModel, as_request
    >>> blocking(ScriptedModel("Hello!")).generate(as_request("Hi")).unwrap().content
    'Hello!'
    """
    return BlockingModel(model if isinstance(model, Decorated) else Decorated(model, Direct()))
