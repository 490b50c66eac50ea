"""When a call of so many tokens may start, so that no minute ever holds more of them than the limit.

A call spends an estimate when it starts, which is corrected when it is over: what was too much is free again, what was
too little is owed, and later calls wait for it. Times are whole nanoseconds. Pure steps.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

import attrs

from .pacing import Pace, Pacing, reserve

MINUTE = 60_000_000_000
_GRAIN = MINUTE // 2000
"""Starts this near to each other are one entry, which leaves the minute with the last of them."""


@attrs.frozen
class Meter:
    """What was spent lately: entries of (last start, first start, tokens), oldest first, and their sum."""

    log: tuple[tuple[int, int, int], ...] = ()
    total: int = 0


def earliest(tpm: int, meter: Meter, now: int, tokens: int) -> int:
    """When these tokens may be spent: `now` at the earliest, and after all that were handed out before.

    More tokens than a minute's limit wait until nothing else is in the minute.
    """
    log, left = meter.log, meter.total
    if not log:
        return now
    start = max(now, log[-1][0])
    for last, _, spent in log:
        if last + MINUTE > start and left + tokens <= tpm:
            break
        start = max(start, last + MINUTE)
        left -= spent
    return start


def admit(
    pace: Pace, tpm: int, pacing: Pacing, meter: Meter, now: int, tokens: int, not_before: int | None = None
) -> tuple[Pacing, Meter, int]:
    """The states after a call for these tokens was let through, and when it may start by pace and tokens."""
    soonest = now if not_before is None else max(now, not_before)
    pacing, start = reserve(pace, pacing, earliest(tpm, meter, soonest, tokens))
    return pacing, spend(meter, start, tokens, now), start


def spend(meter: Meter, start: int, tokens: int, now: int) -> Meter:
    """The state after these tokens were handed out to a call that starts at `start`."""
    log, total = meter.log, meter.total + tokens
    gone = 0
    while gone < len(log) and log[gone][0] + MINUTE <= now:
        total -= log[gone][2]
        gone += 1
    log = log[gone:]
    if log and start - log[-1][1] < _GRAIN:
        _, first, spent = log[-1]
        return Meter((*log[:-1], (max(start, log[-1][0]), first, spent + tokens)), total)
    return Meter((*log, (start, start, tokens)), total)


def correct(meter: Meter, start: int, tokens: int) -> Meter:
    """The state after the call that started at `start` took so many tokens more (below zero: fewer) than estimated."""
    at = bisect_left(meter.log, (start,))
    if at == len(meter.log) or meter.log[at][1] > start:
        return meter  # it has left the minute
    last, first, spent = meter.log[at]
    changed = ((last, first, spent + tokens),) if spent + tokens > 0 else ()
    return Meter((*meter.log[:at], *changed, *meter.log[at + 1 :]), meter.total + max(tokens, -spent))


def give_back(
    pace: Pace, pacing: Pacing, meter: Meter, start: int, tokens: int, others: Iterable[int]
) -> tuple[Pacing, Meter]:
    """The states after the call that was to start at `start` has given up; `others` are the last starts that stand.

    The next call goes after the last of them: a call in their midst could take tokens that those after it count on.
    """
    return Pacing(tuple(sorted(others)[-pace.kept :]), pacing.not_before), correct(meter, start, -tokens)


def owe(tpm: int, meter: Meter, now: int, left: int, until: int) -> Meter:
    """The state in which only `left` tokens are free before `until`: somebody else has spent the rest."""
    known = sum(spent for last, _, spent in meter.log if last + MINUTE > now)
    missing = tpm - known - left
    if missing <= 0:
        return meter
    start = min(until - MINUTE, now)
    log = meter.log
    at = bisect_left(log, (start,))
    if at < len(log) and log[at][1] <= start:  # entries never overlap, or those who are corrected miss theirs
        last, first, spent = log[at]
        return Meter((*log[:at], (last, first, spent + missing), *log[at + 1 :]), meter.total + missing)
    return Meter((*log[:at], (start, start, missing), *log[at:]), meter.total + missing)
