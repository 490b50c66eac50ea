"""When a call is slow enough for a second request, and whether one may be made.

The delay is fixed, or a percentile of how long the last calls took. How many second requests are made is bounded by
their share: every call earns a part of one, and a few can be saved up. Pure steps, without a clock.
"""

from __future__ import annotations

import math

import attrs

from ..checks import Number

_TOGETHER = 10
"""Calls are sorted in batches of this many; before the first batch is full, there is no percentile."""

_RECENT = 100
"""How many of the last calls count."""

_SAVED = 10.0
"""How many second requests can be saved up."""

_ROUNDING = 1e-9

_DELAY = Number("must be a finite number of at least 0 seconds", least=0, below=math.inf)
_PERCENTILE = Number("must be between 0 and 1, such as 0.95", above=0, below=1)
_SHARE = Number("must be above 0 and at most 1", above=0, most=1)


@attrs.frozen
class Hedging:
    """When and how often: after `delay` seconds, or at a `percentile` (a share of calls), for a `share` of all calls.

    With both, the delay counts until enough calls were seen. Raises ValueError on numbers that make no sense.
    """

    delay: float | None = None
    percentile: float | None = None
    share: float = 0.1

    def __attrs_post_init__(self) -> None:
        if self.delay is None and self.percentile is None:
            raise ValueError("a second request after how long? Give delay, in seconds, or percentile, such as 0.95")
        if self.delay is not None:
            _DELAY.check(self.delay, "delay")
        if self.percentile is not None:
            _PERCENTILE.check(self.percentile, "percentile")
        _SHARE.check(self.share, "share")


@attrs.frozen
class Seen:
    """How long the last calls took, in seconds: as they came, sorted, and those that aren't sorted yet."""

    recent: tuple[float, ...] = ()
    ordered: tuple[float, ...] = ()
    fresh: tuple[float, ...] = ()


def saw(seen: Seen, seconds: float) -> Seen:
    """The state after one more call."""
    fresh = (*seen.fresh, seconds)
    if len(fresh) < _TOGETHER:
        return Seen(seen.recent, seen.ordered, fresh)
    recent = (seen.recent + fresh)[-_RECENT:]
    return Seen(recent, tuple(sorted(recent)))


def delay_of(hedging: Hedging, seen: Seen) -> float | None:
    """After how many seconds a call is slow; None while nobody knows.

    >>> delay_of(Hedging(percentile=0.9), Seen(ordered=tuple(range(1, 11))))
    9
    """
    if hedging.percentile is None or not seen.ordered:
        return hedging.delay
    return seen.ordered[math.ceil(hedging.percentile * len(seen.ordered)) - 1]


def earn(hedging: Hedging, saved: float) -> float:
    """What is saved up after one more call."""
    return min(_SAVED, saved + hedging.share)


def spend(saved: float) -> tuple[float, bool]:
    """What is left after a second request was asked for, and whether it may be made."""
    return (saved - 1, True) if saved >= 1 - _ROUNDING else (saved, False)
