"""Refuse a call before it is sent when it might cost more than what is left.

Each call reserves a guess, and settles by its ledger when it is over: every attempt counts, those that were retried,
replaced or thrown away too. One budget serves threads, tasks and event loops at once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
from returns.result import Failure, Result

from ...adapters.prices import Prices, as_prices
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.fork import forgets
from ...adapters.process.shared import Shared
from ...domain.checks import named
from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.machines import budget as steps
from ...domain.machines.budget import Cost, Limits, Spending
from ...domain.machines.estimate import Estimate, as_estimate, estimated
from ...domain.model import Model
from ...domain.price import Price
from ...domain.request import Request
from ...domain.response import Response
from ...domain.usage import Usage
from ..stack.compose import Layer
from ..stack.journal import CANCELLED
from ..stack.layer_policy import LayerPolicy, brought, passed_as
from ..stack.opened import OnEnd, T, heard
from ..stack.policy import Call, Decorated
from ..stack.walk import leaves

_PAID = frozenset({"answered", CANCELLED, ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT, ErrorKind.MALFORMED_RESPONSE})
"""The outcomes of attempts that a provider may have charged, although it didn't say how much."""


class Purse(Shared):
    """How much may be spent, and how much has been; share one between the models that are paid from it.

    Raises ValueError where nothing is limited.
    """

    word: ClassVar = "purse"

    def __init__(self, usd: float | None = None, tokens: int | None = None) -> None:
        self.limits = Limits(usd, tokens)
        self._spending = Spending()
        self._lock = threading.Lock()
        forgets(self)

    def forget(self) -> None:
        """In a forked child: the calls in progress are the parent's, and so may be whoever holds the lock."""
        self._spending, self._lock = Spending(self._spending.tokens, self._spending.money), threading.Lock()

    def arguments(self) -> dict[str, Any]:
        """Its limits: another one like it has nothing spent."""
        return attrs.asdict(self.limits)

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
            self._spending, exceeded = steps.reserve(self.limits, self._spending, cost)
        return None if exceeded is None else ModelError(ErrorKind.BUDGET_EXCEEDED, exceeded, Scope.ACCOUNT, Sent.NO)

    def settle(self, reserved: Cost, spent: Cost) -> None:
        """A call is over: what it had reserved is free again, and what it has cost is spent."""
        with self._lock:
            self._spending = steps.settle(self._spending, reserved, spent)


@attrs.define(eq=False)
class _Purchase:
    """A call that has reserved its cost."""

    policy: Budget
    usage: Usage
    reserved: Cost

    def ended(self, outcome: Response | ModelError | None) -> None:
        spent = self.reserved
        try:
            if outcome is not None:
                spent = self._cost(outcome)
        finally:  # a function of the application's, which says what things cost, may raise
            self.policy.purse.settle(self.reserved, spent)

    def _cost(self, outcome: Response | ModelError) -> Cost:
        policy, tokens, money = self.policy, 0, 0
        for attempt in outcome.attempts:
            usage = attempt.usage or (self.usage if attempt.outcome in _PAID else None)
            if usage is not None:
                tokens += usage.total_tokens
                money += policy.money(attempt.model_id, usage)
        return Cost(tokens, money)


@attrs.frozen(repr=False)
class Budget(LayerPolicy):
    """What `with_budget` does on each call. `paid` are the ids of the models that a call may be answered by."""

    purse: Purse = passed_as("usd")
    prices: Mapping[str, Price] | Prices | None = None
    estimate: Estimate | None = None
    paid: tuple[str | None, ...] = brought(())
    price_of: Prices | None = brought(None)

    def shown(self) -> dict[str, Any]:
        """What the purse says of itself."""
        return {"": self.purse.settings()}

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
        usage = (self.estimate or estimated)(request)
        money = 0 if self.price_of is None else max([self.money(model_id, usage) for model_id in self.paid])
        reserved = Cost(usage.total_tokens, money)
        refusal = self.purse.reserve(reserved)
        if refusal is not None:
            return Failure(refusal)
        return await heard(call(model, request), OnEnd(_Purchase(self, usage, reserved).ended))


def with_budget(
    usd: float | Purse | None = None,
    tokens: int | None = None,
    *,
    prices: Mapping[str, Price] | Prices | None = None,
    estimate: Estimate | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Layer:
    """A layer that refuses a call (`budget_exceeded`) when it might cost more than what is left.

    `usd` is in dollars; in its place, a `Purse` that several models are paid from. `prices` is a mapping from a model's
    id to its `Price` (`"*"` for every other), or a function of id and `Usage`; the library genai-prices, if it is
    installed, knows what the mapping doesn't. `estimate` guesses the `Usage` of a request, for what is set aside until
    the call is over. Raises ValueError or TypeError where nothing is limited, and, when the layer is put over a model,
    where its price isn't known.
    """
    if isinstance(usd, Purse):
        purse = usd
        if tokens is not None:
            raise TypeError("with_budget: tokens belong to the Purse that was passed; set them there")
    else:
        with named("with_budget"):
            purse = Purse(usd, tokens)
    as_estimate(estimate, "with_budget: estimate")
    price_of = None if purse.limits.usd is None else as_prices(prices, "with_budget: prices")

    def layer(model: Model) -> Model:
        paid = tuple(dict.fromkeys(getattr(leaf, "model_id", None) for leaf in leaves(model)))
        for model_id in paid:
            if price_of is not None and price_of(model_id, Usage(1, 1)) is None:
                name = model_id or "*"
                raise ValueError(
                    f"with_budget: there is no price for {model_id!r}; say it: prices={{{name!r}: Price(2.5, 10.0)}}"
                )
        return Decorated(model, Budget(purse, prices, estimate, paid=paid, price_of=price_of), clock)

    return layer
