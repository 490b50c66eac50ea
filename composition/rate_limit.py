"""Pace the calls of a model, or of several that share one `Limiter`, evenly and in the order in which they ask.

Every physical call takes one permit, so the layer stands inside the retries. A Retry-After from the provider holds back
every caller of the same limiter. One limiter serves threads, tasks and event loops at once.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import attrs
from returns.result import Failure, Result

from ..adapters import deadline
from ..adapters.clock import SYSTEM_CLOCK, Clock
from ..adapters.limiter import Limiter
from ..domain.attempt import Wait
from ..domain.error import ErrorKind, ModelError, Scope, Sent
from ..domain.model import Model
from ..domain.request import Request
from .compose import Layer
from .policy import Call, Decorated, T, waited


@runtime_checkable
class Acquirer(Protocol):
    """A limiter that the application already has, such as `aiolimiter.AsyncLimiter`."""

    async def acquire(self) -> object:
        """Wait for a permit."""
        ...


@attrs.frozen(repr=False)
class RateLimit:
    """The policy of `with_rate_limit`, which see."""

    limiter: Limiter | Acquirer
    clock: Clock = SYSTEM_CLOCK

    def __repr__(self) -> str:
        shown = repr(self.limiter)
        return (
            f"RateLimit({shown.removeprefix('Limiter(').removesuffix(')') if shown.startswith('Limiter(') else shown})"
        )

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, once its permit has come; or a refusal without a call."""
        permit = await self._permit()
        if isinstance(permit, ModelError):
            return Failure(permit)
        result = await call(model, request)
        if isinstance(result, Failure) and isinstance(self.limiter, Limiter):
            self.limiter.heard(result.failure())
        return waited(Wait("rate_limit", permit), result) if permit else result

    async def _permit(self) -> float | ModelError:
        if isinstance(self.limiter, Limiter):
            return await self.limiter.acquire()
        began = self.clock.now()
        left = deadline.left()
        if left == math.inf:
            await self.limiter.acquire()
            return self.clock.now() - began
        import anyio

        with anyio.move_on_after(left) as scope:
            await self.limiter.acquire()
        if scope.cancelled_caught:
            message = "the application's limiter gave no permit before the deadline"
            return ModelError(ErrorKind.DEADLINE_EXCEEDED, message, Scope.REQUEST, Sent.NO)
        return self.clock.now() - began


def with_rate_limit(
    rpm: float | Limiter | Acquirer,
    *,
    burst: int = 1,
    max_wait: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Layer:
    """A layer that lets so many calls a minute start, evenly paced, up to `burst` of them at once.

    No window of a minute holds more than `rpm` starts, retries included. `max_wait` is in seconds: a call that would
    wait longer is refused (`limiter_full`) without being sent. In place of a rate, a `Limiter` that several models
    share, or an `aiolimiter.AsyncLimiter` (anything with `acquire()`). Raises ValueError on a rate that lets
    nothing through.
    """
    if isinstance(rpm, (int, float)):
        rpm = Limiter(rpm, burst=burst, max_wait=max_wait, clock=clock)
    elif burst != 1 or max_wait is not None:
        raise TypeError("with_rate_limit: burst and max_wait belong to the limiter that was passed; set them there")
    elif not isinstance(rpm, (Limiter, Acquirer)):
        raise TypeError(f"with_rate_limit: takes requests per minute or a limiter with acquire(), not {rpm!r}")
    policy = RateLimit(rpm, clock)
    return lambda model: Decorated(model, policy, clock)
