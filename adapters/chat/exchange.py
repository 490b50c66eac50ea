"""One call over the chat-completions wire, whole or streamed, whatever carries the bytes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from functools import cached_property
from typing import ClassVar

from ...domain.error import ModelError
from ...domain.event import Event, Finished, replay
from ...domain.options.option import canonical
from ...domain.request import Request
from ...domain.response import Response
from ..http import rate_headers
from ..http.asked_at import asked_at
from ..http.bounds import BOUNDS, Bounds
from ..http.exchange import Exchange
from ..http.http_errors import CutOff
from ..http.model import ApiModel
from ..http.refusal import is_ours
from ..http.reply import Refused, checked, whole
from ..http.transport import Reply
from .answer import Arriving, decode
from .calls import made_up_after
from .calls_in_text import CallsInText
from .stream import Reader

WITH_USAGE = canonical({"stream_options": {"include_usage": True}})
"""The option that makes a server say what a streamed answer has cost."""


class ChatExchange(Exchange):
    """One physical request. An adapter posts it, and knows which secrets took part."""

    translate: ClassVar[Callable[..., ModelError]]

    def __init__(
        self, model: ApiModel, request: Request, wire: str, bounds: Bounds = BOUNDS, *, calls_in_text: bool = False
    ) -> None:
        self.model, self.request, self.bounds = model, request, bounds
        self.wire = wire  # the name under which its own words are kept in `metadata`
        self.received: Reply | None = None
        self._made_up = made_up_after(request.messages)
        self._calls_in_text = calls_in_text and bool(request.tools)
        self._stops = () if self._calls_in_text else request.stop_sequences
        self._begun = False  # whether it is known which of the two it is
        self._body: list[bytes] | None = None  # of a server that doesn't stream
        self._whole: Response | None = None

    @cached_property
    def arriving(self) -> Arriving | CallsInText:
        """What a stream has said so far; an answer that comes whole needs none."""
        return self._in_text or self._said

    @cached_property
    def _said(self) -> Arriving:
        return Arriving(self._stops, self.wire, self._made_up)

    @cached_property
    def _in_text(self) -> CallsInText | None:
        return CallsInText(self._said, self.request) if self._calls_in_text else None

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self._said, self.bounds.event)

    @abstractmethod
    async def post(self, *, stream: bool) -> Reply:
        """Send the request; gives what comes back, a refusal too. What else goes wrong raises."""

    @abstractmethod
    def secrets(self, error: Exception) -> Iterable[object]:
        """What no message may show."""

    def address(self) -> str | None:
        """Where it asks, once that is known."""
        return None

    async def answer(self) -> Response:
        body = await whole(await self._received(stream=False), self.bounds)
        return self._decoded(body) if _is_no_stream(body) else self._folded(body)

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
            return self._shown(self._reader.read(chunk))
        self._body.append(chunk)
        return ()

    @property
    def complete(self) -> bool:
        return self._whole is not None or self.arriving.complete

    def end(self) -> Iterable[Event]:
        if self._body is None:
            return self._shown(self._reader.end())
        self._whole = self._decoded(b"".join(self._body))
        return ()

    def finish(self) -> Iterable[Event]:
        return self.arriving.finish() if self._whole is None else replay(self._whole)

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
        list(self._shown(self._reader.read(body)))  # nobody hears of events: what they come to is the answer
        if self.arriving.draft.stopped_by is None:
            list(self._shown(self._reader.end()))
        if not self.arriving.complete:
            raise CutOff(self.cut_off)
        *_, last = self.arriving.finish()
        assert isinstance(last, Finished)
        return last.response

    def _decoded(self, body: bytes) -> Response:
        response = decode(body, self._stops, self.wire, self._made_up)
        return response if self._in_text is None else self._in_text.whole(response)

    def _shown(self, events: Iterable[Event]) -> Iterable[Event]:
        return events if self._in_text is None else self._in_text.read(events)


def _is_no_stream(body: bytes) -> bool:
    """Whether it begins as JSON or a page does, and not as events do, whatever its headers say."""
    begins = body[:80].removeprefix(b"\xef\xbb\xbf").lstrip()[:6]
    return not begins.startswith((b"data:", b"event:", b"id:", b"retry:", b"error:", b":"))
