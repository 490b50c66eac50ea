"""What keeps a layer's state, and may be shared by several: what each is made of, and how it is made again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from ..adapters.limiter import Limiter
from .budget import Purse
from .circuit_breaker import Breaker
from .concurrency import Slots


class Machine(NamedTuple):
    """Its word in a configuration, its class, and the arguments by which that class makes one like it."""

    word: str
    make: Callable[..., Any]
    arguments: Callable[[Any], Mapping[str, Any]]


MACHINES: Final[Mapping[type, Machine]] = {
    Breaker: Machine(
        "breaker",
        Breaker,
        lambda breaker: {
            "ratio": breaker.tolerance.ratio,
            "window": breaker.tolerance.window,
            "minimum": breaker.tolerance.minimum,
            "pause": breaker.tolerance.pause,
            "probes": breaker.tolerance.probes,
            "clock": breaker.clock,
        },
    ),
    Limiter: Machine(
        "limiter",
        Limiter,
        lambda limiter: {
            "rpm": limiter.pace.rpm,
            "tpm": limiter.tpm,
            "burst": limiter.pace.burst,
            "max_wait": None if limiter.max_wait == math.inf else limiter.max_wait,
            "clock": limiter.clock,
        },
    ),
    Purse: Machine("purse", Purse, lambda purse: {"usd": purse.limits.usd, "tokens": purse.limits.tokens}),
    Slots: Machine(
        "slots",
        Slots,
        lambda slots: {"n": slots.room.n, "max_queue": slots.room.max_queue, "clock": slots.clock},
    ),
}
