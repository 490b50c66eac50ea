"""Where answers are kept for the next time: in memory, or in a file that outlasts the process.

What is kept is the JSON of `domain/forms/json_form.py`, never a pickle, so that whoever writes to the file can make a
cache give wrong answers and can't make it run code. The file is SQLite's, through the standard library. A store that
fails is as good as an empty one: it says so in the log, and the model is asked.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import attrs

from ...adapters.files.texts import Entry, Texts, texts_at
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.fork import forgets
from ...domain.checks import Number
from ...domain.forms.json_form import from_json, to_json
from ...domain.message import Message, as_json
from ...domain.response import Response

_MEBIBYTE: Final = 1 << 20
_BYTES: Final = Number("must be at least 1", "is a whole number of bytes", least=1, whole=True)


@runtime_checkable
class Store(Protocol):
    """Keeps answers by key; it raises nothing."""

    async def get(self, key: str, /) -> Response | None:
        """The answer, if it is there and its time isn't over."""
        ...

    async def put(self, key: str, response: Response, ttl: float | None, /) -> None:
        """Keep an answer for `ttl` seconds, or for good, as long as there is room."""
        ...


def _bytes(number: int) -> int:
    _BYTES.check(number, "max_bytes")
    return number


def _text(response: Response) -> str | None:
    """What is kept of it; None where it holds what no JSON can."""
    try:
        return as_json(to_json(response))
    except (ValueError, RecursionError):
        return None


class MemoryStore:
    """Keeps the answers that were used last, up to `max_bytes` of them as JSON. Serves all threads and event loops."""

    def __init__(self, max_bytes: int = 64 * _MEBIBYTE, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.max_bytes = _bytes(max_bytes)
        self.clock = clock
        self._kept: OrderedDict[str, tuple[Response, int, float]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        forgets(self)

    def forget(self) -> None:
        """In a forked child, whoever holds the lock is the parent's, and may be in the midst of its work."""
        self._size, self._lock = sum(size for _, size, _ in self._kept.values()), threading.Lock()

    def __repr__(self) -> str:
        return f"MemoryStore({self.max_bytes})"

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or one in another process, begins empty."""
        return (partial(MemoryStore, clock=self.clock), (self.max_bytes,))

    async def get(self, key: str, /) -> Response | None:
        """The answer, if it is there and its time isn't over."""
        with self._lock:
            entry = self._kept.get(key)
            if entry is None:
                return None
            if entry[2] <= self.clock.now():
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return entry[0]

    async def put(self, key: str, response: Response, ttl: float | None, /) -> None:
        """Keep an answer; those that weren't used for the longest time make room for it."""
        text = _text(response)
        size = len(text) if text is not None else math.inf
        if size > self.max_bytes:
            return
        until = math.inf if ttl is None else self.clock.now() + ttl
        with self._lock:
            if key in self._kept:
                self._drop(key)
            self._kept[key] = (attrs.evolve(response, raw=None), int(size), until)
            self._size += int(size)
            while self._size > self.max_bytes:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        self._size -= self._kept.pop(key)[1]


def _file(path: str | os.PathLike[str]) -> Path:
    if not os.fspath(path):
        raise ValueError(f"DiskStore: path is a file such as 'answers.db', not {path!r}")
    return Path(path)


@attrs.frozen
class DiskStore:
    """Keeps answers in one SQLite file, which processes may share; only its owner can read it.

    An answer that was put can be had at once. A thread writes it down soon after, and in the end of the program, or in
    `flush` or `close`, what is still to be written. `now` gives the seconds of the calendar, which outlast the process.
    """

    path: Path = attrs.field(converter=_file)
    max_bytes: int = attrs.field(default=1024 * _MEBIBYTE, converter=_bytes)
    now: Callable[[], float] = attrs.field(default=time.time, repr=False)
    _texts: Texts = attrs.field(
        init=False,
        eq=False,
        repr=False,
        default=attrs.Factory(lambda self: texts_at(self.path.expanduser()), takes_self=True),
    )

    async def get(self, key: str, /) -> Response | None:
        """The answer, if it is there and its time isn't over."""
        return await self._texts.get(key, self.now(), _read)

    async def put(self, key: str, response: Response, ttl: float | None, /) -> None:
        """Keep an answer; those that weren't used for the longest time make room for it. Returns at once."""
        text = _text(response)
        size = 0 if text is None else len(text.encode())
        if text is not None and size <= self.max_bytes:
            now = self.now()
            self._texts.put(key, Entry(text, size, None if ttl is None else now + ttl, now, self.max_bytes))

    def flush(self) -> None:
        """Waits until all answers are written; for five seconds at most where another process holds the file."""
        self._texts.flush()

    def close(self) -> None:
        """The same, and closes the file, until an answer is asked for or put again."""
        self._texts.close()


def _read(text: str) -> Response:
    answer = from_json(json.loads(text))
    if not isinstance(answer, Response) or not isinstance(answer.message, Message):
        raise TypeError("it is no response")
    return answer
