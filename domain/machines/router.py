"""Which of several models is asked first, and which after it.

Each strategy puts all candidates in an order, by what is known of them and what is asked. It doesn't know who can't be
asked now: whoever drives it goes down the order. Times are in seconds. Pure steps.
"""

from __future__ import annotations

import enum
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Final, Literal

import attrs

from ..checks import Number

_KEPT = 16
"""How many of the last times of a candidate are kept."""


class By(enum.StrEnum):
    """What decides."""

    WEIGHTED = "weighted"
    ROUND_ROBIN = "round_robin"
    LEAST_BUSY = "least_busy"
    LOWEST_LATENCY = "lowest_latency"
    LOWEST_COST = "lowest_cost"
    CAPABILITY = "capability"
    PROMPT_SIZE = "prompt_size"
    STICKY = "sticky"
    CANARY = "canary"


ByName = Literal[
    "weighted",
    "round_robin",
    "least_busy",
    "lowest_latency",
    "lowest_cost",
    "capability",
    "prompt_size",
    "sticky",
    "canary",
]


def _numbers(values: Any) -> Any:
    return tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else values


_SHARE = Number("must be what share of calls the last candidate gets, from 0 to 1", least=0, most=1)
_PERCENTILE = Number("must be a number from 0 to 1", least=0, most=1)
_WINDOW = Number("must be a number of seconds of at least 0", least=0)


@attrs.frozen
class Routing:
    """How `count` candidates are put in order. Raises ValueError for what its strategy lacks or doesn't use."""

    by: By
    count: int
    weights: tuple[float, ...] | None = attrs.field(default=None, converter=_numbers)
    sizes: tuple[int | None, ...] | None = attrs.field(default=None, converter=_numbers)
    share: float | None = None
    percentile: float = attrs.field(default=0.9, validator=_PERCENTILE)
    window: float = attrs.field(default=300.0, validator=_WINDOW)

    def __attrs_post_init__(self) -> None:
        for name, value, by in (
            ("weights", self.weights, By.WEIGHTED),
            ("sizes", self.sizes, By.PROMPT_SIZE),
            ("share", self.share, By.CANARY),
        ):
            if value is not None and self.by is not by:
                raise ValueError(f"{name} goes with by='{by}', not with by='{self.by}'")
        if self.by is By.WEIGHTED:
            self._check_each("weights", self.weights, 0)
            if not 0 < sum(self.weights or ()) < math.inf:
                raise ValueError(f"weights must add up to a number above 0, not {self.weights!r}")
        if self.sizes is not None:
            self._check_each("sizes", [math.inf if size is None else size for size in self.sizes], 1)
        if self.by is By.CANARY:
            _SHARE.check(self.share, "share")

    def _check_each(self, name: str, values: object, least: float) -> None:
        each = Number(f"must be a number for each of the {self.count} candidates", least=least)
        if not isinstance(values, (tuple, list)) or len(values) != self.count or not all(map(each.holds, values)):
            raise ValueError(f"{name} {each.due}, not {values!r}")


@attrs.frozen
class Traffic:
    """What has been learnt: how busy each candidate is, its last answers as (moment, seconds), and whose turn it is."""

    busy: tuple[int, ...]
    times: tuple[tuple[tuple[float, float], ...], ...]
    turn: int = 0

    @classmethod
    def of(cls, count: int) -> Traffic:
        """Nothing yet."""
        return cls((0,) * count, ((),) * count)


@attrs.frozen
class Situation:
    """What a strategy may look at: a number from 0 to 1 (1 excluded), what each would cost, and a key to stick to."""

    now: float = 0.0
    chance: float = 0.0
    costs: tuple[float, ...] = ()
    key: str = ""


Order = tuple[Traffic, tuple[int, ...]]
"""The state after a choice, and the candidates by number, the preferred one first."""


def order(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    """The state after a choice, and the candidates by number, the preferred one first."""
    return _ORDERS[routing.by](routing, traffic, situation)


def _as_they_stand(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    return traffic, tuple(range(routing.count))


def _by_weight(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    return traffic, _drawn(routing.weights or (), situation.chance)


def _in_turn(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    first, everyone = traffic.turn % routing.count, tuple(range(routing.count))
    return Traffic(traffic.busy, traffic.times, traffic.turn + 1), everyone[first:] + everyone[:first]


def _by_calls_in_progress(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    turn, busy, count = traffic.turn, traffic.busy, routing.count
    chosen = sorted(range(count), key=lambda at: (busy[at], (at - turn) % count))
    return Traffic(busy, traffic.times, turn + 1), tuple(chosen)


def _by_latency(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    levels = [level(routing, times, situation.now) or 0.0 for times in traffic.times]
    return traffic, tuple(sorted(range(routing.count), key=lambda at: (levels[at], traffic.busy[at], at)))


def _by_cost(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    return traffic, tuple(sorted(range(routing.count), key=lambda at: situation.costs[at]))


def _by_size(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    sizes = routing.sizes or (None,) * routing.count
    return traffic, tuple(sorted(range(routing.count), key=lambda at: sizes[at] or math.inf))


def _by_key(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    def rank(at: int) -> bytes:
        return sha256(f"{at}:{situation.key}".encode()).digest()

    return traffic, tuple(sorted(range(routing.count), key=rank))


def _a_share_to_the_last(routing: Routing, traffic: Traffic, situation: Situation) -> Order:
    everyone = tuple(range(routing.count))
    return traffic, (everyone[-1:] + everyone[:-1] if situation.chance < (routing.share or 0.0) else everyone)


_ORDERS: Final[Mapping[By, Callable[[Routing, Traffic, Situation], Order]]] = MappingProxyType(
    {
        By.WEIGHTED: _by_weight,
        By.ROUND_ROBIN: _in_turn,
        By.LEAST_BUSY: _by_calls_in_progress,
        By.LOWEST_LATENCY: _by_latency,
        By.LOWEST_COST: _by_cost,
        By.CAPABILITY: _as_they_stand,
        By.PROMPT_SIZE: _by_size,
        By.STICKY: _by_key,
        By.CANARY: _a_share_to_the_last,
    }
)


def _drawn(weights: tuple[float, ...], chance: float) -> tuple[int, ...]:
    """An order drawn by weight without putting back; what is left of one chance after a draw is the next."""
    left = [at for at, weight in enumerate(weights) if weight]
    drawn: list[int] = []
    while len(left) > 1:
        sums = list(accumulate(weights[at] for at in left))
        point = chance * sums[-1]
        place = min(bisect_right(sums, point), len(left) - 1)
        at = left.pop(place)
        drawn.append(at)
        chance = min(max(1.0 - (sums[place] - point) / weights[at], 0.0), math.nextafter(1.0, 0.0))
    return (*drawn, *left, *[at for at, weight in enumerate(weights) if not weight])


def level(routing: Routing, times: tuple[tuple[float, float], ...], now: float) -> float | None:
    """The percentile of the times that aren't too old (nearest rank); None where there are none."""
    oldest = now - routing.window
    recent = sorted([seconds for moment, seconds in times if moment > oldest])
    return recent[max(0, math.ceil(routing.percentile * len(recent)) - 1)] if recent else None


def began(traffic: Traffic, at: int) -> Traffic:
    """The state after candidate number `at` was asked."""
    return Traffic(_changed(traffic.busy, at, traffic.busy[at] + 1), traffic.times, traffic.turn)


def answered(traffic: Traffic, at: int, now: float, seconds: float) -> Traffic:
    """The state after it took so long to answer; infinity for a failure."""
    times = (*traffic.times[at], (now, seconds))[-_KEPT:]
    return Traffic(traffic.busy, _changed(traffic.times, at, times), traffic.turn)


def ended(traffic: Traffic, at: int) -> Traffic:
    """The state after its call was over."""
    return Traffic(_changed(traffic.busy, at, traffic.busy[at] - 1), traffic.times, traffic.turn)


def _changed(values: tuple[Any, ...], at: int, value: Any) -> tuple[Any, ...]:
    return (*values[:at], value, *values[at + 1 :])
