"""Refuse a call before it is sent when it might cost more than what is left, or let it wait for what others give back.

Each call reserves a guess, and settles by its ledger when it is over: every attempt counts, those that were retried,
replaced or thrown away too. The guess is made with the options in effect, of the model that would cost the most. What
a cache below knows reserves nothing: the reservation is made under the cache. One budget serves threads, tasks and
event loops at once; the arithmetic is in `domain/machines/budget.py`.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs
from returns.result import Failure, Result

from ...adapters.prices import Prices, as_prices, local_free, no_price
from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.fork import forgets
from ...adapters.process.shared import Shared
from ...domain.attempt import Wait
from ...domain.checks import Number, named
from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.frozen import FrozenDict
from ...domain.machines import budget as steps
from ...domain.machines.bounds import Bounds
from ...domain.machines.budget import Cost, Limits, Spending, Verdict
from ...domain.machines.estimate import Estimate, as_estimate, estimated
from ...domain.model import Model
from ...domain.price import Price
from ...domain.request import Request, above
from ...domain.response import Response
from ...domain.usage import Usage
from ..stack.compose import LayerOf
from ..stack.journal import CANCELLED
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, brought, passed_as
from ..stack.opened import Said, T, heard
from ..stack.policy import Call, Decorated
from ..stack.walk import below, in_effect, with_each

_PAID = frozenset({"answered", CANCELLED, ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT, ErrorKind.MALFORMED_RESPONSE})
"""The outcomes of attempts that a provider may have charged, although it didn't say how much."""

_MAX_WAIT = Number("must be at least 0 seconds", least=0)


@attrs.define(eq=False)
class _Waiting:
    """Who waits, on which loop; and whether its cost has been reserved meanwhile, or never will be."""

    cost: Cost
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Future[None]
    reserved: bool | None = None


class Purse(Shared):
    """How much may be spent, and how much has been; share one between the models that are paid from it.

    With `max_wait`, a call waits so many seconds for what calls in flight have set aside, before it is refused; without
    it, it doesn't wait. Raises ValueError where nothing is limited.
    """

    word: ClassVar = "purse"

    def __init__(self, usd: float | None = None, tokens: int | None = None, *, max_wait: float | None = None) -> None:
        self.limits = Limits(usd, tokens)
        if max_wait is not None:
            _MAX_WAIT.check(max_wait, "max_wait")
        self.max_wait = max_wait
        self._begin(Spending())
        forgets(self)

    def _begin(self, spending: Spending) -> None:
        self._spending = spending
        self._waiting: dict[int, _Waiting] = {}
        self._over: deque[tuple[Cost, Cost]] = deque()
        self._lock = threading.Lock()

    def forget(self) -> None:
        """In a forked child: the calls in progress are the parent's, and so may be whoever holds the lock."""
        self._begin(Spending(self._spending.tokens, self._spending.money, tickets=self._spending.tickets))

    def arguments(self) -> dict[str, Any]:
        """Its limits: another one like it has nothing spent."""
        return {**attrs.asdict(self.limits), "max_wait": self.max_wait}

    @property
    def spent_usd(self) -> float:
        """The dollars that calls have cost, those in progress excluded."""
        return steps.dollars(self._spending.money)

    @property
    def spent_tokens(self) -> int:
        """The tokens that calls have taken, those in progress excluded."""
        return self._spending.tokens

    def reserve(self, cost: Cost) -> ModelError | None:
        """Sets aside what a call may cost; or gives the refusal, where there isn't enough left."""
        with self._lock:
            self._spending, verdict = steps.ask(self.limits, self._spending, cost)
            refusal = None if verdict is Verdict.IN else self._refusal(cost)
        self._catch_up()
        return refusal

    async def take(self, cost: Cost, clock: Clock = SYSTEM_CLOCK) -> float | ModelError:
        """Sets aside what a call may cost, and gives the seconds that it waited for it; or the refusal."""
        if self.max_wait is None:
            return self.reserve(cost) or 0.0
        loop = asyncio.get_running_loop()
        waiting = _Waiting(cost, loop, loop.create_future())
        with self._lock:
            self._spending, verdict = steps.ask(self.limits, self._spending, cost, waits=True)
            ticket = self._spending.tickets
            if verdict is Verdict.WAIT:
                self._waiting[ticket] = waiting
            refusal = self._refusal(cost) if verdict is Verdict.REFUSED else None
        self._catch_up()
        return await self._wait(ticket, waiting, clock) if verdict is Verdict.WAIT else refusal or 0.0

    async def _wait(self, ticket: int, waiting: _Waiting, clock: Clock) -> float | ModelError:
        asked, left = clock.now(), deadline.left()
        most = min(left, math.inf if self.max_wait is None else self.max_wait)
        timer = None if most == math.inf else waiting.loop.call_later(max(0.0, most), _wake, waiting.woken)
        try:
            await waiting.woken
        except BaseException:
            self._leave(ticket, waiting)
            if waiting.reserved:
                self.settle(waiting.cost, Cost())
            raise
        finally:
            if timer is not None:
                timer.cancel()
        refusal = self._leave(ticket, waiting)
        waited = clock.now() - asked
        if refusal is None:
            return waited
        if waiting.reserved is None and left <= most:
            message = f"not enough of the budget was free before the deadline: {refusal.message}"
            return ModelError(ErrorKind.DEADLINE_EXCEEDED, message, Scope.REQUEST, Sent.NO)
        return attrs.evolve(refusal, message=f"after a wait of {waited:.3g} s, {refusal.message}")

    def _leave(self, ticket: int, waiting: _Waiting) -> ModelError | None:
        """Waits no longer; gives the refusal, unless the cost has been reserved."""
        with self._lock:
            refusal = None if waiting.reserved else self._refusal(waiting.cost)
            if self._waiting.pop(ticket, None) is not None:
                self._spending = steps.give_up(self._spending, ticket)
                self._admit()
        self._catch_up()
        return refusal

    def settle(self, reserved: Cost, spent: Cost) -> None:
        """A call is over: what it had reserved is free again, and what it has cost is spent.

        Safe in a garbage collection, which may strike while this very thread holds the lock: then it is done after.
        """
        self._over.append((reserved, spent))
        self._catch_up()

    def _catch_up(self) -> None:
        while self._over and self._lock.acquire(blocking=False):
            try:
                if self._over:  # another thread may have been quicker
                    self._spending = steps.settle(self._spending, *self._over.popleft())
                    self._admit()
            finally:
                self._lock.release()

    def _admit(self) -> None:
        self._spending, heard_of = steps.admit(self.limits, self._spending)
        for ticket, reserved in heard_of:
            waiting = self._waiting.pop(ticket)
            waiting.reserved = reserved
            try:
                waiting.loop.call_soon_threadsafe(_wake, waiting.woken)
            except RuntimeError:  # its loop is closed: nobody waits there any more
                if reserved:
                    self._over.append((waiting.cost, Cost()))

    def _refusal(self, cost: Cost) -> ModelError:
        message = steps.refusal(self.limits, self._spending, cost)
        return ModelError(ErrorKind.BUDGET_EXCEEDED, message, Scope.ACCOUNT, Sent.NO)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


class _Purchase:
    """A call that has reserved its cost."""

    __slots__ = ("_budget", "_reserved", "_said", "_usages", "_waited")

    def __init__(self, budget: Budget, usages: Mapping[str | None, Usage], reserved: Cost, waited: float) -> None:
        self._budget, self._usages, self._reserved, self._waited = budget, usages, reserved, waited
        self._said: Response | ModelError | None = None

    def ended(self, said: Said, /) -> Said:
        self._said = said
        return said.waited(Wait("budget", self._waited)) if self._waited else said

    def release(self) -> None:
        spent = self._reserved
        try:
            if self._said is not None:
                spent = self._cost(self._said)
        finally:  # a function of the application's, which says what things cost, may raise
            self._budget.purse.settle(self._reserved, spent)

    def _cost(self, said: Response | ModelError) -> Cost:
        tokens, money = 0, 0
        for attempt in said.attempts:
            usage = attempt.usage
            if usage is None and attempt.outcome in _PAID:
                usage = self._usages.get(attempt.model_id) or max(self._usages.values(), key=_total)
            if usage is not None:
                tokens += usage.total_tokens
                money += self._budget.money(attempt.model_id, usage)
        return Cost(tokens, money)


def _total(usage: Usage) -> int:
    return usage.total_tokens


@attrs.frozen(repr=False)
class Budget(LayerPolicy):
    """What `with_budget` does on each call.

    `paid` are the ids of the models that a call may be answered by, and `weaker` the options of each that a call's own
    stand over. One that `passes` does nothing itself: below it there is a cache, and under each cache a `Gate`.
    """

    purse: Purse = passed_as("usd")
    prices: Mapping[str, Price] | Prices | None = None
    estimate: Estimate | None = None
    clock: Clock = SYSTEM_CLOCK
    paid: tuple[str | None, ...] = brought(())
    weaker: tuple[FrozenDict, ...] = brought((), eq=False)
    price_of: Prices | None = brought(None, eq=False)
    passes: bool = brought(False)

    def shown(self) -> dict[str, Any]:
        """What the purse says of itself."""
        return {"": self.purse.settings()}

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """After the longest wait."""
        most = self.purse.max_wait
        return below if self.passes or most is None else below.waits(most, math.inf)

    def money(self, model_id: str | None, usage: Usage) -> int:
        """The picodollars that this usage costs; what has no price by its own name costs what the dearest does."""
        price_of = self.price_of
        if price_of is None:
            return 0
        usd = price_of(model_id, usage)
        if usd is None:
            usd = max([price_of(other, usage) or 0.0 for other in self.paid])
        return steps.picodollars(usd)

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, if there is enough left for what it may cost."""
        if self.passes:
            return await call(model, request)
        usages, reserved = self._guessed(request)
        waited = await self.purse.take(reserved, self.clock)
        if isinstance(waited, ModelError):
            return Failure(waited)
        return await heard(call(model, request), _Purchase(self, usages, reserved, waited))

    def _guessed(self, request: Request) -> tuple[Mapping[str | None, Usage], Cost]:
        """What each model would use, and the most that it comes to."""
        estimate, usages, tokens, money = self.estimate or estimated, dict[str | None, Usage](), 0, 0
        for model_id, weaker in zip(self.paid, self.weaker, strict=True):
            usage = estimate(above(weaker, request))
            usages[model_id] = max(usage, usages.get(model_id, usage), key=_total)
            tokens, money = max(tokens, usage.total_tokens), max(money, self.money(model_id, usage))
        return usages, Cost(tokens, money)


@attrs.frozen(repr=False)
class Gate(Budget):
    """Where a budget reserves under a cache. It is no layer, and isn't shown as one."""

    unseen: ClassVar = True


def _has_cache(model: Model) -> bool:
    keeps = isinstance(model, Decorated) and getattr(model.policy, "keeps_answers", False)
    return keeps or any(map(_has_cache, below(model)))


def _gated(model: Model, gate: Callable[[Model], Model]) -> Model:
    """The same stack, with a gate under each cache, and over each model beside one."""
    if isinstance(model, Decorated) and _has_cache(model):
        return with_each(model, lambda inner: _gated(inner, gate))
    return gate(model)


@makes_layer
def with_budget(
    usd: float | Purse | None = None,
    tokens: int | None = None,
    *,
    prices: Mapping[str, Price] | Prices | None = None,
    estimate: Estimate | None = None,
    max_wait: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> LayerOf[Budget]:
    """A layer that refuses a call (`budget_exceeded`) when it might cost more than what is left.

    `usd` is in dollars; in its place, a `Purse` that several models are paid from. `prices` is a mapping from a model's
    id to its `Price` (`"*"` for every other), or a function of id and `Usage`; the library genai-prices, if it is
    installed, knows what the mapping doesn't, and a model on this machine costs nothing unless its price is named.
    `estimate` guesses the `Usage` of a request with the options in effect, for what is set aside until the call is
    over. With `max_wait`, a call waits so many seconds for what calls in flight have set aside before it is refused.
    Raises ValueError or TypeError where nothing is limited, and, when the layer is put over a model, where its price
    isn't known.
    """
    if isinstance(usd, Purse):
        purse = usd
        if tokens is not None or max_wait is not None:
            raise TypeError("with_budget: tokens and max_wait belong to the Purse that was passed; set them there")
    else:
        with named("with_budget"):
            purse = Purse(usd, tokens, max_wait=max_wait)
    as_estimate(estimate, "with_budget: estimate")
    price_of = None if purse.limits.usd is None else as_prices(prices, "with_budget: prices")

    def policy(kind: type[Budget], model: Model, passes: bool = False) -> Budget:
        candidates = list(in_effect(model))
        leaves = [leaf for leaf, _ in candidates]
        known = None if price_of is None else local_free(prices, price_of, leaves)
        pairs: list[tuple[str | None, FrozenDict]] = []
        for leaf, options in candidates:
            model_id = getattr(leaf, "model_id", None)
            if known is not None and known(model_id, Usage(1, 1)) is None:
                raise no_price("with_budget", model_id)
            if (model_id, options) not in pairs:
                pairs.append((model_id, options))
        paid, weaker = zip(*pairs, strict=True)
        return kind(purse, prices, estimate, clock, paid=paid, weaker=weaker, price_of=known, passes=passes)

    def layer(model: Model) -> Decorated[Budget]:
        passes = _has_cache(model)
        outer = policy(Budget, model, passes)
        if passes:
            model = _gated(model, lambda inner: Decorated(inner, policy(Gate, inner), clock))
        return Decorated(model, outer, clock)

    return layer
