"""Try again, by kind of error, after a wait that grows and is spread by chance.

The wait before attempt n + 1 is a random share of min(cap, base * 2**(n - 1)) seconds ("full jitter": Brooker,
"Exponential Backoff And Jitter", AWS, 2015), or what the provider's Retry-After says, if that is longer. tenacity does
the arithmetic, and is entered only after a failure. A stream is tried again only until its first content.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs
from returns.result import Result, Success

from ...adapters.process import deadline as deadlines
from ...adapters.process.clock import SYSTEM_CLOCK, Chance, Clock, system_chance
from ...domain.attempt import Attempt, Wait
from ...domain.checks import Number, whole
from ...domain.error import MEANING, ErrorKind, ModelError, ModelFailure, Sent
from ...domain.frozen import EMPTY, FrozenDict
from ...domain.machines.bounds import Bounds
from ...domain.model import Model
from ...domain.request import Request
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy
from ..stack.opened import T, after, waited
from ..stack.policy import Call, Decorated
from .error_filter import ErrorFilter, OnErrors, as_error_filter, passes

RETRIED = frozenset(kind for kind, meaning in MEANING.items() if meaning.retry)
"""The kinds that are tried again unless `on=` says otherwise."""

Hook = Callable[[ModelError, int, float], float | None]
"""Is told of the error, of how many attempts there were and of the wait; may give another wait, in seconds."""

_REFUSED = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED})
"""The provider has seen these requests, and says that it did nothing."""

_SENT = (Sent.NO, Sent.PERHAPS, Sent.YES)

_GROWN = 1000
"""How often a pause has doubled when a number can hardly say how long it is."""


_ATTEMPTS = Number("must be at least 1 (the first call counts)", "must be a whole number", least=1, whole=True)
_SECONDS = Number("must be at least 0 seconds", "must be a number of seconds", least=0)
_DEADLINE = Number("must be more than 0 seconds", "must be a number of seconds", above=0)
_HOOKED = Number("must give seconds of at least 0, or None", least=0)


def _as_per_kind(per_kind: Mapping[Any, int]) -> FrozenDict:
    if not isinstance(per_kind, Mapping):
        raise TypeError(f"with_retry: per_kind must be a dict such as {{'timeout': 2}}, not {per_kind!r}")
    attempts: dict[str, int] = {}
    for kind, most in per_kind.items():
        try:
            known = ErrorKind(kind)
        except ValueError as error:
            raise ValueError(f"with_retry: per_kind: {error}; the kinds are {', '.join(ErrorKind)}") from None
        whole(1).check(most, f"with_retry: per_kind[{known.value!r}]")
        attempts[known.value] = most
    return FrozenDict(attempts)


def _as_sent(resend: Sent | str) -> Sent:
    try:
        return Sent(resend)
    except ValueError:
        raise ValueError(f"with_retry: resend must be one of {', '.join(Sent)}, not {resend!r}") from None


@attrs.frozen(repr=False)
class Retry(LayerPolicy):
    """What `with_retry` does on each call."""

    attempts: int = 4
    base: float = 0.5
    cap: float = 30.0
    max_wait: float = 60.0
    deadline: float | None = None
    on: ErrorFilter = RETRIED
    per_kind: FrozenDict = EMPTY
    resend: Sent = Sent.YES
    hook: Hook | None = None
    wait: Callable[[Any], float] | None = None
    stop: Callable[[Any], bool] | None = None
    clock: Clock = attrs.field(default=SYSTEM_CLOCK, repr=False)
    chance: Chance = attrs.field(default=system_chance, repr=False)

    def __attrs_post_init__(self) -> None:
        _ATTEMPTS.check(self.attempts, "with_retry: attempts")
        _SECONDS.check(self.base, "with_retry: base")
        _SECONDS.check(self.cap, "with_retry: cap")
        _SECONDS.check(self.max_wait, "with_retry: max_wait")
        if self.deadline is not None:
            _DEADLINE.check(self.deadline, "with_retry: deadline")
        for name, strategy in (("wait", self.wait), ("stop", self.stop)):
            if strategy is not None and not callable(strategy):
                raise TypeError(f"with_retry: {name} must be one of tenacity's strategies, not {strategy!r}")
        if self.hook is not None and not callable(self.hook):
            raise TypeError(f"with_retry: hook must be a function of error, attempts and wait, not {self.hook!r}")

    def shown(self) -> dict[str, Any]:
        """How many attempts there are, always."""
        named = {"attempts": self.attempts, **super().shown()}
        return named | {"resend": str(self.resend)} if "resend" in named else named

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """So many calls, with the longest pauses between them."""
        if self.wait is not None or self.hook is not None:
            pauses = math.inf if self.attempts > 1 else 0.0
        else:
            grown = (min(self.cap, self.base * 2.0 ** min(number, _GROWN)) for number in range(self.attempts - 1))
            pauses = sum(max(pause, self.max_wait) for pause in grown)
        bounds = below.times(self.attempts, pauses)
        return bounds if self.deadline is None else bounds.until(self.deadline, below)

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """The first answer, or the last error with all attempts in its ledger."""
        if self.deadline is None:
            return await self._try(call, model, request)
        with deadlines.within(self.deadline, self.clock):
            return await self._try(call, model, request)

    async def _try(self, call: Call[T], model: Model, request: Request) -> Result[T, ModelError]:
        began = self.clock.now()
        result = await call(model, request)
        earlier: tuple[Attempt, ...] = ()
        kinds: list[ErrorKind] = []
        while not isinstance(result, Success):
            error = result.failure()
            kinds.append(error.kind)
            alike = kinds.count(error.kind)
            pause = self.pause(error, len(kinds), self.clock.now() - began, self.chance(), alike)
            if pause is None or pause >= deadlines.left():
                break
            earlier += error.attempts
            await self.clock.sleep(pause)
            result = waited(Wait("retry", pause), await call(model, request))
        return after(earlier, result)

    def pause(self, error: ModelError, number: int, elapsed: float, chance: float, alike: int = 1) -> float | None:
        """Seconds to wait after attempt `number` failed so, as `alike` of them did; None to give up."""
        if number >= self.attempts or alike >= self.per_kind.get(error.kind.value, self.attempts):
            return None
        if error.should_retry is False or not passes(self.on, error) or not self._may_be_sent_again(error):
            return None
        asked = error.retry_after
        floor = asked if asked is not None and asked > 0 else 0.0
        if floor > self.max_wait:
            return None
        state = _tenacity_state(error, number, elapsed)
        if self.wait is not None:
            pause = max(floor, float(self.wait(state)))
        else:
            from tenacity import wait_exponential

            pause = max(floor, chance * wait_exponential(multiplier=self.base, max=self.cap)(state))
        if self.hook is not None:
            pause = self._hooked(self.hook, error, number, pause, floor)
        state.upcoming_sleep = pause
        return None if self.stop is not None and self.stop(state) else pause

    def _hooked(self, hook: Hook, error: ModelError, number: int, pause: float, floor: float) -> float:
        seconds = hook(error, number, pause)
        if seconds is None:
            return pause
        _HOOKED.check(seconds, "with_retry: hook")
        return max(floor, float(seconds))

    def _may_be_sent_again(self, error: ModelError) -> bool:
        return error.kind in _REFUSED or _SENT.index(error.sent) <= _SENT.index(self.resend)


def _tenacity_state(error: ModelError, number: int, elapsed: float) -> Any:
    """What tenacity's strategies look at: the attempt's number, the seconds since the first, and the failure."""
    from tenacity import Future, RetryCallState, Retrying

    state = RetryCallState(retry_object=Retrying(), fn=None, args=(), kwargs={})
    state.attempt_number = number
    state.outcome = Future.construct(number, ModelFailure(error), has_exception=True)
    state.outcome_timestamp = state.start_time + elapsed
    return state


@makes_layer
def with_retry(
    attempts: int = 4,
    *,
    base: float = 0.5,
    cap: float = 30.0,
    max_wait: float = 60.0,
    deadline: float | None = None,
    on: OnErrors = RETRIED,
    per_kind: Mapping[Any, int] = EMPTY,
    resend: Sent | Literal["no", "perhaps", "yes"] = Sent.YES,
    hook: Hook | None = None,
    wait: Callable[[Any], float] | None = None,
    stop: Callable[[Any], bool] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    chance: Chance = system_chance,
) -> LayerOf[Retry]:
    """A layer that tries again when a call fails in a way that may pass.

    `attempts` counts the first call. `base` and `cap` shape the wait, in seconds; a Retry-After longer than `max_wait`
    isn't waited for: the error is given back at once, for a fallback to take over. After `deadline` seconds no attempt
    starts and no layer below waits. `on` is the kinds to try again, or a function of the error, such as `when(...)`.
    `per_kind` bounds the attempts that may fail with one kind. `resend` is how much of a request may have been sent for
    it to be sent again: with `perhaps` none that was surely sent, with `no` none that may have been. `hook` is told of
    each retry before its wait, and may give another one. `wait` and `stop` take tenacity's strategies instead of ours.
    Raises ValueError or TypeError on a number that makes no sense.
    """
    retry = Retry(
        attempts,
        base,
        cap,
        max_wait,
        deadline,
        as_error_filter(on, "with_retry: on"),
        _as_per_kind(per_kind),
        _as_sent(resend),
        hook,
        wait,
        stop,
        clock,
        chance,
    )
    return lambda model: Decorated(model, retry, clock)
