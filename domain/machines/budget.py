"""Whether a call may still be paid for.

A call reserves what it may cost before it is sent, and settles what it has cost when it is over; what was spent beyond
the reservation is owed, and nothing more is let through. Money is in whole picodollars, so that what is reserved and
given back leaves no trace. Pure steps.
"""

from __future__ import annotations

import math

import attrs

from ..checks import Number

_PICO = 1_000_000_000_000


@attrs.frozen
class Cost:
    """What a call takes, in tokens and picodollars."""

    tokens: int = 0
    money: int = 0


_DOLLARS = Number("must be a number of dollars above 0", above=0, below=math.inf)
_TOKENS = Number("must be a whole number of tokens above 0", above=0, whole=True)


@attrs.frozen
class Limits:
    """The most that may be spent, in dollars, in tokens, or in both. Raises ValueError where nothing is limited."""

    usd: float | None = attrs.field(default=None, validator=attrs.validators.optional(_DOLLARS))
    tokens: int | None = attrs.field(default=None, validator=attrs.validators.optional(_TOKENS))

    def __attrs_post_init__(self) -> None:
        if self.usd is None and self.tokens is None:
            raise ValueError("a budget limits dollars, tokens or both: usd=5.0, tokens=100_000")


@attrs.frozen
class Spending:
    """What has been spent, and what is reserved for calls in progress."""

    tokens: int = 0
    money: int = 0
    reserved_tokens: int = 0
    reserved_money: int = 0


def picodollars(usd: float) -> int:
    """Dollars as whole picodollars: a token of the cheapest model costs ten thousand of them."""
    return round(usd * _PICO)


def dollars(money: int) -> float:
    """Picodollars as dollars."""
    return money / _PICO


def reserve(limits: Limits, spending: Spending, cost: Cost) -> tuple[Spending, str | None]:
    """The state after a call with this reservation; or the same state, and why the call may not be made."""
    tokens = spending.reserved_tokens + cost.tokens
    if limits.tokens is not None and spending.tokens + tokens > limits.tokens:
        left = max(0, limits.tokens - spending.tokens - spending.reserved_tokens)
        return spending, f"the call may take {cost.tokens} tokens, and {left} of {limits.tokens} are left"
    money = spending.reserved_money + cost.money
    if limits.usd is not None and spending.money + money > limits.usd * _PICO:
        left_usd = max(0.0, limits.usd - dollars(spending.money + spending.reserved_money))
        return (
            spending,
            f"the call may cost ${dollars(cost.money):.6g}, and ${left_usd:.6g} of ${limits.usd:g} are left",
        )
    return Spending(spending.tokens, spending.money, tokens, money), None


def settle(spending: Spending, reserved: Cost, spent: Cost) -> Spending:
    """The state after a call is over: its reservation is free again, and what it has spent is spent."""
    return Spending(
        spending.tokens + spent.tokens,
        spending.money + spent.money,
        spending.reserved_tokens - reserved.tokens,
        spending.reserved_money - reserved.money,
    )
