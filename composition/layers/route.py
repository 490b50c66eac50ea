"""Choose for each call which of several models is asked first, and go on to the next when it can't or doesn't answer.

Before anything is paid for, a candidate is skipped that lacks what the request needs, whose breaker is open or whose
limiter is full; the ledger says why. Each candidate is asked at most once. A stream is replaced only until its first
content. One route serves threads, tasks and event loops at once.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import attrs
from returns.result import Failure, Result, Success

from ...adapters.prices import Prices, as_prices, local_free, no_price
from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Chance, Clock, system_chance
from ...adapters.process.fork import forgets
from ...domain.attempt import Attempt, Skipped
from ...domain.capability import missing
from ...domain.checks import Number, named
from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.machines import router as steps
from ...domain.machines.bounds import Bounds, one_after_another
from ...domain.machines.estimate import Estimate, as_estimate, estimated
from ...domain.machines.router import By, ByName, Routing, Situation, Traffic
from ...domain.message import Role, Text
from ...domain.model import Model
from ...domain.price import Price
from ...domain.request import Request, above
from ...domain.response import Response
from ...domain.response_format import Free
from ...domain.usage import Usage
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, brought
from ..stack.opened import OnEnd, T, after, heard, waited
from ..stack.policy import Call, Decorated
from ..stack.walk import first_leaf, in_effect, model_id_of
from .candidates import REPLACED, as_candidates, beyond_mending, exhausted, together, too_late
from .error_filter import ErrorFilter, OnErrors, as_error_filter, passes

_MEASURED = frozenset({By.LEAST_BUSY, By.LOWEST_LATENCY})
_BY_CHANCE = frozenset({By.WEIGHTED, By.CANARY})
_MAX_WAIT = Number("must be at least 0 seconds", least=0)


class Router:
    """What a route has learnt of its candidates."""

    def __init__(self, routing: Routing) -> None:
        self.routing = routing
        self.traffic = Traffic.of(routing.count)
        self._lock = threading.Lock()
        forgets(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process, or as a copy, it begins anew."""
        return (Router, (self.routing,))

    def forget(self) -> None:
        """In a forked child: the calls in progress are the parent's, and so may be whoever holds the lock."""
        self.traffic = attrs.evolve(self.traffic, busy=(0,) * self.routing.count)
        self._lock = threading.Lock()

    def order(self, situation: Situation) -> tuple[int, ...]:
        with self._lock:
            self.traffic, chosen = steps.order(self.routing, self.traffic, situation)
        return chosen

    def step(self, step: Callable[..., Traffic], *what: Any) -> None:
        with self._lock:
            self.traffic = step(self.traffic, *what)


def _router(route: Route) -> Router:
    sizes, count = route.sizes or route.windows, len(route.models) + 1
    return Router(Routing(route.by, count, route.weights, sizes, route.share, route.percentile, route.window))


@attrs.frozen(repr=False)
class Route(LayerPolicy):
    """What `with_route` does on each call. `models` are the candidates beside the one that it stands over."""

    models: tuple[Model, ...]
    by: By
    weights: tuple[float, ...] | None = None
    sizes: tuple[int | None, ...] | None = None
    share: float | None = None
    key: Callable[[Request], str] | None = None
    prices: Mapping[str, Price] | Prices | None = None
    estimate: Estimate | None = None
    percentile: float = 0.9
    window: float = 300.0
    max_wait: float | None = None
    on: ErrorFilter = REPLACED
    clock: Clock = SYSTEM_CLOCK
    chance: Chance = system_chance
    windows: tuple[int | None, ...] | None = brought(None)
    price_of: Prices | None = brought(None, eq=False)
    router: Router = attrs.field(init=False, eq=False, default=attrs.Factory(_router, takes_self=True))

    def shown(self) -> dict[str, Any]:
        """Without the candidates, which stand below it, and without functions and prices."""
        named = self.arguments()
        shown = ("by", "weights", "sizes", "share", "percentile", "window", "max_wait")
        return {name: str(named[name]) if name == "by" else named[name] for name in shown if name in named}

    def bounds(self, below: Bounds, *others: Bounds) -> Bounds:
        """One candidate after the other."""
        return one_after_another((below, *others))

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """The first answer; the first error that no other model could mend; or `exhausted`, with every error."""
        candidates = (model, *self.models)
        errors: list[ModelError] = []
        earlier: tuple[Attempt, ...] = ()
        skipped: list[Skipped] = []
        plain = _is_plain(request)
        for at in self.router.order(self._situation(candidates, request)):
            candidate = candidates[at]
            refusal = self._refusal(candidate, at, request, plain)
            if refusal is None:
                if errors and deadline.left() <= 0:
                    return Failure(too_late(errors, earlier))
                result = await self._measured(call, candidate, at, request)
                if isinstance(result, Success) or result.failure().attempts:
                    for skip in reversed(skipped):
                        result = waited(skip, result)
                    skipped.clear()
                if isinstance(result, Success):
                    return after(earlier, result)
                refusal = result.failure()
                if not passes(self.on, refusal):
                    return Failure(beyond_mending(errors, earlier, refusal))
            if not refusal.attempts:
                skipped.append(Skipped(refusal.kind.value, model_id=model_id_of(candidate)))
            errors.append(refusal)
            earlier += refusal.attempts
        return Failure(exhausted(errors))

    def _situation(self, candidates: tuple[Model, ...], request: Request) -> Situation:
        by = self.by
        if by in _BY_CHANCE:
            return Situation(chance=self.chance())
        if by is By.LOWEST_LATENCY:
            return Situation(now=self.clock.now())
        if by is By.STICKY:
            return Situation(key=(self.key or beginning)(request))
        if by is By.LOWEST_COST and self.price_of is not None:
            estimate = self.estimate or estimated
            return Situation(costs=tuple(_cost(self.price_of, each, request, estimate) for each in candidates))
        return _NOTHING

    async def _measured(self, call: Call[T], model: Model, at: int, request: Request) -> Result[T, ModelError]:
        router = self.router
        if self.by not in _MEASURED:
            return await call(model, request)

        def ended(_: Response | ModelError | None) -> None:
            router.step(steps.ended, at)

        router.step(steps.began, at)
        started = self.clock.now()
        result = await heard(call(model, request), OnEnd(ended))
        if self.by is By.LEAST_BUSY:
            return result
        now = self.clock.now()
        if isinstance(result, Success):
            router.step(steps.answered, at, now, now - started)
        elif result.failure().attempts and passes(self.on, result.failure()):
            router.step(steps.answered, at, now, math.inf)
        return result

    def _refusal(self, model: Model, at: int, request: Request, plain: bool) -> ModelError | None:
        lacking = () if plain else missing(request, model.capabilities)
        if lacking:
            return _refused(ErrorKind.UNSUPPORTED, f"it has no {', '.join(lacking)}", model)
        if self.by is By.PROMPT_SIZE:
            most = self.router.routing.sizes[at] if self.router.routing.sizes else None
            size = (self.estimate or estimated)(request).input_tokens if most is not None else 0
            if most is not None and size > most:
                return _refused(ErrorKind.CONTEXT_WINDOW, f"the prompt has about {size} tokens, {most} at most", model)
        return refusal_of(model, math.inf if self.max_wait is None else self.max_wait)


_NOTHING = Situation()


def _is_plain(request: Request) -> bool:
    """Whether it is nothing but text, as most are: every model can do that, and asking each takes its time."""
    if request.tools or type(request.response_format) is not Free:
        return False
    for message in request.messages:
        for part in message.content:
            if type(part) is not Text:
                return False
    return True


def refusal_of(model: Model, max_wait: float = math.inf) -> ModelError | None:
    """Why a stack would refuse a call now, as far as its policies can tell: a breaker that is open, a full limiter.

    Each policy that has a `refusal(max_wait)` is asked, where a wait of more seconds than that is a refusal, too. A
    stack that falls back may always answer.
    """
    while isinstance(model, Decorated) and not getattr(model.policy, "models", None):
        look = getattr(model.policy, "refusal", None)
        refusal: ModelError | None = look(max_wait) if look is not None else None
        if refusal is not None:
            return attrs.evolve(refusal, model_id=refusal.model_id or model_id_of(model))
        model = model.inner
    return None


def _refused(kind: ErrorKind, message: str, model: Model) -> ModelError:
    return ModelError(kind, message, Scope.REQUEST, Sent.NO, model_id=model_id_of(model))


def _cost(price_of: Prices, model: Model, request: Request, estimate: Estimate) -> float:
    """What the model at the bottom would cost, which is asked first, with the options that it has here."""
    leaf, options = next(in_effect(model))
    cost = price_of(getattr(leaf, "model_id", None), estimate(above(options, request)))
    return math.inf if cost is None else cost


def beginning(request: Request) -> str:
    """A key for what a prompt cache knows again: the tools, and the messages up to the first of the user's."""
    digest = sha256(repr([(tool.name, tool.parameters) for tool in request.tools]).encode())
    for message in request.messages:
        digest.update(f"\0{message.role}\0{message.text}".encode())
        if message.role is Role.USER:
            break
    return digest.hexdigest()


@makes_layer
def with_route(
    *models: Model | Sequence[Model],
    by: By | ByName,
    weights: Sequence[float] | None = None,
    sizes: Sequence[int | None] | None = None,
    share: float | None = None,
    key: Callable[[Request], str] | None = None,
    prices: Mapping[str, Price] | Prices | None = None,
    estimate: Estimate | None = None,
    percentile: float = 0.9,
    window: float = 300.0,
    max_wait: float | None = None,
    on: OnErrors = REPLACED,
    clock: Clock = SYSTEM_CLOCK,
    chance: Chance = system_chance,
) -> LayerOf[Route]:
    """A layer that chooses, for each call, between the model below it and these.

    The model below is the first candidate. `by` is how the order is made: `weighted` (by `weights`), `round_robin`,
    `least_busy`, `lowest_latency` (the `percentile` of the last `window` seconds), `lowest_cost` (by `prices`),
    `capability` (as they stand), `prompt_size` (the smallest of `sizes`, in tokens, that holds it), `sticky` (the same
    `key`, the same model) or `canary` (the last one gets a `share` of the calls). Those that lack what the request
    needs, or would refuse it now, are skipped; so are those whose limiter lets nothing through for `max_wait` seconds.
    `on` is the kinds of error on which the next one is asked. When none answers, the error is `exhausted`. Raises
    TypeError or ValueError for what makes no sense.
    """
    others = tuple(models[0]) if len(models) == 1 and isinstance(models[0], Sequence) else models
    if not others:
        raise TypeError("with_route: route to which model? Name at least one beside the one below")
    candidates = as_candidates(others, "with_route")
    by = _as_by(by)
    for name, value, strategy in (("key", key, By.STICKY), ("prices", prices, By.LOWEST_COST)):
        if value is not None and by is not strategy:
            raise ValueError(f"with_route: {name} goes with by='{strategy}', not with by='{by}'")
    if key is not None and not callable(key):
        raise TypeError(f"with_route: key must be a function from a request to a text, not {key!r}")
    if max_wait is not None:
        _MAX_WAIT.check(max_wait, "with_route: max_wait")
    as_estimate(estimate, "with_route: estimate")
    price_of = as_prices(prices, "with_route: prices") if by is By.LOWEST_COST else None
    with named("with_route"):
        routing = Routing(by, len(candidates) + 1, weights, sizes, share, percentile, window)
    acted_on = as_error_filter(on, "with_route: on")

    def layer(model: Model) -> Decorated[Route]:
        everyone = (model, *candidates)
        if any(model is other for other in candidates):
            raise ValueError(f"with_route: {model!r} is a candidate already; each model is tried once")
        known = None if price_of is None else local_free(prices, price_of, map(first_leaf, everyone))
        for candidate in everyone:
            if known is not None and known(model_id_of(candidate), Usage(1, 1)) is None:
                raise no_price("with_route", model_id_of(candidate))
        windows = tuple(candidate.capabilities.context_window for candidate in everyone)
        policy = Route(
            candidates,
            by,
            routing.weights,
            routing.sizes,
            share,
            key,
            prices,
            estimate,
            percentile,
            window,
            max_wait,
            acted_on,
            clock,
            chance,
            windows=windows if by is By.PROMPT_SIZE else None,
            price_of=known,
        )
        return Decorated(model, policy, clock, together(everyone))

    return layer


def _as_by(by: Any) -> By:
    try:
        return By(by)
    except ValueError:
        raise ValueError(f"with_route: by must be one of {', '.join(By)}, not {by!r}") from None
