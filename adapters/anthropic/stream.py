"""The streamed answer of a server that speaks the Messages wire: bytes in, events out, whoever fetched the bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from ...domain.event import Event
from ..chat.answer import Reported
from ..chat.json import parse
from ..http import sse
from ..http.bounds import BOUNDS
from ..http.http_errors import Malformed
from .answer import Arriving, decode_event


class Reader:
    """Reads a stream, up to its end or to a stop; what comes after `message_stop` isn't read."""

    __slots__ = ("_arriving", "_begun", "_most", "_state")

    def __init__(self, arriving: Arriving, most: int = BOUNDS.event) -> None:
        self._arriving, self._most = arriving, most  # bytes of one event
        self._state, self._begun = sse.START, False

    def read(self, chunk: bytes) -> Iterable[Event]:
        """The events of some bytes. Raises `Malformed` or `Reported`, perhaps after some of them."""
        self._state, events = sse.feed(self._state, chunk, self._most)
        self._begun = self._begun or bool(events)
        if len(events) == 1:  # nearly every chunk
            return decode_event(_value(events[0]), self._arriving)
        return self._read(iter(events))

    def _read(self, events: Iterator[sse.ServerEvent]) -> Iterator[Event]:
        arriving = self._arriving
        for event in events:
            yield from decode_event(_value(event), arriving)
            if arriving.ended:
                return
            if arriving.draft.stopped_by is not None:
                for later in events:  # what has come already may say what it cost
                    with suppress(ValueError, Reported):
                        decode_event(_value(later), arriving)
                return

    def end(self) -> Iterator[Event]:
        """The events of what was left when the bytes ended. Raises `Malformed` where there was nothing at all."""
        if self._arriving.ended:
            return
        for event in sse.end(self._state):
            with suppress(ValueError):  # half an event: the stream was cut
                yield from decode_event(_value(event), self._arriving)
                self._begun = True
        if not self._begun:
            raise Malformed("the answer is empty: no event in the stream")


def _value(event: sse.ServerEvent) -> Any:
    """What an event says. Raises ValueError, or `Reported` for an error in words alone."""
    try:
        value = parse(event.data)
    except ValueError:
        if not event.data.strip() or event.data.startswith(b"[DONE]"):
            return {}  # a sign of life, or the end that gateways add
        if event.name == "error":
            raise Reported(event.text) from None
        raise
    if event.name == "error":
        raise Reported(value.get("error") or value if isinstance(value, dict) else value)
    return value
