"""One connection to an SQLite file: kept open, and opened anew where it must be. Its lock is held while it is used."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

from ..process.fork import in_child

T = TypeVar("T")

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_of_parents: list[sqlite3.Connection] = []
"""Connections that were open when this process was forked. To close one here would break it for the parent."""

_making = threading.Lock()


class Connection:
    """One connection to the file at `path`, which only its owner may read.

    It is opened when it is first used, and anew where another file has taken the place of its own. `schema` makes the
    file where it has no table `mark` yet. For `patience` seconds it is tried again while another process holds the
    file.
    """

    def __init__(self, path: Path, schema: Sequence[str], mark: str, *, patience: float) -> None:
        self.lock = threading.Lock()
        self._path, self._schema, self._mark, self._patience = path, schema, mark, patience
        self._open: tuple[sqlite3.Connection, tuple[int, int]] | None = None

    def do(self, access: Callable[[sqlite3.Connection], T]) -> T:
        """What this access gives. Raises OSError and sqlite3.Error; after these it is opened anew."""
        with self.lock:
            try:
                return access(self._opened())
            except sqlite3.Error as error:
                if not is_busy(error):
                    self.close()
                raise

    def close(self) -> None:
        """Close it; whoever does holds the lock, or is the last one."""
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def forget(self) -> None:
        """In a forked child: an open one is the parent's, and so may be whoever holds the lock."""
        if self._open is not None:
            _of_parents.append(self._open[0])
        self._open, self.lock = None, threading.Lock()

    def _opened(self) -> sqlite3.Connection:
        if self._open is not None and self._open[1] != _identity(self._path):
            self.close()
        if self._open is None:
            _make(self._path)
            file = sqlite3.connect(self._path, timeout=self._patience, isolation_level=None, check_same_thread=False)
            try:
                self._set_up(file)
            except BaseException:
                file.close()
                raise
            self._open = file, _identity(self._path)
        return self._open[0]

    def _set_up(self, file: sqlite3.Connection) -> None:
        file.execute("PRAGMA journal_mode = WAL")  # where the file system can't, it stays as it is
        file.execute("PRAGMA synchronous = NORMAL")
        if not self._is_set_up(file):
            with file:
                file.execute("BEGIN IMMEDIATE")
                if not self._is_set_up(file):  # another process may have been quicker
                    for statement in self._schema:
                        file.execute(statement)

    def _is_set_up(self, file: sqlite3.Connection) -> bool:
        return bool(file.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (self._mark,)).fetchone())


def _make(path: Path) -> None:
    """The file, where there is none. One that SQLite has open must never be opened beside it: that ends its locks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _making, contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


@in_child
def _forget() -> None:
    global _making
    _making = threading.Lock()


def _identity(path: Path) -> tuple[int, int]:
    """Which file it is; another one where there is none."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (state.st_dev, state.st_ino)


def is_busy(error: Exception) -> bool:
    """Whether another connection holds the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY
