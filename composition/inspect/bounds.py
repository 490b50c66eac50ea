"""How much one call of a stack can come to, layer by layer, before anything is sent.

A policy says so with a method `bounds(below, *others)`, which is given the bounds of the model below and of each model
that it brings, and gives its own; of one that says nothing, nothing is known.
"""

from __future__ import annotations

import math
from typing import Any, Final

from ...adapters.process.limiter import Limiter
from ...domain.machines.bounds import Bounds
from ...domain.model import Model
from ..layers.rate_limit import paced
from ..stack.policy import Decorated, is_unseen
from ..stack.walk import below

UNKNOWN: Final = Bounds(math.inf, math.inf, math.inf, math.inf)
"""The bounds of a layer that doesn't say."""


def limiter_of(model: object) -> Limiter | None:
    """What paces the calls of a model besides its layers: `requests_per_minute` of its adapter."""
    limiter = getattr(model, "limiter", None)
    return limiter if isinstance(limiter, Limiter) else None


def bounds(model: Model) -> Bounds:
    """The most physical calls, seconds and places in queues that one call of this model can come to.

    A provider may take for ever, unless `with_timeout` says otherwise.

    >>> from modelport import ScriptedModel, compose, with_retry
    >>> str(bounds(compose(ScriptedModel("Hi!"), with_retry(attempts=4))))
    '4 calls, any number of seconds, 0 places in queues'
    """
    if not isinstance(model, Decorated):
        limiter = limiter_of(model)
        return Bounds() if limiter is None else paced(limiter, Bounds())
    if is_unseen(model):
        return bounds(model.inner)
    policy: Any = model.policy
    return policy.bounds(*map(bounds, below(model))) if hasattr(policy, "bounds") else UNKNOWN
