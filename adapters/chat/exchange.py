"""One call over the chat-completions wire, whole or streamed, whoever posts the bytes.

An `Exchange` posts one request, and says what went wrong with it. What is read of the answer, when the connection is
let go, and which of its failures still is an answer, is the same for all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Protocol

import attrs
from returns.result import Failure, Result, Success

from ...domain.error import ErrorKind, ModelError
from ...domain.event import Event, replay
from ...domain.response import Response
from ..http import rate_headers
from .answer import Arriving, Malformed, decode
from .stream import arriving_events


class Exchange(Protocol):
    """One physical request."""

    async def post(self, *, stream: bool) -> Any:
        """The answer, an HTTP library's response that wasn't a refusal. What goes wrong raises."""
        ...

    def translated(self, error: Exception) -> ModelError:
        """What went wrong. Raises the exception again where it is no failure of a provider."""
        ...


async def answer(exchange: Exchange, stops: tuple[str, ...], provider: str) -> Result[Response, ModelError]:
    """The whole answer, cut at the first of the stops."""
    try:
        found = await exchange.post(stream=False)
        rate_headers.heard(found.headers)
        return Success(decode(found.content, stops, provider))
    except Exception as error:
        _heard_of(error)
        return Failure(exchange.translated(error))


async def events(exchange: Exchange, stops: tuple[str, ...], provider: str) -> AsyncGenerator[Event]:
    """The answer while it arrives, up to the first of the stops."""
    arriving = Arriving(stops, provider)
    found: Any = None
    chunks: Any = None
    try:
        found = await exchange.post(stream=True)
        rate_headers.heard(found.headers)
        if found.headers.get("content-type", "").lower().startswith(("application/json", "text/html")):
            for event in replay(decode(await found.aread(), stops, provider)):
                yield event  # a server that doesn't stream
            return
        chunks = found.aiter_bytes()
        async with contextlib.aclosing(arriving_events(chunks, arriving)) as arrived:
            async for event in arrived:
                yield event
        if arriving.done:
            await _drained(chunks)
    except Exception as error:
        _heard_of(error)
        failure = exchange.translated(error)
        if not (arriving.complete and failure.kind in (ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT)):
            yield arriving.draft.fail(failure)
            return
    finally:
        if chunks is not None:
            await chunks.aclose()
        if found is not None:
            await found.aclose()
    if arriving.complete:
        for event in arriving.finish():
            yield event
    else:
        for event in arriving.draft.close():
            yield event
        cut = exchange.translated(Malformed("the stream ended without a finish reason"))
        yield arriving.draft.fail(attrs.evolve(cut, kind=ErrorKind.INTERRUPTED))


def _heard_of(error: Exception) -> None:
    refusal = getattr(error, "response", None)
    if refusal is not None:
        rate_headers.heard(refusal.headers)


async def _drained(chunks: AsyncGenerator[bytes]) -> None:
    """Read the end of the body, so that the connection serves the next call; it comes with the last event or not."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            async for _ in chunks:
                pass
