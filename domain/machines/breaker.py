"""When a model that fails too often is left alone, and when it is tried again.

    closed ── of at least `minimum` calls in the window, a share of `ratio` failed ──> open
    open ── its pause is over, and somebody asks ──> half open
    half open ── `probes` calls went well ──> closed
    half open ── one failed ──> open
    any ── isolate ──> isolated ── reset ──> closed

The window slides in tenths. Times are in seconds. Pure steps: `ask` lets a call through or doesn't, `report` says how
it went. A report names the era in which its call was let through; one from an era before doesn't count.
"""

from __future__ import annotations

import enum

import attrs

from ..checks import SHARE, SOME_SECONDS, whole

_TENTHS = 10


class Mode(enum.StrEnum):
    """What a breaker does with calls: lets them through, lets a few through, or none."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    ISOLATED = "isolated"


class Judgement(enum.StrEnum):
    """How a call went, for a breaker; `neither` is the caller's own mistake, a refusal, or a call that was given up."""

    GOOD = "good"
    BAD = "bad"
    NEITHER = "neither"


@attrs.frozen
class Tolerance:
    """How much failure is tolerated, and for how long a model that fails more is left alone. Raises ValueError."""

    ratio: float = attrs.field(default=0.5, validator=SHARE)
    window: float = attrs.field(default=60.0, validator=SOME_SECONDS)
    minimum: int = attrs.field(default=10, validator=whole(1))
    pause: float = attrs.field(default=30.0, validator=SOME_SECONDS)
    probes: int = attrs.field(default=1, validator=whole(1))


@attrs.frozen
class Circuit:
    """What a breaker knows.

    `slices` are the tenths of the window as (number, calls, failures), `until` is when an open one may be asked again,
    and of a half-open one `out` probes are on their way and `good` came back well.
    """

    mode: Mode = Mode.CLOSED
    era: int = 0
    slices: tuple[tuple[int, int, int], ...] = ()
    until: float = 0.0
    out: int = 0
    good: int = 0


def ask(tolerance: Tolerance, circuit: Circuit, now: float) -> tuple[Circuit, bool]:
    """The state after somebody asked to make a call, and whether it may be made."""
    match circuit.mode:
        case Mode.CLOSED:
            return circuit, True
        case Mode.OPEN if now >= circuit.until:
            return Circuit(Mode.HALF_OPEN, circuit.era + 1, out=1), True
        case Mode.HALF_OPEN if circuit.out + circuit.good < tolerance.probes:
            return attrs.evolve(circuit, out=circuit.out + 1), True
    return circuit, False


def report(
    tolerance: Tolerance, circuit: Circuit, era: int, judgement: Judgement, now: float, asked: float | None = None
) -> Circuit:
    """The state after a call of this era; `asked` is for how many seconds the provider wants to be left alone."""
    bad = judgement is Judgement.BAD
    if circuit.era == era and circuit.mode is Mode.CLOSED and not bad:
        return (
            circuit
            if judgement is Judgement.NEITHER
            else Circuit(Mode.CLOSED, era, _counted(tolerance, circuit, now, 0))
        )
    pause = max(tolerance.pause, asked) if asked is not None and asked > 0 else tolerance.pause
    if circuit.era != era:
        late = bad and circuit.mode is Mode.OPEN and pause > tolerance.pause
        return attrs.evolve(circuit, until=max(circuit.until, now + pause)) if late else circuit
    match circuit.mode:
        case Mode.CLOSED:
            slices = _counted(tolerance, circuit, now, 1)
            calls = sum(tenth[1] for tenth in slices)
            failures = sum(tenth[2] for tenth in slices)
            if calls >= tolerance.minimum and failures >= tolerance.ratio * calls:
                return Circuit(Mode.OPEN, era + 1, until=now + pause)
            return Circuit(Mode.CLOSED, era, slices)
        case Mode.HALF_OPEN if bad:
            return Circuit(Mode.OPEN, era + 1, until=now + pause)
        case Mode.HALF_OPEN:
            good = circuit.good + (judgement is Judgement.GOOD)
            if good >= tolerance.probes:
                return Circuit(era=era + 1)
            return attrs.evolve(circuit, out=circuit.out - 1, good=good)
    return circuit


def _counted(tolerance: Tolerance, circuit: Circuit, now: float, failed: int) -> tuple[tuple[int, int, int], ...]:
    """The window with one more call in it, and without the tenths that have left it."""
    slices, number = circuit.slices, int(now * _TENTHS // tolerance.window)
    if slices and slices[-1][0] >= number:
        last, calls, failures = slices[-1]
        return (*slices[:-1], (last, calls + 1, failures + failed))
    return (*(tenth for tenth in slices if tenth[0] > number - _TENTHS), (number, 1, failed))


def isolate(circuit: Circuit) -> Circuit:
    """The state in which nothing is let through until somebody resets it."""
    return Circuit(Mode.ISOLATED, circuit.era + 1)


def reset(circuit: Circuit) -> Circuit:
    """The state in which everything is let through, and nothing is held against the model."""
    return Circuit(era=circuit.era + 1)


def wait(circuit: Circuit, now: float) -> float | None:
    """The seconds after which it is worth asking again, where that is known."""
    return max(0.0, circuit.until - now) if circuit.mode is Mode.OPEN else None
