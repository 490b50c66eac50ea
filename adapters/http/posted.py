"""One call that is a POST: its answer is JSON, or server-sent events, whichever of the two was asked for.

Some servers stream unasked, and some that are asked to don't: how the body begins says which of them it is.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing
from typing import Any, ClassVar, Protocol

from ...domain.error import ModelError
from ...domain.event import Event, Finished, replay
from ...domain.request import Request
from ...domain.response import Response
from . import rate_headers
from .address import asked_at
from .bounds import BOUNDS, Bounds
from .exchange import Exchange
from .http_errors import CutOff
from .model import ApiModel
from .refusal import is_ours
from .reply import Refused, checked, whole
from .transport import Reply


class Reader(Protocol):
    """Reads a stream into what it has said so far."""

    def read(self, chunk: bytes) -> Iterable[Event]:
        """The events of some bytes."""
        ...

    def end(self) -> Iterator[Event]:
        """The events of what was left when the bytes ended."""
        ...


class PostedExchange(Exchange):
    """One physical request. An adapter posts it, knows which secrets took part, and reads what comes back.

    `arriving` and `reader` are of its wire.
    """

    reader: Any  # a `Reader`

    translate: ClassVar[Callable[..., ModelError]]

    def __init__(self, model: ApiModel, request: Request, bounds: Bounds = BOUNDS) -> None:
        self.model, self.request, self.bounds = model, request, bounds
        self.received: Reply | None = None
        self._begun = False  # whether it is known which of the two it is
        self._body: list[bytes] | None = None  # of a server that doesn't stream
        self._whole: Response | None = None

    @abstractmethod
    async def post(self, *, stream: bool) -> Reply:
        """Send the request; gives what comes back, a refusal too. What else goes wrong raises."""

    @abstractmethod
    def secrets(self, error: Exception) -> Iterable[object]:
        """What no message may show."""

    @abstractmethod
    def decoded(self, body: bytes) -> Response:
        """A whole answer."""

    def address(self) -> str | None:
        """Where it asks, once that is known."""
        return None

    async def answer(self) -> Response:
        body = await whole(await self._received(stream=False), self.bounds)
        return self.decoded(body) if _is_no_stream(body) else self._folded(body)

    async def chunks(self) -> AsyncGenerator[bytes]:
        reply = await self._received(stream=True)
        async with aclosing(reply.chunks(self.bounds.answer)) as chunks:
            async for chunk in chunks:
                yield chunk

    def read(self, chunk: bytes) -> Iterable[Event]:
        if not self._begun and chunk.strip():
            self._begun = True
            self._body = [] if _is_no_stream(chunk) else None
        if self._body is None:
            events: Iterable[Event] = self.reader.read(chunk)
            return events
        self._body.append(chunk)
        return ()

    @property
    def complete(self) -> bool:
        return self._whole is not None or bool(self.arriving.complete)

    def end(self) -> Iterable[Event]:
        if self._body is None:
            events: Iterable[Event] = self.reader.end()
            return events
        self._whole = self.decoded(b"".join(self._body))
        return ()

    def finish(self) -> Iterable[Event]:
        return super().finish() if self._whole is None else replay(self._whole)

    def translated(self, error: Exception) -> ModelError:
        translated = type(self).translate(
            error,
            model_id=self.model.model_id,
            provider=self.model.provider,
            headers=None if self.received is None else self.received.headers,
            secrets=self.secrets(error),
        )
        met = isinstance(error, Refused) or not is_ours(error)
        return asked_at(translated, self.address()) if met else translated

    async def _received(self, *, stream: bool) -> Reply:
        self.received = reply = await self.post(stream=stream)
        rate_headers.heard(reply.headers)
        return await checked(reply, self.bounds)

    def _folded(self, body: bytes) -> Response:
        """The answer of a server that streams without being asked to. Raises `CutOff` where it has no end."""
        for _ in self.reader.read(body):
            pass
        if self.arriving.draft.stopped_by is None:
            for _ in self.reader.end():
                pass
        if not self.arriving.complete:
            raise CutOff(self.cut_off)
        *_, last = self.arriving.finish()
        assert isinstance(last, Finished)
        return last.response


def _is_no_stream(body: bytes) -> bool:
    """Whether it begins as JSON or a page does, and not as events do, whatever its headers say."""
    begins = body[:80].removeprefix(b"\xef\xbb\xbf").lstrip()[:6]
    return not begins.startswith((b"data:", b"event:", b"id:", b"retry:", b"error:", b":"))
