"""Where answers are kept for the next time: in memory, or in a file that outlasts the process.

What is kept is the JSON of `domain/forms/json_form.py`, never a pickle, so that whoever writes to the file can make a
cache give wrong answers and can't make it run code. The file is SQLite's, through the standard library. A store that
fails is as good as an empty one: it says so in the log, and the model is asked.
"""

from __future__ import annotations

import json
import logging
import math
import os
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import attrs

from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...domain.checks import Number
from ...domain.forms.json_form import from_json, to_json
from ...domain.message import Message, as_json
from ...domain.response import Response

_LOG = logging.getLogger("modelport.cache")
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


_TABLE: Final = """
CREATE TABLE IF NOT EXISTS answers_1 (
    key TEXT PRIMARY KEY, answer TEXT NOT NULL, size INTEGER NOT NULL, until REAL, used REAL NOT NULL
)"""
_OLDEST: Final = """
DELETE FROM answers_1 WHERE key IN (
    SELECT key FROM (SELECT key, sum(size) OVER (ORDER BY used DESC, rowid DESC) AS upto FROM answers_1) WHERE upto > ?
)"""
_MINUTE: Final = 60.0


@attrs.frozen
class DiskStore:
    """Keeps answers in one SQLite file, which processes may share; only its owner can read it.

    `now` gives the seconds of the calendar, which outlast the process. Each access opens the file anew, in a worker
    thread: nothing is held open, whatever forks or closes in between.
    """

    path: Path = attrs.field(converter=Path)
    max_bytes: int = attrs.field(default=1024 * _MEBIBYTE, converter=_bytes)
    now: Callable[[], float] = attrs.field(default=time.time, repr=False)

    async def get(self, key: str, /) -> Response | None:
        """The answer, if it is there and its time isn't over."""
        import anyio.to_thread

        return await anyio.to_thread.run_sync(self._quietly, partial(self._get, key))

    async def put(self, key: str, response: Response, ttl: float | None, /) -> None:
        """Keep an answer; those that weren't used for the longest time make room for it."""
        import anyio.to_thread

        text = _text(response)
        if text is not None and len(text.encode()) <= self.max_bytes:
            await anyio.to_thread.run_sync(self._quietly, partial(self._put, key, text, ttl))

    def _quietly(self, access: Callable[[sqlite3.Connection], Response | None]) -> Response | None:
        try:
            self._make()
            with closing(sqlite3.connect(self.path, timeout=5)) as file, file:
                file.execute(_TABLE)
                return access(file)
        except (OSError, sqlite3.Error, ValueError, RecursionError) as error:
            _LOG.warning("the cache %s is left out: %s", self.path, error)
            return None

    def _make(self) -> None:
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))

    def _get(self, key: str, file: sqlite3.Connection) -> Response | None:
        now = self.now()
        row = file.execute("SELECT answer, until, used FROM answers_1 WHERE key = ?", (key,)).fetchone()
        if row is None or (row[1] is not None and row[1] <= now):
            return None
        if now - row[2] > _MINUTE:  # a write for each read would be much work for little order
            file.execute("UPDATE answers_1 SET used = ? WHERE key = ?", (now, key))
        answer = from_json(json.loads(row[0]))
        return answer if isinstance(answer, Response) and isinstance(answer.message, Message) else None

    def _put(self, key: str, text: str, ttl: float | None, file: sqlite3.Connection) -> None:
        now = self.now()
        until = None if ttl is None else now + ttl
        size = len(text.encode())
        file.execute("DELETE FROM answers_1 WHERE until <= ?", (now,))
        file.execute("INSERT OR REPLACE INTO answers_1 VALUES (?, ?, ?, ?, ?)", (key, text, size, until, now))
        file.execute(_OLDEST, (self.max_bytes,))
