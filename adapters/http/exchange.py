"""One physical call to a provider, whole or streamed: what the shell asks of an adapter, and how a stream is driven.

When the connection is let go, and which of its failures still is an answer, is the same for all of them.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress
from typing import Any, ClassVar, Final, Protocol

import attrs
from returns.result import Failure, Result, Success

from ...domain.answer_builder import AnswerBuilder
from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.event import Event
from ...domain.request import Request
from ...domain.response import Response
from .http_errors import CutOff, Malformed

_BROKEN_OFF: Final = frozenset({ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT})
_PATIENCE: Final = 0.05  # seconds for the end of a stream to come after its last event


class Arriving(Protocol):
    """What a stream has said so far."""

    draft: AnswerBuilder

    @property
    def complete(self) -> bool:
        """Whether it is known why the answer ended."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more of the answer comes, and only the connection is to be read to its end."""
        ...

    def finish(self) -> list[Event]:
        """The last events, once it is complete."""
        ...


class Exchange(ABC):
    """One physical call. Whatever goes wrong in it raises, and `translated` says what that means."""

    arriving: Any  # an `Arriving`, of its wire's own kind
    cut_off: ClassVar = "the stream ended without a finish reason"

    @abstractmethod
    async def answer(self) -> Response:
        """The whole answer."""

    @abstractmethod
    def chunks(self) -> AsyncGenerator[Any]:
        """What comes of a streamed answer, as it comes. Closing this lets go of the connection."""

    @abstractmethod
    def read(self, chunk: Any) -> Iterable[Event]:
        """The events of one chunk."""

    @abstractmethod
    def translated(self, error: Exception) -> ModelError:
        """What went wrong. Raises the exception again where it is no failure of a provider."""

    @property
    def over(self) -> bool:
        """Whether no more chunks are needed."""
        return self.arriving.ended or self.arriving.draft.stopped_by is not None

    @property
    def complete(self) -> bool:
        """Whether the answer is one: what breaks afterwards does no harm."""
        return bool(self.arriving.complete)

    def end(self) -> Iterable[Event]:
        """The events that were waiting for more, once no more chunks come and no stop has ended the text."""
        return ()

    def finish(self) -> Iterable[Event]:
        """The last events of a complete answer."""
        last: Iterable[Event] = self.arriving.finish()
        return last


async def answered(exchange: Exchange) -> Result[Response, ModelError]:
    """The whole answer."""
    try:
        return Success(await exchange.answer())
    except Exception as error:
        return Failure(_translated(exchange, error))


async def events(begin: Callable[[Request], Exchange], request: Request) -> AsyncGenerator[Event]:
    """The answer while it arrives, up to its end or to the first of the stops."""
    exchange = begin(request)
    arriving, read = exchange.arriving, exchange.read
    try:
        async with aclosing(exchange.chunks()) as chunks:
            async for chunk in chunks:
                for event in read(chunk):
                    yield event
                if exchange.over:
                    break
            if arriving.draft.stopped_by is None:
                for event in exchange.end():
                    yield event
            if arriving.ended:
                await _drained(chunks)
        if not exchange.complete:
            raise CutOff(exchange.cut_off)
        last = [*exchange.finish()]
    except Exception as error:
        failure = _translated(exchange, error)
        if exchange.complete and failure.kind in _BROKEN_OFF:
            last = [*exchange.finish()]
        else:
            held = arriving.draft.close()
            failed = arriving.draft.fail(failure)
            if failed.partial is not None:  # content has come, so that the question has
                failed = attrs.evolve(failed, error=attrs.evolve(failure, sent=Sent.YES))
            last = [*held, failed]
    for event in last:
        yield event


def _translated(exchange: Exchange, error: Exception) -> ModelError:
    """What went wrong. What a server says of it may itself be none that can be read."""
    try:
        return exchange.translated(error)
    except Exception as another:
        if another is error:
            raise
        return exchange.translated(Malformed(f"a refusal can't be read: {type(another).__name__}"))


async def _drained(chunks: AsyncGenerator[Any]) -> None:
    """Read the end of the body, so that the connection serves the next call; it comes with the last event or not."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            async for _ in chunks:
                pass
