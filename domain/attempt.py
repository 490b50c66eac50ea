"""The ledger: one entry for every physical call behind an answer, or behind the lack of one."""

from __future__ import annotations

import attrs

from .fields import short_repr
from .usage import Usage


@attrs.frozen
class Wait:
    """Time spent before an attempt, in seconds, and what for: `rate_limit`, `retry`, ..."""

    reason: str
    seconds: float


@attrs.frozen
class Skipped(Wait):
    """A candidate that was passed over before an attempt, and why: the kind of its refusal. It took no time."""

    seconds: float = 0.0
    model_id: str | None = None


@attrs.frozen
class Attempt:
    """One physical call.

    `outcome` is `answered`, the kind of the error, or `cancelled` for a call that was cut short; `duration` and
    `first_event` (for a stream) are in seconds from its start; `discarded` says that its answer was thrown away.
    `started` is in seconds of the clock of the layers; of the machine's, where a model stands alone.
    """

    provider: str | None
    model_id: str | None
    outcome: str
    started: float = 0.0
    duration: float = 0.0
    first_event: float | None = None
    message: str | None = None
    usage: Usage | None = None
    waits: tuple[Wait, ...] = ()
    discarded: bool = False
    __repr__ = short_repr


def without_times(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """The same ledger without what differs from call to call: when each began, and how long it took."""
    return tuple(attrs.evolve(each, started=0.0, duration=0.0, first_event=None) for each in attempts)


def with_wait(attempts: tuple[Attempt, ...], wait: Wait) -> tuple[Attempt, ...]:
    """The same ledger, its first attempt having waited first; one that made no call is left as it is."""
    if not attempts:
        return attempts
    first = attempts[0]
    return (attrs.evolve(first, waits=(wait, *first.waits)), *attempts[1:])


def counted(attempts: tuple[Attempt, ...]) -> str:
    """A ledger, as it is shown where it stands beside other things."""
    return f"<{len(attempts)} attempt{'' if len(attempts) == 1 else 's'}>"
