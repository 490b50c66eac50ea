"""Every layer of this package, by its policy and by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from .budget import Budget, with_budget
from .cache import Cache, with_cache
from .chaos import Chaos, with_chaos
from .check import Check, with_check
from .circuit_breaker import CircuitBreaker, with_circuit_breaker
from .compose import Layer
from .concurrency import Concurrency, with_concurrency
from .defaults import Defaults, with_defaults
from .fallback import Fallback, with_fallback
from .hedge import Hedge, with_hedge
from .log import Log, with_log
from .rate_limit import RateLimit, with_rate_limit
from .recording import Recording, with_recording
from .replay import Replay, with_replay
from .retry import Retry, with_retry
from .route import Route, with_route
from .timeout import Timeout, with_timeout
from .trace import Trace, with_trace

LAYERS: Final[Mapping[type, Callable[..., Layer]]] = {
    Budget: with_budget,
    Cache: with_cache,
    Chaos: with_chaos,
    Check: with_check,
    CircuitBreaker: with_circuit_breaker,
    Concurrency: with_concurrency,
    Defaults: with_defaults,
    Fallback: with_fallback,
    Hedge: with_hedge,
    Log: with_log,
    RateLimit: with_rate_limit,
    Recording: with_recording,
    Replay: with_replay,
    Retry: with_retry,
    Route: with_route,
    Timeout: with_timeout,
    Trace: with_trace,
}
"""What makes the layer of each policy."""

BY_NAME: Final[Mapping[str, Callable[..., Layer]]] = {make.__name__: make for make in LAYERS.values()}
"""The same by the name that it is written with."""
