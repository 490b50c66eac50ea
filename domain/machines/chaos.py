"""What goes wrong with which call, decided before it is made: the same plan, the same faults, whoever else calls.

Each call has a number and draws its fate from the plan's seed and that number alone, so that a test that failed can be
run again, in any order and on any number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

import attrs

from ..checks import Number
from ..error import ErrorKind, ModelError, Sent
from ..frozen import EMPTY, FrozenDict

_STATUS: Final[Mapping[ErrorKind, int]] = {
    ErrorKind.AUTHENTICATION: 401,
    ErrorKind.PERMISSION: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.INVALID_REQUEST: 400,
    ErrorKind.CONTEXT_WINDOW: 400,
    ErrorKind.CONTENT_FILTER: 400,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.QUOTA_EXHAUSTED: 429,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.SERVER: 500,
}
_ASKS_FOR_TIME: Final = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED})
_PIECES: Final = 8


_SHARE: Final = Number("is a share from 0 to 1", "is a share from 0 to 1", least=0, most=1)
_SECONDS: Final = Number("is a finite number of at least 0 seconds", "is a number of seconds", least=0, below=math.inf)


def _errors(errors: Mapping[ErrorKind | str, float]) -> FrozenDict:
    if not isinstance(errors, Mapping):
        raise TypeError(f"errors is a share of the calls for each kind, such as {{'server': 0.3}}, not {errors!r}")
    shares: dict[str, float] = {}
    for kind, share in errors.items():
        _SHARE.check(share, f"errors[{str(kind)!r}]")
        try:
            shares[ErrorKind(kind).value] = share
        except ValueError as error:
            raise ValueError(f"{error}; the kinds are {', '.join(ErrorKind)}") from None
    if sum(shares.values()) > 1 + 1e-9:
        raise ValueError(f"errors come to more than all calls: {sum(shares.values()):g}")
    return FrozenDict(shares)


def _windows(down: Iterable[Iterable[float]]) -> tuple[tuple[float, float], ...]:
    try:
        windows = tuple((float(start), float(end)) for start, end in down)
    except (TypeError, ValueError) as error:
        raise type(error)(f"down takes pairs such as [(20, 40)], in seconds since the first, not {down!r}") from None
    for start, end in windows:
        if not 0 <= start < end:
            raise ValueError(f"down takes (from, to) in seconds since the first call, not {(start, end)}")
    return windows


@attrs.frozen
class Plan:
    """What goes wrong, and how often.

    `errors` is a share of the calls for each kind of error, `slow` the share that comes `delay` seconds late, `cut` the
    share of answers that break off. The provider is `down` in each window of (from, to) seconds since the first call.
    `retry_after` is what a refusal asks for, in seconds. Raises ValueError or TypeError on what is no share.

    >>> fate(Plan({"server": 1.0}), 0).error.status
    500
    """

    errors: FrozenDict = attrs.field(default=EMPTY, converter=_errors)
    slow: float = attrs.field(default=0.0, validator=_SHARE)
    delay: float = attrs.field(default=1.0, validator=_SECONDS)
    cut: float = attrs.field(default=0.0, validator=_SHARE)
    down: tuple[tuple[float, float], ...] = attrs.field(default=(), converter=_windows)
    retry_after: float | None = attrs.field(default=None, validator=attrs.validators.optional(_SECONDS))
    seed: int = 0


@attrs.frozen
class Fate:
    """What becomes of one call: an error in place of an answer, seconds of delay, a cut after so many pieces."""

    error: ModelError | None = None
    delay: float = 0.0
    cut: int | None = None


def fate(plan: Plan, number: int, elapsed: float = 0.0) -> Fate:
    """What becomes of call `number`, which starts so many seconds after the first one."""
    delay = plan.delay if plan.slow and _draw(plan.seed, number, "slow") < plan.slow else 0.0
    if any(start <= elapsed < end for start, end in plan.down):
        return Fate(ModelError(ErrorKind.CONNECTION, "the provider is down, as planned", sent=Sent.NO), delay)
    drawn = _draw(plan.seed, number, "error") if plan.errors else 1.0
    for kind, share in plan.errors.items():
        drawn -= share
        if drawn < 0:
            return Fate(_planned(ErrorKind(kind), plan.retry_after), delay)
    if plan.cut and _draw(plan.seed, number, "cut") < plan.cut:
        return Fate(None, delay, int(_draw(plan.seed, number, "where") * _PIECES))
    return Fate(None, delay)


def _planned(kind: ErrorKind, retry_after: float | None) -> ModelError:
    sent = Sent.NO if kind is ErrorKind.CONNECTION else Sent.YES
    wait = retry_after if kind in _ASKS_FOR_TIME else None
    return ModelError(kind, f"{kind}, as planned", sent=sent, retry_after=wait, status=_STATUS.get(kind))


def _draw(seed: int, number: int, what: str) -> float:
    """A number from 0 to 1, 1 excluded."""
    return int.from_bytes(sha256(f"{seed}:{number}:{what}".encode()).digest()[:6], "big") / 2**48
