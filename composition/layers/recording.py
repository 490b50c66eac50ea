"""Calls are written on a tape while they are made, for tests to play back.

A tape has one line for each call that came to an end, in JSON. Recorded again, a call takes the place of the line that
it had before, and a line that would say the same stays as it is, so that a tape shows in its diff only what has
changed. A secret is never on it.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
from returns.result import Result

from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.fork import forgets, in_child
from ...domain.error import ModelError
from ...domain.event import Delta
from ...domain.forms.fingerprint import fingerprint
from ...domain.forms.tape import Take, is_same, line_of, request_of
from ...domain.model import Model
from ...domain.request import Request
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, Rehearsal
from ..stack.opened import Said, T, heard
from ..stack.policy import Call, Decorated, Opening
from .known_secrets import known_secrets

_LOG = logging.getLogger("modelport.recording")
_writing = threading.Lock()


@in_child
def _forget() -> None:
    global _writing
    _writing = threading.Lock()


class Turns:
    """How often each request has been made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: Counter[str] = Counter()
        forgets(self)

    def forget(self) -> None:
        """In a forked child: whoever holds the lock may be the parent's."""
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or one in another process, begins anew."""
        return (Turns, ())

    def take(self, key: str) -> int:
        """How often this one was made before."""
        with self._lock:
            self._made[key] += 1
            return self._made[key] - 1


def as_path(path: object, where: str) -> str | os.PathLike[str]:
    """The path of a tape. Raises TypeError for what is none."""
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f"{where}: path is where the tape is, such as 'tests/tape.jsonl', not {path!r}")
    return path


@attrs.frozen(repr=False)
class Recording(LayerPolicy):
    """What `with_recording` does on each call."""

    path: str | os.PathLike[str]
    clock: Clock = SYSTEM_CLOCK
    _turns: Turns = attrs.field(init=False, eq=False, factory=Turns)

    def shown(self) -> dict[str, Any]:
        """Where the tape is."""
        return {"": repr(os.fspath(self.path))}

    def rehearsed(self, at: Rehearsal) -> None:
        """Nothing is written of a rehearsal."""

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, written on the tape when it is over."""
        return await heard(call(model, request), self._take(model, request, isinstance(call, Opening)))

    def _take(self, model: Model, request: Request, streamed: bool) -> _Take:
        try:
            key = fingerprint(request)
        except ValueError as error:
            _LOG.warning("%s: a call is left out: %s", self.path, error)
            key = None
        number = None if key is None else self._turns.take(key)
        return _Take(self, model, request, key, number, streamed)

    def write(self, number: int, key: str, line: str) -> None:
        """Puts the line where this call has its place."""
        path = Path(self.path).expanduser()
        try:
            with _writing:
                path.parent.mkdir(parents=True, exist_ok=True)
                lines = path.read_text(encoding="utf-8").split("\n") if path.exists() else []
                lines = [each for each in lines if each]
                beginning = f'{{"key":"{key}",'
                places = [at for at, each in enumerate(lines) if each.startswith(beginning)]
                if number >= len(places):
                    lines.append(line)
                elif is_same(lines[places[number]], line):
                    return
                else:
                    lines[places[number]] = line
                _replace(path, "\n".join([*lines, ""]))
        except (OSError, ValueError) as error:
            _LOG.error("%s: a call can't be recorded: %s", self.path, error)


def _replace(path: Path, text: str) -> None:
    """Has the file hold this text, all of it or what it held before. Its mode stays, and a link to it stays a link."""
    target = path.resolve()
    target.touch()  # a new one has the mode that the process gives to new files
    handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        shutil.copymode(target, beside)
        os.replace(beside, target)
    except BaseException:
        os.unlink(beside)
        raise


class _Take:
    """One call while it is made."""

    __slots__ = ("_began", "_clock", "_key", "_model", "_number", "_pieces", "_recording", "_request", "_streamed")

    def __init__(
        self, recording: Recording, model: Model, request: Request, key: str | None, number: int | None, streamed: bool
    ) -> None:
        self._recording, self._model, self._request = recording, model, request
        self._key, self._number = key, number
        self._pieces: list[tuple[float, Delta]] = []
        self._streamed = streamed
        self._clock = recording.clock
        self._began = recording.clock.now()

    def saw(self, event: Delta, /) -> None:
        self._pieces.append((self._clock.now() - self._began, event))

    def ended(self, said: Said, /) -> Said:
        if self._key is not None and self._number is not None:
            secrets = known_secrets(self._model)
            pieces = tuple(self._pieces) if self._streamed else None
            try:
                asked = request_of(self._request, secrets)
                line = line_of(Take(self._key, asked, said, self._clock.now() - self._began, pieces), secrets)
            except ValueError as error:
                _LOG.warning("%s: a call is left out: %s", self._recording.path, error)
            else:
                self._recording.write(self._number, self._key, line)
        return said

    def release(self) -> None:
        """Nothing is held: a call that is cut short isn't on the tape."""


@makes_layer
def with_recording(path: str | os.PathLike[str], *, clock: Clock = SYSTEM_CLOCK) -> LayerOf[Recording]:
    """A layer that writes each call, and what came of it, on the tape at this path, for `with_replay` to play back.

    Put it right over the model. A call that is cancelled, and a stream that is left, isn't on the tape. One process at
    a time may write on a tape. Raises TypeError on what is no path.
    """
    recording = Recording(as_path(path, "with_recording"), clock)
    return lambda model: Decorated(model, recording, clock)
