"""A streamed answer: the bytes of server-sent events in, events out, whoever fetched the bytes.

`decode` reads one event of the wire; without another it is that of chat completions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

from ...domain.answer_builder import AnswerBuilder
from ...domain.event import Event
from ..http import sse
from ..http.bounds import BOUNDS
from ..http.http_errors import Malformed
from .answer import Reported, decode_event
from .json import parse

Decode = Callable[[object, Any], Sequence[Event]]
"""The events of one chunk, given what the stream has said so far. Raises `Malformed` or `Reported`."""


class Arriving(Protocol):
    """What a stream has said so far, of whichever wire."""

    draft: AnswerBuilder
    ended: bool


class Reader:
    """Reads a stream, up to its end, to `[DONE]`, or to a stop; what comes after `[DONE]` isn't read."""

    __slots__ = ("_arriving", "_begun", "_decode", "_most", "_state")

    def __init__(self, arriving: Arriving, most: int = BOUNDS.event, decode: Decode = decode_event) -> None:
        self._arriving, self._most, self._decode = arriving, most, decode  # bytes of one event
        self._state, self._begun = sse.START, False

    def read(self, chunk: bytes) -> Iterable[Event]:
        """The events of some bytes. Raises `Malformed` or `Reported`, perhaps after some of them."""
        self._state, events = sse.feed(self._state, chunk, self._most)
        self._begun = self._begun or bool(events)
        if len(events) == 1 and not events[0].data.startswith(b"[DONE]"):  # nearly every chunk
            return self._decode(_object(events[0]), self._arriving)
        return self._read(iter(events))

    def _read(self, events: Iterator[sse.ServerEvent]) -> Iterator[Event]:
        arriving = self._arriving
        for event in events:
            if event.data.startswith(b"[DONE]"):
                arriving.ended = True
                return
            yield from self._decode(_object(event), arriving)
            if arriving.draft.stopped_by is not None:
                for later in events:  # what has come already may say what it cost
                    arriving.ended = arriving.ended or later.data.startswith(b"[DONE]")
                    with suppress(ValueError, Reported):
                        self._decode(_object(later), arriving)
                return

    def end(self) -> Iterator[Event]:
        """The events of what was left when the bytes ended. Raises `Malformed` where there was nothing at all."""
        if self._arriving.ended:
            return
        for event in sse.end(self._state):
            if event.data.startswith(b"[DONE]"):
                self._begun = True
                continue
            try:
                chunk = _object(event)
            except ValueError:  # half an event: the stream was cut
                continue
            self._begun = True
            yield from self._decode(chunk, self._arriving)
        if not self._begun:
            raise Malformed("the answer is empty: no event in the stream")


def _object(event: sse.ServerEvent) -> Any:
    if not event.data.strip():
        return {}  # a sign of life
    try:
        chunk = parse(event.data)
    except ValueError:
        if event.name == "error":
            raise Reported(event.text) from None
        raise
    if event.name == "error":
        raise Reported((chunk.get("error") or chunk) if isinstance(chunk, dict) else chunk)
    return chunk
