"""Hands out the starts of calls at a pace, evenly and in the order in which they are asked for.

One limiter serves threads, tasks and event loops at once. `with_rate_limit` and `requests_per_minute=` stand on it; the
arithmetic is in `domain/pacing.py`.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from typing import Any

import attrs

from ..domain.error import ErrorKind, ModelError, Scope, Sent
from ..domain.pacing import Pace, Pacing, nanoseconds, pause, release, reserve
from . import deadline
from .clock import SYSTEM_CLOCK, Clock

_HOLDS_BACK = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED})

_SLIGHT = 1_000_000
"""Nanoseconds by which any timer may be late, and no provider notices."""

_LONGEST = 1e9
"""The longest pause, in seconds: thirty years are for ever, and infinity is no number of nanoseconds."""


@attrs.define(eq=False)
class _Seat:
    """A place in the queue: when its call may start."""

    start: int


class Limiter:
    """Hands out starts at a pace; share one between models that share a limit.

    `max_wait` is in seconds: who would wait longer is refused at once. Raises ValueError on a rate or a burst that lets
    nothing through.
    """

    def __init__(
        self, rpm: float, *, burst: int = 1, max_wait: float | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.pace = Pace(rpm, burst)
        if max_wait is not None and not max_wait >= 0:
            raise ValueError(f"max_wait must be at least 0 seconds, not {max_wait!r}")
        self.max_wait = math.inf if max_wait is None else max_wait
        self.clock = clock
        self._state = Pacing()
        self._begun: deque[int] = deque(maxlen=burst)
        self._waiting: dict[_Seat, None] = {}
        self._late = 0
        self._tolerated = max(self.pace.window // 20, _SLIGHT)
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        burst = f", burst={self.pace.burst}" if self.pace.burst > 1 else ""
        most = f", max_wait={self.max_wait:g}" if self.max_wait < math.inf else ""
        return f"Limiter({self.pace.rpm:g}{burst}{most})"

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process, or as a copy, it begins anew: what was handed out here isn't known there."""
        return (_limiter, (self.pace, self.max_wait, self.clock))

    async def acquire(self) -> float | ModelError:
        """Waits for a permit and gives the seconds that it took; or the error, when the wait would be too long."""
        with self._lock:
            asked = self._now()
            state, start = reserve(self.pace, self._state, asked)
            refusal = self._refusal(start, asked)
            if refusal is not None:
                return refusal
            self._state = state
            if start == asked:
                self._begun.append(start)
                return 0.0
            seat = _Seat(start)
            self._waiting[seat] = None
            asked += self._late
        return await self._wait(seat, asked)

    async def _wait(self, seat: _Seat, asked: int) -> float | ModelError:
        try:
            while True:
                start, late = seat.start, self._late
                await self.clock.sleep(max(0.0, (start + late) / 1e9 - self.clock.now()))
                with self._lock:
                    if (seat.start, self._late) == (start, late):
                        behind = self._now() - start
                        if behind > self._tolerated:
                            self._late += behind
                        self._begun.append(start)
                        del self._waiting[seat]
                        return (start + self._late - asked) / 1e9
                    refusal = self._refusal(seat.start, asked - self._late)
                if refusal is not None:
                    return refusal
        finally:
            with self._lock:
                if seat in self._waiting:
                    del self._waiting[seat]
                    self._state = release(self._state, seat.start, self._now())

    def _now(self) -> int:
        """The limiter's own time, which stands still while a call is late to start, so that calls never bunch up."""
        return nanoseconds(self.clock.now()) - self._late

    def hold_back(self, seconds: float) -> None:
        """Let nothing start for so long: the provider has asked for it. Those who wait keep their order."""
        if not seconds > 0:
            return
        with self._lock:
            now = self._now()
            state = pause(self._state, now, now + nanoseconds(min(seconds, _LONGEST)), self._begun)
            if state is not self._state:
                self._state = state
                for seat in sorted(self._waiting, key=lambda seat: seat.start):
                    self._state, seat.start = reserve(self.pace, self._state, now)

    def _refusal(self, start: int, asked: int) -> ModelError | None:
        wait = (start - asked) / 1e9
        if wait > self.max_wait:
            message = f"the wait would be {wait:.3g} s, more than max_wait={self.max_wait:g}"
            return ModelError(ErrorKind.LIMITER_FULL, message, Scope.MODEL, Sent.NO, retry_after=wait)
        if (start - self._now()) / 1e9 > deadline.left():
            message = f"the limiter's next permit comes after {wait:.3g} s, past the deadline"
            return ModelError(ErrorKind.DEADLINE_EXCEEDED, message, Scope.REQUEST, Sent.NO)
        return None

    def heard(self, error: ModelError) -> None:
        """What a call failed with: if the provider asks for time, everybody waits."""
        if error.retry_after and error.kind in _HOLDS_BACK:
            self.hold_back(error.retry_after)


def _limiter(pace: Pace, max_wait: float, clock: Clock) -> Limiter:
    return Limiter(pace.rpm, burst=pace.burst, max_wait=max_wait, clock=clock)
