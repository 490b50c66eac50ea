"""Server-sent events as a pure step: `feed(state, bytes)` gives the next state and the events that are now complete.

It reads what https://html.spec.whatwg.org/multipage/server-sent-events.html describes, however the bytes are cut:
lines that end in CRLF, LF or CR, comments, several data lines, event names, a byte order mark. Ids and retry times are
dropped, since no stream is taken up again. Only whole lines are decoded, so that a character may be cut
anywhere.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from .bounds import BOUNDS, TooLarge

_BOM: Final = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """One event: its data as UTF-8, lines joined by LF, and its name where one was given."""

    data: bytes
    name: str = ""

    @property
    def text(self) -> str:
        """The data as text; bytes that aren't UTF-8 become U+FFFD."""
        return self.data.decode("utf-8", "replace")


_Held = tuple[bytes, "_Held"] | tuple[()]


class State(NamedTuple):
    """How far a stream has been read: what was begun and isn't complete yet."""

    line: _Held = ()  # the pieces of the unfinished line, the latest first: adding one copies nothing
    data: _Held = ()  # the lines of the unfinished event, the same way
    name: str = ""
    after_cr: bool = False  # a LF that follows belongs to the line end before it
    begun: bool = False
    size: int = 0  # the bytes since the last event, comments too


START: Final = State()
_BETWEEN: Final = State(begun=True)


def feed(state: State, chunk: bytes, most: int = BOUNDS.event) -> tuple[State, list[ServerEvent]]:
    r"""The state after these bytes, and the events that they complete.

    Raises `TooLarge` for an event, or for comments without one, of more than `most` bytes.

    >>> feed(START, b"data: one\n\ndata: tw")[1]
    [ServerEvent(data=b'one', name='')]
    """
    if state == _BETWEEN and chunk.endswith(b"\n\n"):
        events = _plain(chunk)
        if events is not None:
            return _BETWEEN, events
    if state.after_cr and chunk.startswith(b"\n"):
        state, chunk = state._replace(after_cr=False), chunk[1:]
    if not chunk:
        return state, []
    lines = chunk.splitlines(keepends=True)
    line: _Held = ()
    if not lines[-1].endswith((b"\n", b"\r")):
        line = (lines.pop(), () if lines else state.line)
    if lines and state.line:
        lines[0] = _joined((lines[0], state.line))
    events, data, name, begun, size = [], state.data, state.name, state.begun, state.size
    for whole in lines:
        size += len(whole)
        bare = whole.rstrip(b"\r\n")
        if not begun:
            begun = True
            bare = bare.removeprefix(_BOM)
        if not bare:
            if data:
                events.append(ServerEvent(_joined(data, b"\n"), name))
                size = 0
            data, name = (), ""
            continue
        field, _, value = bare.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data = (value, data)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"error":  # llama.cpp's server writes so
            data, name = (value, data), "error"
    if line:
        size += len(line[0])
    if size > most:
        raise TooLarge("an event of the stream", most, "event")
    return State(line, data, name, chunk.endswith(b"\r"), begun, size), events


def end(state: State) -> list[ServerEvent]:
    """The event that a server left without its last empty line, if there is one.

    The specification drops it, but servers forget that line. Data that was cut off shows when it is parsed.
    """
    return feed(state._replace(after_cr=False), b"\n\n" if state.line else b"\n")[1]


def _plain(chunk: bytes) -> list[ServerEvent] | None:
    """The events of a chunk that holds nothing but whole events of one data line each: the common case, read fast."""
    if b"\r" in chunk:
        return None
    events = []
    for block in chunk[:-2].split(b"\n\n"):
        if not block.startswith(b"data: ") or b"\n" in block:
            return None
        events.append(ServerEvent(block[6:]))
    return events


def _joined(held: Any, between: bytes = b"") -> bytes:
    pieces: list[bytes] = []
    while held:
        pieces.append(held[0])
        held = held[1]
    return between.join(reversed(pieces))
