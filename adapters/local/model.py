"""What every model on this machine is besides its runtime: called like a function, asked for nothing that it can't."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing

from returns.result import Result

from ...domain.capability import Capabilities, missing
from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.event import Event, Failed, settle
from ...domain.frozen import FrozenDict
from ...domain.request import Request
from ...domain.response import Response
from ...domain.secrecy import is_secret
from ..process.calling import Calling


class LocalModel(Calling, ABC):
    """Gives the port to an adapter that has `_events`."""

    __slots__ = ()

    model_id: str
    capabilities: Capabilities
    options: FrozenDict

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model_id!r}{self._given()})"

    def _given(self) -> str:
        return "".join(f", {name}={'***' if is_secret(name) else value!r}" for name, value in self.options.items())

    @property
    @abstractmethod
    def provider(self) -> str:
        """The name in the ledger of attempts."""

    @abstractmethod
    def _events(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        """The events of the answer; without `deltas` the last one is enough.

        A whole call doesn't want the event loop woken for each token: that would take time from the computation.
        """

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer."""
        async with aclosing(self._checked(request, deltas=False)) as events:
            return settle([event async for event in events])

    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives. Closing it stops generation, or leaves the queue."""
        return self._checked(request, deltas=True)

    async def _checked(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        lacking = missing(request, self.capabilities)
        if lacking:
            yield Failed(self._refused(ErrorKind.UNSUPPORTED, f"this model has no {', '.join(lacking)}"))
            return
        async with aclosing(self._events(request, deltas=deltas)) as events:
            async for event in events:
                yield event

    def _refused(self, kind: ErrorKind, message: str) -> ModelError:
        """An error before anything was generated."""
        return ModelError(kind, message, sent=Sent.NO, provider=self.provider, model_id=self.model_id)
