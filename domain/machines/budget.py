"""Whether a call may still be paid for, and who waits for what calls in flight have set aside.

A call reserves what it may cost before it is sent, and settles what it has cost when it is over; what was spent beyond
the reservation is owed, and nothing more is let through. Who waits is let in in the order of asking, so that a dear
call isn't passed by cheap ones for ever. Money is in whole picodollars, so that what is reserved and given back leaves
no trace. Pure steps.
"""

from __future__ import annotations

import enum
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
    """What has been spent, what is reserved by how many `calls` in flight, and who waits, by ticket and in order."""

    tokens: int = 0
    money: int = 0
    reserved_tokens: int = 0
    reserved_money: int = 0
    calls: int = 0
    waiting: tuple[tuple[int, Cost], ...] = ()
    tickets: int = 0


class Verdict(enum.Enum):
    """What happens to a call that asks."""

    IN = "in"
    WAIT = "wait"
    REFUSED = "refused"


def picodollars(usd: float) -> int:
    """Dollars as whole picodollars: a token of the cheapest model costs ten thousand of them."""
    return round(usd * _PICO)


def dollars(money: int) -> float:
    """Picodollars as dollars."""
    return money / _PICO


def ask(limits: Limits, spending: Spending, cost: Cost, *, waits: bool = False) -> tuple[Spending, Verdict]:
    """The state after a call has asked, and what happens to it; one that is to wait has the last of the tickets.

    >>> ask(Limits(tokens=10), Spending(tokens=3), Cost(tokens=8))[1]
    <Verdict.REFUSED: 'refused'>
    """
    if not spending.waiting and _fits(limits, spending, cost):
        return _reserved(spending, cost), Verdict.IN
    if not waits or not _fits(limits, _all_given_back(spending), cost):
        return spending, Verdict.REFUSED
    ticket = spending.tickets + 1
    waiting = (*spending.waiting, (ticket, cost))
    return attrs.evolve(spending, waiting=waiting, tickets=ticket), Verdict.WAIT


def settle(spending: Spending, reserved: Cost, spent: Cost) -> Spending:
    """The state after a call is over: its reservation is free again, and what it has spent is spent."""
    return attrs.evolve(
        spending,
        tokens=spending.tokens + spent.tokens,
        money=spending.money + spent.money,
        reserved_tokens=spending.reserved_tokens - reserved.tokens,
        reserved_money=spending.reserved_money - reserved.money,
        calls=spending.calls - 1,
    )


def admit(limits: Limits, spending: Spending) -> tuple[Spending, tuple[tuple[int, bool], ...]]:
    """The state after all were heard who need wait no longer: each ticket, and whether its cost is reserved now.

    It isn't for one that won't fit any more, whatever the calls in flight give back.
    """
    heard: list[tuple[int, bool]] = []
    while spending.waiting:
        (ticket, cost), *others = spending.waiting
        fits = _fits(limits, spending, cost)
        if not fits and _fits(limits, _all_given_back(spending), cost):
            break
        heard.append((ticket, fits))
        spending = attrs.evolve(_reserved(spending, cost) if fits else spending, waiting=tuple(others))
    return spending, tuple(heard)


def give_up(spending: Spending, ticket: int) -> Spending:
    """The state without one who waited with this ticket."""
    return attrs.evolve(spending, waiting=tuple(one for one in spending.waiting if one[0] != ticket))


def refusal(limits: Limits, spending: Spending, cost: Cost) -> str:
    """Why a call may not be made: what is spent, what is set aside by calls in flight, and what can be done."""
    if limits.tokens is not None and spending.tokens + spending.reserved_tokens + cost.tokens > limits.tokens:
        left = max(0, limits.tokens - spending.tokens - spending.reserved_tokens)
        said = f"the call may take {cost.tokens} tokens, and {left} of {limits.tokens} are left"
        used, aside = str(spending.tokens), str(spending.reserved_tokens)
    elif limits.usd is not None and spending.money + spending.reserved_money + cost.money > limits.usd * _PICO:
        left_usd = max(0.0, limits.usd - dollars(spending.money + spending.reserved_money))
        said = f"the call may cost {_shown(cost.money)}, and ${left_usd:.6g} of ${limits.usd:g} are left"
        used, aside = _shown(spending.money), _shown(spending.reserved_money)
    else:
        return f"what is left is wanted by {_calls(len(spending.waiting))} that asked earlier"
    said += f": {used} spent"
    if spending.calls:
        said += f", {aside} set aside by {_calls(spending.calls)} in flight"
    if _fits(limits, _all_given_back(spending), cost):
        return f"{said}; max_wait= lets a call wait until they give back what they don't need"
    return f"{said}; lower max_tokens, raise the budget, or stop here"


def _calls(number: int) -> str:
    return "1 call" if number == 1 else f"{number} calls"


def _shown(money: int) -> str:
    return f"${dollars(money):.6g}"


def _fits(limits: Limits, spending: Spending, cost: Cost) -> bool:
    tokens = spending.tokens + spending.reserved_tokens + cost.tokens
    money = spending.money + spending.reserved_money + cost.money
    return (limits.tokens is None or tokens <= limits.tokens) and (limits.usd is None or money <= limits.usd * _PICO)


def _all_given_back(spending: Spending) -> Spending:
    """The state if no call in flight cost anything."""
    return Spending(spending.tokens, spending.money)


def _reserved(spending: Spending, cost: Cost) -> Spending:
    return attrs.evolve(
        spending,
        reserved_tokens=spending.reserved_tokens + cost.tokens,
        reserved_money=spending.reserved_money + cost.money,
        calls=spending.calls + 1,
    )
