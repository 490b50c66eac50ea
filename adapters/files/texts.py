"""Texts by key in one SQLite file, which processes may share. Nobody waits for what is written.

A text that was put can be had at once. A thread writes it soon, with whatever else has come by then; another thread
reads. While another process holds the file, nothing is found in it, and what is to be written waits in memory. The
file's own triggers keep the sum of all sizes, so that a put costs the same however much is there.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs

from ..process.fork import in_child, pauses
from ..process.thread import Threads, before_threads_end
from .sqlite_file import Connection, is_busy

T = TypeVar("T")

_LOG = logging.getLogger("modelport.cache")

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS answers_1 (
        key TEXT PRIMARY KEY, answer TEXT NOT NULL, size INTEGER NOT NULL, until REAL, used REAL NOT NULL
    )""",
    "CREATE INDEX used_1 ON answers_1 (used)",
    "CREATE INDEX until_1 ON answers_1 (until) WHERE until IS NOT NULL",
    "CREATE TABLE sum_1 (bytes INTEGER NOT NULL)",
    "INSERT INTO sum_1 SELECT CAST(total(size) AS INTEGER) FROM answers_1",
    "CREATE TRIGGER put_1 AFTER INSERT ON answers_1 BEGIN UPDATE sum_1 SET bytes = bytes + NEW.size; END",
    "CREATE TRIGGER gone_1 AFTER DELETE ON answers_1 BEGIN UPDATE sum_1 SET bytes = bytes - OLD.size; END",
    """CREATE TRIGGER changed_1 AFTER UPDATE OF size ON answers_1 BEGIN
        UPDATE sum_1 SET bytes = bytes + NEW.size - OLD.size;
    END""",
)
_GET: Final = "SELECT answer, until, used FROM answers_1 WHERE key = ?"
_USED: Final = "UPDATE answers_1 SET used = ? WHERE key = ?"
_PUT: Final = """
INSERT INTO answers_1 VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
    SET answer = excluded.answer, size = excluded.size, until = excluded.until, used = excluded.used"""
_OLDEST: Final = "SELECT rowid, CAST(size AS INTEGER) FROM answers_1 ORDER BY used, rowid"

_PATIENCE: Final = 5.0
"""The seconds that are waited in the end for a file that another process holds."""

_HELD: Final = 1.0
"""The seconds for which a file isn't read that another process was seen to hold."""

_MINUTE: Final = 60.0
_ROOM: Final = 64 << 20
"""The bytes of text that may wait to be written; beyond them what came first is lost."""


@attrs.frozen(eq=False)
class Entry:
    """A text to be kept: its bytes, until when it is good, when it was put, and how many bytes the file may hold."""

    text: str
    size: int
    until: float | None
    put: float
    most: int


class Texts:
    """The texts of one file, for all threads and event loops of a process; have them from `texts_at`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._reader = Connection(Path(path), _SCHEMA, "sum_1", patience=0.1)
        self._writer = Connection(Path(path), _SCHEMA, "sum_1", patience=0.25)
        self._read_in, self._write_in = Threads("modelport-cache-get", 1), Threads("modelport-cache-put", 1)
        self._said: set[str] = set()
        self._begin()
        weakref.finalize(self, _close, self._reader, self._writer)
        pauses(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, Entry] = {}
        self._size = 0
        self._used: dict[str, float] = {}
        self._job: Future[None] | None = None
        self._end = math.inf
        self._held = -math.inf

    def __reduce__(self) -> tuple[Any, ...]:
        return (texts_at, (self.path,))

    async def get(self, key: str, now: float, read: Callable[[str], T]) -> T | None:
        """What `read` makes of the text, if it is there and still good; what it can't make anything of is left out."""
        with self._lock:
            entry = self._waiting.get(key)
        if entry is not None:
            return read(entry.text) if entry.until is None or entry.until > now else None
        return await asyncio.wrap_future(_started(self._read_in, partial(self._get, key, now, read)))

    def put(self, key: str, entry: Entry) -> None:
        """Keep this text; those that weren't used for the longest time make room for it."""
        with self._lock:
            before = self._waiting.pop(key, None)
            self._waiting[key] = entry
            self._size += entry.size - (0 if before is None else before.size)
            while self._size > _ROOM and len(self._waiting) > 1:
                self._drop(next(iter(self._waiting)))
                self.say("more answers wait to be written than there is room for, and the first of them are lost")
        self._write_soon()

    def flush(self, patience: float = _PATIENCE) -> None:
        """Waits until all is written; for so many seconds at most where another process holds the file."""
        with self._lock:
            job, self._end = self._job, time.monotonic() + patience
        if job is not None:
            job.result()
        self._end = math.inf

    def close(self, patience: float = _PATIENCE) -> None:
        """Waits until all is written, and closes the file; whoever asks for a text again opens it again."""
        self.flush(patience)
        for connection in (self._reader, self._writer):
            with connection.lock:
                connection.close()

    def end(self) -> None:
        """The program ends: what can't be written soon is lost."""
        self._end = time.monotonic() + _PATIENCE

    def say(self, what: str, why: object = None) -> None:
        """Say so in the log, the first time."""
        if what not in self._said:
            self._said.add(what)
            _LOG.warning("the cache %s: %s%s", self.path, what, "" if why is None else f": {why}")

    def pause(self) -> None:
        """Before a fork: no connection of SQLite may be open then."""
        for connection in (self._reader, self._writer):
            connection.lock.acquire()
            connection.close()

    def resume(self) -> None:
        """After the fork, in the parent."""
        for connection in (self._reader, self._writer):
            connection.lock.release()

    def forget(self) -> None:
        """In a forked child: what waits is written by the parent."""
        for connection in (self._reader, self._writer):
            connection.forget()
        self._begin()

    def _get(self, key: str, now: float, read: Callable[[str], T]) -> T | None:
        if time.monotonic() < self._held:
            return None
        try:
            row = self._reader.do(lambda file: file.execute(_GET, (key,)).fetchone())
        except (OSError, sqlite3.Error) as error:
            if is_busy(error):
                self._held = time.monotonic() + _HELD
                self.say("another process holds it, and answers in it aren't found meanwhile")
            else:
                self.say("it is left out", error)
            return None
        if row is None or (row[1] is not None and _is_number(row[1]) and row[1] <= now):
            return None
        try:
            text = read(_checked(*row))
        except (TypeError, ValueError, RecursionError) as error:
            self.say("an answer in it can't be read and is left out", error)
            return None
        if now - row[2] > _MINUTE:  # a write for each read would be much work for little order
            with self._lock:
                self._used[key] = now
            self._write_soon()
        return text

    def _write_soon(self) -> None:
        with self._lock:
            if self._job is not None:
                return
            job: Future[None] = Future()
            self._job = job
        _started(self._write_in, partial(self._write, job))

    def _write(self, job: Future[None]) -> None:
        while True:
            with self._lock:
                batch, used = dict(self._waiting), self._used
                self._used = {}
                if not batch and not used:
                    self._job = None
                    break
            try:
                self._writer.do(partial(_written, batch=batch, used=used))
            except Exception as error:  # whatever it is, later answers may still be written
                if is_busy(error) and time.monotonic() < self._end:
                    self.say("another process holds it, and answers wait in memory to be written")
                    continue
                self.say("an answer can't be written", error)
            with self._lock:
                for key, entry in batch.items():
                    if self._waiting.get(key) is entry:
                        self._drop(key)
        job.set_result(None)

    def _drop(self, key: str) -> None:
        self._size -= self._waiting.pop(key).size


def _started(threads: Threads, work: Callable[[], T]) -> Future[T]:
    try:
        return threads.submit(work)
    except RuntimeError:  # the program ends, and no thread begins any more
        done: Future[T] = Future()
        done.set_result(work())
        return done


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _checked(text: object, until: object, used: object) -> str:
    if not isinstance(text, str) or not _is_number(used) or not (until is None or _is_number(until)):
        raise TypeError("it is of another type")
    return text


def _written(file: sqlite3.Connection, batch: Mapping[str, Entry], used: Mapping[str, float]) -> None:
    with file:
        file.execute("BEGIN IMMEDIATE")
        file.executemany(_USED, ((now, key) for key, now in used.items()))
        if not batch:
            return
        rows = [(key, entry.text, entry.size, entry.until, entry.put) for key, entry in batch.items()]
        last = list(batch.values())[-1]
        file.execute("DELETE FROM answers_1 WHERE until <= ?", (last.put,))
        file.executemany(_PUT, rows)
        ((kept,),) = file.execute("SELECT bytes FROM sum_1")
        if kept > last.most:
            gone = []
            for rowid, size in file.execute(_OLDEST):
                gone.append((rowid,))
                kept -= size
                if kept <= last.most:
                    break
            file.executemany("DELETE FROM answers_1 WHERE rowid = ?", gone)


def _close(*connections: Connection) -> None:
    for connection in connections:
        connection.close()


_known: weakref.WeakValueDictionary[str, Texts] = weakref.WeakValueDictionary()
_making = threading.Lock()


def texts_at(path: str | os.PathLike[str]) -> Texts:
    """The texts in the file at this path: the same for all who ask in this process."""
    place = os.path.abspath(path)
    with _making:
        texts = _known.get(place)
        if texts is None:
            texts = _known[place] = Texts(place)
        return texts


def _end_all() -> None:
    for texts in list(_known.values()):
        texts.end()


@in_child
def _forget() -> None:
    global _making
    _making = threading.Lock()


before_threads_end(_end_all)
