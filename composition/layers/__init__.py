"""Every layer of this package, by the name that a configuration has for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from ..stack.compose import Layer
from .budget import with_budget
from .cache import with_cache
from .chaos import with_chaos
from .check import with_check
from .circuit_breaker import with_circuit_breaker
from .concurrency import with_concurrency
from .defaults import with_defaults
from .fallback import with_fallback
from .hedge import with_hedge
from .log import with_log
from .rate_limit import with_rate_limit
from .recording import with_recording
from .replay import with_replay
from .retry import with_retry
from .route import with_route
from .timeout import with_timeout
from .trace import with_trace

BY_NAME: Final[Mapping[str, Callable[..., Layer]]] = {
    make.__name__: make
    for make in (
        with_budget,
        with_cache,
        with_chaos,
        with_check,
        with_circuit_breaker,
        with_concurrency,
        with_defaults,
        with_fallback,
        with_hedge,
        with_log,
        with_rate_limit,
        with_recording,
        with_replay,
        with_retry,
        with_route,
        with_timeout,
        with_trace,
    )
}
"""What makes a layer, by its name."""


def name_of(policy: object) -> str | None:
    """The name of the layer whose policy this is: `with_rate_limit` for `RateLimit`; None for one of your own."""
    name = "with" + re.sub("(?=[A-Z])", "_", type(policy).__name__).lower()
    make = BY_NAME.get(name)
    return name if make is not None and make.__module__ == type(policy).__module__ else None
