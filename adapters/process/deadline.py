"""The moment after which a call in progress must not wait any more, known to every layer below the one that set it."""

from __future__ import annotations

import math
from contextvars import ContextVar

from .clock import Clock

_until: ContextVar[tuple[float, Clock] | None] = ContextVar("modelport_deadline", default=None)


def left() -> float:
    """The seconds until the deadline, on the clock of the layer that set it; infinity where none did."""
    limit = _until.get()
    return math.inf if limit is None else limit[0] - limit[1].now()


class within:
    """Sets a deadline, so many seconds from now, for what happens inside; an earlier one from outside stands."""

    __slots__ = ("_before", "_limit")

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._before = _until.get()
        self._limit = (clock.now() + seconds, clock) if seconds < left() else self._before

    def __enter__(self) -> None:
        _until.set(self._limit)

    def __exit__(self, *_: object) -> None:
        # Not by token: whoever closes an abandoned coroutine does so in a context of its own, where a token is refused.
        if _until.get() is self._limit:
            _until.set(self._before)
