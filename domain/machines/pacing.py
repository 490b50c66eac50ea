"""When the next call may start, so that no minute ever holds more of them than the rate allows.

At most `burst` calls start in any window of burst/rate minutes. With a burst of one that is an even pace (GCRA with no
tolerance: ITU-T I.371); with a burst of the whole rate it is the sliding minute. A burst that doesn't divide the rate
would fill some minute beyond it, so that the minute is counted beside it. Times are whole nanoseconds, so that
nothing drifts. Pure steps: `reserve` hands out starts in the order of asking, `release` takes back one that nobody will
use, and `pause` voids those still to come.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterable
from functools import cached_property

import attrs

from ..checks import Number, whole

_SECOND = 1_000_000_000
_MINUTE = 60 * _SECOND
_RATE = Number("must be a number above 0", above=0, below=math.inf)


@attrs.frozen
class Pace:
    """How fast: `rpm` calls a minute, `burst` of them at once. Raises ValueError on rates that let nothing through."""

    rpm: float
    burst: int = 1

    def __attrs_post_init__(self) -> None:
        _RATE.check(self.rpm, "requests per minute")
        whole(1).check(self.burst, "burst")
        if self.burst > 1 and self.burst > self.rpm:
            raise ValueError(f"a burst of {self.burst} is more than the {self.rpm} requests that a minute may hold")

    @cached_property
    def window(self) -> int:
        """The nanoseconds in which at most `burst` calls start; rounded up, lest a minute hold one too many."""
        return math.ceil(_MINUTE * self.burst / self.rpm)

    @cached_property
    def limits(self) -> tuple[tuple[int, int], ...]:
        """How many calls may start in how many nanoseconds, the longest window last."""
        burst = (self.burst, self.window)
        return (burst,) if self.burst == 1 or self.rpm % self.burst == 0 else (burst, (int(self.rpm), _MINUTE))

    @property
    def kept(self) -> int:
        """How many of the last starts decide when the next one may be."""
        return self.limits[-1][0]


@attrs.frozen
class Pacing:
    """The last starts that were handed out, as many as count, and those given back; sorted, in nanoseconds."""

    starts: tuple[int, ...] = ()
    not_before: int | None = None
    free: tuple[int, ...] = ()


def nanoseconds(seconds: float) -> int:
    """Seconds of a clock as whole nanoseconds."""
    return round(seconds * _SECOND)


def reserve(pace: Pace, state: Pacing, now: int) -> tuple[Pacing, int]:
    """The state after one more call was let through, and when it may start (nanoseconds, `now` at the earliest)."""
    start = now if state.not_before is None else max(now, state.not_before)
    if state.free:
        free = state.free[bisect_left(state.free, start) :]
        if free:
            return Pacing(state.starts, state.not_before, free[1:]), free[0]
    if state.starts:
        start = max(start, state.starts[-1])
    for count, window in pace.limits:
        if len(state.starts) >= count:
            start = max(start, state.starts[-count] + window)
    return Pacing((*state.starts, start)[-pace.kept :], state.not_before), start


def release(state: Pacing, start: int, now: int) -> Pacing:
    """The state in which a start that nobody will use is handed out again, if it is still to come."""
    if start <= now:
        return state
    free = list(state.free)
    insort(free, start)
    return Pacing(state.starts, state.not_before, tuple(free))


def pause(state: Pacing, now: int, until: int, begun: Iterable[int]) -> Pacing:
    """The state in which nothing starts before `until`; starts still to come are void, and must be reserved again.

    `begun` are the last starts that were used, as many as count: those that were handed out may all be to come.
    """
    if until <= now or (state.not_before is not None and until <= state.not_before):
        return state
    return Pacing(tuple(sorted(begun)), until)
