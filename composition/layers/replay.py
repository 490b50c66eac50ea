"""Calls are answered from a tape that `with_recording` wrote; the model is never asked.

The same request made again gets what came of it the next time, and in the end the last of it again and again. A request
that isn't on the tape is an error that shows the nearest one that is.
"""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, ClassVar

import attrs
from returns.result import Failure, Result, Success

from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...domain.capability import Capabilities
from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.event import Event, Failed, cut_off, replay
from ...domain.forms.fingerprint import fingerprint
from ...domain.forms.tape import Take, nearest, read_line, request_of
from ...domain.machines.bounds import Bounds
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, Rehearsal
from ..stack.opened import T
from ..stack.policy import Call, Decorated
from .recording import Turns, as_path

NOT_ON_TAPE = "not_on_tape"
"""The `code` of the error for a request that isn't there."""


@attrs.frozen(eq=False)
class Tape:
    """What is on a tape: the calls of each request, in order, and each request by its line."""

    takes: dict[str, list[Take]]
    requests: dict[int, Any]

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Tape:
        """The tape at this path. Raises ValueError, with the line, for what can't be read."""
        try:
            text = Path(path).expanduser().read_text(encoding="utf-8")
        except OSError as error:
            fix = "record it first: with_recording(...)"
            raise ValueError(f"with_replay: can't read {os.fspath(path)!r}: {error.strerror}; {fix}") from error
        tape = cls({}, {})
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    take = read_line(line)
                except ValueError as error:
                    raise ValueError(f"with_replay: {os.fspath(path)}, line {number}: {error}") from error
                tape.takes.setdefault(take.key, []).append(take)
                tape.requests[number] = take.request
        return tape


@attrs.frozen(repr=False)
class Replay(LayerPolicy):
    """What `with_replay` does on each call."""

    plays_model: ClassVar = True

    path: str | os.PathLike[str]
    timed: bool = False
    clock: Clock = SYSTEM_CLOCK
    _tape: Tape = attrs.field(init=False, eq=False, default=attrs.Factory(lambda self: Tape.read(self.path), True))
    _turns: Turns = attrs.field(init=False, eq=False, factory=Turns)

    def shown(self) -> dict[str, Any]:
        """Where the tape is."""
        return {"": repr(os.fspath(self.path)), **({"timed": True} if self.timed else {})}

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """No call at all, in the time that the tape takes."""
        return Bounds(0, 0.0, math.inf if self.timed else 0.0)

    def rehearsed(self, at: Rehearsal) -> None:
        """A rehearsal has models of its own."""

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """What came of this request when it was recorded."""
        try:
            key = fingerprint(request)
            takes = self._tape.takes.get(key)
            if takes is None:
                near = nearest(request_of(request), self._tape.requests)
                return Failure(_missing(f"this request isn't on {os.fspath(self.path)!r}; {near}"))
        except ValueError as error:
            return Failure(_missing(f"this request can be on no tape: {error}"))
        take = takes[min(self._turns.take(key), len(takes) - 1)]
        return await call(_Player(model, take, self.clock if self.timed else None), request)


def _missing(message: str) -> ModelError:
    return ModelError(ErrorKind.INVALID_REQUEST, message, sent=Sent.NO, code=NOT_ON_TAPE)


@attrs.frozen
class _Player:
    """Stands for the model, and says what is on the tape."""

    stands_for: Model
    take: Take
    clock: Clock | None
    capabilities = Capabilities()  # nobody asks: the layer declares the model's own

    @property
    def provider(self) -> str | None:
        return getattr(self.stands_for, "provider", None)

    @property
    def model_id(self) -> str | None:
        return getattr(self.stands_for, "model_id", None)

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        await self._until(self.take.seconds, 0.0)
        outcome = self.take.said
        return Failure(outcome) if isinstance(outcome, ModelError) else Success(outcome)

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        now, outcome, pieces = 0.0, self.take.said, self.take.pieces
        for at, piece in pieces or ():
            await self._until(at, now)
            now = at
            yield piece
        await self._until(self.take.seconds, now)
        if isinstance(outcome, ModelError):
            yield Failed(outcome, cut_off((piece for _, piece in pieces or ()), model_id=outcome.model_id).partial)
        else:
            *deltas, last = replay(outcome)
            for delta in deltas if pieces is None else ():
                yield delta
            yield last

    async def _until(self, then: float, now: float) -> None:
        if self.clock is not None and then > now:
            await self.clock.sleep(then - now)


@makes_layer
def with_replay(path: str | os.PathLike[str], *, timed: bool = False, clock: Clock = SYSTEM_CLOCK) -> LayerOf[Replay]:
    """A layer that answers from the tape at this path, and never asks the model below it.

    With `timed`, answers and their pieces come as late as they came when they were recorded. A request that isn't on
    the tape is `invalid_request`, with the nearest one in its message. Raises ValueError, naming the line, for a tape
    that can't be read.
    """
    policy = Replay(as_path(path, "with_replay"), timed, clock)
    return lambda model: Decorated(model, policy, clock)
