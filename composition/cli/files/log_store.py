"""The log of what was asked and answered: a SQLite file of the user's, written only while the log is on.

What is written holds no secret that the process knows of, nor what looks like one.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs

from ....domain.error import ModelError
from ....domain.forms.json_form import from_json, to_json
from ....domain.forms.redaction import redacted
from ....domain.message import Message
from ....domain.request import Request
from ....domain.response import Response
from .settings import config_folder

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    conversation TEXT NOT NULL,
    model TEXT NOT NULL,
    place TEXT NOT NULL,
    request TEXT NOT NULL,
    outcome TEXT NOT NULL
)
"""


@attrs.frozen
class Entry:
    """A question and what came of it."""

    at: str
    conversation: str
    model: str
    place: str
    """The address that was named, or the file in which the model stands."""
    request: Request
    outcome: Response | ModelError

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation up to here."""
        outcome = self.outcome
        if isinstance(outcome, ModelError) or outcome.tool_calls:  # calls without results, which no model takes
            return self.request.messages
        return (*self.request.messages, outcome.message)


def log_file() -> Path:
    """Where the log is; it need not exist."""
    return config_folder() / "log.db"


def _mark() -> Path:
    return config_folder() / "log-is-on"


def is_on() -> bool:
    """Whether questions and answers are written down."""
    return _mark().exists()


def turn(on: bool) -> None:
    """Write down what is asked from now on, or no longer; what is there stays."""
    if on:
        config_folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        _mark().touch(mode=0o600)
    else:
        _mark().unlink(missing_ok=True)


@contextmanager
def _opened() -> Iterator[sqlite3.Connection]:
    """The file, made if need be; what is written stands in the end. Raises OSError, with the file, where it can't."""
    path = log_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # nobody else may read what is asked
    try:
        with closing(sqlite3.connect(path, timeout=10.0)) as connection, connection:
            connection.execute(_TABLE)
            yield connection
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error), str(path)) from error


def write(
    conversation: str,
    model: str,
    place: str,
    request: Request,
    outcome: Response | ModelError,
    secrets: Iterable[str],
) -> None:
    """Write down one question and what came of it. Raises OSError where it can't be kept."""
    known = tuple(secrets)
    kept = (json.dumps(redacted(to_json(value), known), ensure_ascii=False) for value in (request, outcome))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with _opened() as connection:
        connection.execute(
            "INSERT INTO answers (at, conversation, model, place, request, outcome) VALUES (?, ?, ?, ?, ?, ?)",
            (now, conversation, model, place, *kept),
        )


def entries(count: int, only: str = "") -> list[Entry]:
    """The latest entries, the oldest of them first; `only` those of which this is the type of the outcome."""
    if not log_file().exists():
        return []
    chosen = "WHERE json_extract(outcome, '$.type') = ? OR ? = '' ORDER BY id DESC LIMIT ?"
    with _opened() as connection:
        rows = connection.execute(
            f"SELECT at, conversation, model, place, request, outcome FROM answers {chosen}", (only, only, count)
        ).fetchall()
    return [_entry(row) for row in reversed(rows)]


def _entry(row: tuple[Any, ...]) -> Entry:
    at, conversation, model, place, request, outcome = row
    return Entry(at, conversation, model, place, from_json(json.loads(request)), from_json(json.loads(outcome)))


def last_conversation() -> Entry:
    """The latest question that was answered, with all that went before. Raises ValueError where there is none."""
    if not is_on():  # what was asked since then isn't in it
        raise ValueError("there is no conversation to continue: the log is off; modelport log on keeps what is asked")
    try:
        found = entries(1, "response")
    except OSError as error:
        raise ValueError(f"the log {log_file()} can't be read: {error.strerror}") from error
    if not found:
        raise ValueError("there is no conversation to continue: nothing was answered yet")
    return found[0]
