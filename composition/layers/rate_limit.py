"""Pace the calls of a model, or of several that share one `Limiter`, evenly and in the order in which they ask.

Every physical call takes one permit, so the layer stands inside the retries. A Retry-After from the provider, and what
its `x-ratelimit-*` headers say, holds back every caller of the same limiter. One limiter serves threads, tasks and
event loops at once.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable
from functools import partial
from typing import Any, Protocol, runtime_checkable

import attrs
from returns.result import Failure, Result, Success

from ...adapters.http.rate_headers import listening
from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.limiter import Limiter, Permit
from ...domain.attempt import Wait
from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.frozen import EMPTY, FrozenDict
from ...domain.machines.bounds import Bounds
from ...domain.machines.estimate import Estimate, as_estimate, estimated, most_tokens
from ...domain.model import Model
from ...domain.request import Request
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, Rehearsal, brought, passed_as
from ..stack.opened import OnEnd, T, heard, waited
from ..stack.policy import Call, Decorated
from ..stack.walk import weaker_options


@runtime_checkable
class Acquirer(Protocol):
    """A limiter that the application already has, such as `aiolimiter.AsyncLimiter`."""

    async def acquire(self) -> object:
        """Wait for a permit."""
        ...


@attrs.frozen(repr=False)
class RateLimit(LayerPolicy):
    """What `with_rate_limit` does on each call."""

    limiter: Limiter | Acquirer = passed_as("rpm")
    estimate: Estimate | None = None
    clock: Clock = SYSTEM_CLOCK
    weaker: tuple[FrozenDict, ...] = brought((EMPTY,), eq=False)

    def shown(self) -> dict[str, Any]:
        """What the limiter says of itself."""
        return {"": self.limiter.settings() if isinstance(self.limiter, Limiter) else repr(self.limiter)}

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """After the longest wait for a permit."""
        return paced(self.limiter, below)

    def rehearsed(self, at: Rehearsal) -> RateLimit:
        """With a limiter of that time. Raises TypeError for one of the application's."""
        if not isinstance(self.limiter, Limiter):
            raise TypeError(f"{self!r} is a limiter of the application, which waits in its own time")
        return attrs.evolve(self, limiter=at.shared(self.limiter), clock=at.clock)

    def refusal(self, max_wait: float = math.inf) -> ModelError | None:
        """Why a call would be refused now; for a route that looks before it chooses."""
        return self.limiter.refusal(max_wait) if isinstance(self.limiter, Limiter) else None

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, once its permit has come; or a refusal without a call."""
        limiter = self.limiter
        if isinstance(limiter, Limiter):
            tokens = 0 if limiter.tpm is None else most_tokens(request, self.weaker, self.estimate or estimated)
            permit = await limiter.admit(tokens)
        else:
            permit = await self._from_application(limiter)
        if isinstance(permit, ModelError):
            return Failure(permit)
        calling: Awaitable[Result[T, ModelError]] = call(model, request)
        if isinstance(limiter, Limiter):
            with listening(limiter.learn):
                result = await (heard(calling, OnEnd(partial(limiter.ended, permit))) if permit.tokens else calling)
            if not isinstance(result, Success):
                limiter.heard(result.failure())
        else:
            result = await calling
        return waited(Wait("rate_limit", permit.waited), result) if permit.waited else result

    async def _from_application(self, limiter: Acquirer) -> Permit | ModelError:
        began = self.clock.now()
        left = deadline.left()
        if left == math.inf:
            await limiter.acquire()
            return Permit(0, waited=self.clock.now() - began)
        import anyio

        with anyio.move_on_after(left) as scope:
            await limiter.acquire()
        if scope.cancelled_caught:
            message = "the application's limiter gave no permit before the deadline"
            return ModelError(ErrorKind.DEADLINE_EXCEEDED, message, Scope.REQUEST, Sent.NO)
        return Permit(0, waited=self.clock.now() - began)


def paced(limiter: object, below: Bounds) -> Bounds:
    """The bounds of what waits for this limiter first."""
    longest = getattr(limiter, "max_wait", math.inf)
    if longest == math.inf or not isinstance(limiter, Limiter):
        return below.waits(math.inf, math.inf)
    return below.waits(longest, math.floor(longest * limiter.pace.rpm / 60) + limiter.pace.burst)


@makes_layer
def with_rate_limit(
    rpm: float | Limiter | Acquirer,
    *,
    tpm: float | None = None,
    burst: int = 1,
    max_wait: float | None = None,
    estimate: Estimate | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> LayerOf[RateLimit]:
    """A layer that lets `rpm` calls a minute start, evenly paced, up to `burst` of them at once.

    No window of a minute holds more than `rpm` starts, retries included. With `tpm`, none holds more tokens, either:
    `estimate` guesses the `Usage` of a request with the options in effect (a quarter of its bytes, and `max_tokens` or
    500), and the real usage is settled when the call is over. `max_wait` is in seconds: a call that would wait longer
    is refused (`limiter_full`) without being sent. In place of a rate, a `Limiter` that several models share, or an
    `aiolimiter.AsyncLimiter` (anything with `acquire()`). Raises ValueError on a rate that lets nothing through.
    """
    as_estimate(estimate, "with_rate_limit: estimate")
    if isinstance(rpm, (int, float)):
        rpm = Limiter(rpm, tpm=tpm, burst=burst, max_wait=max_wait, clock=clock)
    elif not isinstance(rpm, (Limiter, Acquirer)):
        raise TypeError(f"with_rate_limit: takes requests per minute or a limiter with acquire(), not {rpm!r}")
    elif burst != 1 or max_wait is not None or tpm is not None:
        raise TypeError(
            "with_rate_limit: tpm, burst and max_wait belong to the limiter that was passed; set them there"
        )
    limiter = rpm
    return lambda model: Decorated(model, RateLimit(limiter, estimate, clock, weaker=weaker_options(model)), clock)
