"""A stream of Gemini's: bytes in, events out. It has no last event: it ends with its body.

An error in its midst may come as an event, or as bare JSON, line by line, where the next event should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

from ...domain.event import Event
from ..chat.answer import Reported
from ..chat.errors import error_in_list
from ..chat.json import parse
from ..http import sse
from ..http.bounds import BOUNDS
from ..http.http_errors import Malformed
from .answer import Arriving, NoAnswer, decode_event

_BARE: Final = re.compile(rb"^[\[{]", re.MULTILINE)
_ENDS: Final = (b"\n\n", b"\r\n\r\n")
_MOST: Final = 64 * 1024  # bytes of an error


class Reader:
    """Reads a stream, up to its end or to a stop."""

    __slots__ = ("_arriving", "_begun", "_most", "_state", "_tail")

    def __init__(self, arriving: Arriving, most: int = BOUNDS.event) -> None:
        self._arriving, self._most = arriving, most  # bytes of one event
        self._state, self._begun = sse.START, False
        self._tail = b""  # the bytes since the last event

    def read(self, chunk: bytes) -> Iterable[Event]:
        """The events of some bytes. Raises `Malformed`, `Reported` or `NoAnswer`, perhaps after some of them."""
        self._state, events = sse.feed(self._state, chunk, self._most)
        self._begun = self._begun or bool(events)
        self._tail = b"" if events and chunk.endswith(_ENDS) else (self._tail + chunk)[-_MOST:]
        if len(events) == 1:  # nearly every chunk
            return _decoded(events[0], self._arriving)
        return self._read(iter(events))

    def _read(self, events: Iterator[sse.ServerEvent]) -> Iterator[Event]:
        for event in events:
            yield from _decoded(event, self._arriving)
            if self._arriving.draft.stopped_by is not None:
                for later in events:  # what has come already may say what it cost
                    with suppress(ValueError, Reported, NoAnswer):
                        _decoded(later, self._arriving)
                return

    def end(self) -> Iterator[Event]:
        """The events of what was left when the bytes ended. Raises `Malformed` where there was nothing at all."""
        for event in sse.end(self._state):
            with suppress(ValueError):  # half an event: the stream was cut
                yield from _decoded(event, self._arriving)
            self._begun = True
        if not self._arriving.complete:
            self._check_tail()
        if not self._begun:
            raise Malformed("the answer is empty: no event in the stream")

    def _check_tail(self) -> None:
        """Raises `Reported` for an error that stands at the end without being an event."""
        found = _BARE.search(self._tail)
        if found is None:
            return
        with suppress(ValueError):
            value = parse(self._tail[found.start() :])
            raise Reported(error_in_list([value] if isinstance(value, dict) else value))


def _decoded(event: sse.ServerEvent, arriving: Arriving) -> Iterable[Event]:
    if not event.data.strip() or event.data.startswith(b"[DONE]"):
        return ()  # a sign of life, or a gateway's last event
    return decode_event(parse(event.data), arriving)
