"""How much one call of a stack can come to, layer by layer, before anything is sent.

A layer of one's own says so with a method `bounds(*below)` of its policy, which is given the bounds of the model below
and of each model that it brings, and gives its own; of one that says nothing, nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import attrs

from ..domain.bounds import Bounds, one_after_another
from ..domain.model import Model
from .policy import Decorated, Direct

UNKNOWN: Final = Bounds(math.inf, math.inf, math.inf, math.inf)
"""The bounds of a layer that doesn't say."""

_GROWN: Final = 1000
"""How often a pause has doubled when a number can hardly say how long it is."""

Rule = Callable[..., Bounds]


def bounds(model: Model) -> Bounds:
    """The most physical calls, seconds and places in queues that one call of this model can come to.

    A provider may take for ever, unless `with_timeout` says otherwise.

    >>> from modelport import ScriptedModel, compose, with_retry
    >>> str(bounds(compose(ScriptedModel("Hi!"), with_retry(attempts=4))))
    '4 calls, any number of seconds, 0 places in queues'
    """
    if not isinstance(model, Decorated):
        return _paced(model)
    below = (bounds(model.inner), *(bounds(other) for other in getattr(model.policy, "models", ())))
    own: Rule | None = getattr(model.policy, "bounds", None)
    if own is not None:
        return own(*below)
    rule = _rules().get(type(model.policy))
    return UNKNOWN if rule is None else rule(model.policy, *below)


def _paced(model: Any) -> Bounds:
    limiter = getattr(model, "_limiter", None)
    return Bounds() if limiter is None else _limited(limiter, Bounds())


def _limited(limiter: Any, below: Bounds) -> Bounds:
    longest = getattr(limiter, "max_wait", math.inf)
    if longest == math.inf:
        return below.waits(math.inf, math.inf)
    return below.waits(longest, math.floor(longest * limiter.pace.rpm / 60) + limiter.pace.burst)


def _retry(retry: Any, below: Bounds) -> Bounds:
    if retry.wait is not None or retry.hook is not None:
        pauses = math.inf if retry.attempts > 1 else 0.0
    else:
        grown = (min(retry.cap, retry.base * 2.0 ** min(number, _GROWN)) for number in range(retry.attempts - 1))
        pauses = sum(max(pause, retry.max_wait) for pause in grown)
    found = below.times(retry.attempts, pauses)
    return found if retry.deadline is None else found.until(retry.deadline, below)


def _hedge(hedge: Any, below: Bounds) -> Bounds:
    """The second request begins after the delay, which by percentile is no longer than a call."""
    longest = hedge.delay if hedge.percentile is None else max(hedge.delay or 0.0, below.seconds)
    return attrs.evolve(below.waits(longest), calls=below.calls * 2)


def _timeout(timeout: Any, below: Bounds) -> Bounds:
    limits = [seconds for seconds in (timeout.total, timeout.attempt) if seconds is not None]
    return below.within(min(limits)) if limits else below


def _slots(concurrency: Any, below: Bounds) -> Bounds:
    most = concurrency.slots.room.max_queue
    if most == 0:
        return below
    return below.waits(math.inf, math.inf if most is None else most)


def _unchanged(_: Any, below: Bounds) -> Bounds:
    return below


def _in_turn(_: Any, *below: Bounds) -> Bounds:
    return one_after_another(below)


@cache
def _rules() -> Mapping[type, Rule]:
    """What each layer of this package makes of what is below it."""
    from .budget import Budget
    from .cache import Cache
    from .chaos import Chaos
    from .check import Check
    from .circuit_breaker import CircuitBreaker
    from .concurrency import Concurrency
    from .defaults import Defaults
    from .fallback import Fallback
    from .hedge import Hedge
    from .log import Log
    from .rate_limit import RateLimit
    from .recording import Recording
    from .replay import Replay
    from .retry import Retry
    from .route import Route
    from .timeout import Timeout
    from .trace import Trace

    return {
        Budget: _unchanged,
        Cache: _unchanged,
        Chaos: lambda chaos, below: below.works(chaos.planned.delay if chaos.planned.slow else 0.0),
        Check: lambda check, below: below.times(check.repair + 1),
        CircuitBreaker: _unchanged,
        Concurrency: _slots,
        Defaults: _unchanged,
        Direct: _unchanged,
        Fallback: _in_turn,
        Hedge: _hedge,
        Log: _unchanged,
        RateLimit: lambda layer, below: _limited(layer.limiter, below),
        Recording: _unchanged,
        Replay: lambda replay, below: Bounds(0, 0.0, math.inf if replay.timed else 0.0),
        Retry: _retry,
        Route: _in_turn,
        Timeout: _timeout,
        Trace: _unchanged,
    }
