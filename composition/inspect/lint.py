"""Stacks that can't be meant, each told with its fix; one without findings may still be wrong, but not in these ways.

A rule looks at one way through the stack: the layers from the outermost to a model, then that model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from typing import Any, Final

import attrs

from ...adapters.local.model import LocalModel
from ...domain.capability import FEATURES
from ...domain.error import ErrorKind
from ...domain.model import Model
from ..layers.cache import Cache
from ..layers.circuit_breaker import CircuitBreaker
from ..layers.fallback import Fallback
from ..layers.hedge import Hedge
from ..layers.rate_limit import RateLimit
from ..layers.retry import Retry
from ..layers.timeout import Timeout
from ..show.table import table
from ..stack.compose import describe, expect_model
from ..stack.policy import Decorated, is_unseen
from ..stack.walk import below, first_leaf, leaves
from .bounds import limiter_of


@attrs.frozen
class Finding:
    """What is odd about a stack: the rule, where, why it can't be meant, and what to do."""

    rule: str
    where: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.message}; {self.fix}"


class Findings(tuple[Finding, ...]):
    """Findings, which a notebook shows as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        if not self:
            return "<p>no findings</p>"
        return table(("rule", "where", "why", "fix"), [attrs.astuple(each) for each in self])


Way = tuple[Any, ...]
Rule = Callable[[Way], Iterator[Finding]]


def lint(model: Model, *, needs: str | Iterable[str] = ()) -> Findings:
    """What can't be meant in this stack, each finding once; `needs` are capabilities that requests will ask for.

    Raises ValueError for a capability that there isn't.

    >>> from modelport import ScriptedModel, compose, with_retry
    >>> stack = compose(ScriptedModel("Hi!"), with_retry(attempts=3), with_retry(attempts=4))
    >>> [finding.rule for finding in lint(stack)]
    ['nested-retries']
    """
    expect_model(model, "lint: the argument is")
    needed = (needs,) if isinstance(needs, str) else tuple(needs)
    for name in needed:
        if name not in FEATURES:
            raise ValueError(f"lint: needs: there is no capability {name!r}; there are {', '.join(FEATURES)}")
    ways = tuple(_ways(model))
    found = (finding for way in ways for rule in RULES for finding in rule(way))
    return Findings(dict.fromkeys((*found, *_twice(ways), *_of_another_kind(model), *_lacking(ways, needed))))


def _ways(model: Model) -> Iterator[Way]:
    if not isinstance(model, Decorated):
        yield (model,)
        return
    for inner in below(model):
        for way in _ways(inner):
            yield way if is_unseen(model) else (model.policy, *way)


def _pairs(way: Way, outer: type, inner: type) -> Iterator[tuple[Any, Any]]:
    return ((one, other) for one, other in combinations(way, 2) if isinstance(one, outer) and isinstance(other, inner))


def _around(outer: object, inner: object) -> str:
    return f"{outer!r} around {inner!r}"


def nested_retries(way: Way) -> Iterator[Finding]:
    """A retry inside a retry multiplies."""
    for outer, inner in _pairs(way, Retry, Retry):
        calls = f"{outer.attempts} x {inner.attempts} = {outer.attempts * inner.attempts} calls"
        yield Finding("nested-retries", _around(outer, inner), f"at worst these are {calls}", "keep one of them")


def limiter_outside_retry(way: Way) -> Iterator[Finding]:
    """A limiter outside a retry meters the first attempt alone."""
    for outer, inner in _pairs(way, RateLimit, Retry):
        message = "only the first attempt of each call is paced, the others aren't"
        fix = "write with_rate_limit before with_retry in compose"
        yield Finding("limiter-outside-retry", _around(outer, inner), message, fix)


def breaker_outside_retry(way: Way) -> Iterator[Finding]:
    """A breaker outside a retry hears of a failure only when all attempts have been made."""
    for outer, inner in _pairs(way, CircuitBreaker, Retry):
        message = "the breaker hears of a failure after all attempts, and an open circuit should end them"
        fix = "write with_circuit_breaker before with_retry in compose"
        yield Finding("breaker-outside-retry", _around(outer, inner), message, fix)


def attempt_over_total(way: Way) -> Iterator[Finding]:
    """An attempt may not take longer than the whole."""
    for outer, inner in _pairs(way, Timeout, Timeout):
        for name in ("attempt", "first_event", "idle"):
            seconds = getattr(inner, name)
            if outer.total is not None and seconds is not None and seconds > outer.total:
                message = f"{name}={seconds:g} never strikes, as the total of {outer.total:g} s is over before"
                yield Finding("attempt-over-total", _around(outer, inner), message, f"lower {name}, or raise total")


def retry_outside_fallback(way: Way) -> Iterator[Finding]:
    """A retry outside a fallback does nothing."""
    for outer, inner in _pairs(way, Retry, Fallback):
        if not isinstance(outer.on, frozenset) or not isinstance(inner.on, frozenset):
            continue
        if outer.on - (inner.on - {ErrorKind.EXHAUSTED}):
            continue  # what the fallback gives back as it is may be tried again
        message = "when every candidate has failed the error is exhausted, which isn't tried again"
        fix = "retry each candidate: write with_retry before with_fallback in compose"
        yield Finding("retry-outside-fallback", _around(outer, inner), message, fix)


def cache_outside_fallback(way: Way) -> Iterator[Finding]:
    """A cache outside a fallback keeps the substitute's answer as the model's own."""
    for outer, inner in _pairs(way, Cache, Fallback):
        message = "an answer of the substitute is kept and given when the first model is well again"
        fix = "write with_cache before with_fallback in compose"
        yield Finding("cache-outside-fallback", _around(outer, inner), message, fix)


def hedge_without_limiter(way: Way) -> Iterator[Finding]:
    """Second requests load a provider that is slow already."""
    for at, layer in enumerate(way):
        limited = limiter_of(way[-1]) is not None
        if isinstance(layer, Hedge) and not limited and not any(isinstance(it, RateLimit) for it in way[at + 1 :]):
            message = "a provider that is slow because it has too much to do is given more, and nothing limits it"
            yield Finding("hedge-without-limiter", repr(layer), message, "write with_rate_limit before with_hedge")


RULES: Final[tuple[Rule, ...]] = (
    nested_retries,
    limiter_outside_retry,
    breaker_outside_retry,
    attempt_over_total,
    retry_outside_fallback,
    cache_outside_fallback,
    hedge_without_limiter,
)
"""The rules that look at one way through a stack."""


def _twice(ways: tuple[Way, ...]) -> Iterator[Finding]:
    """A substitute that is no other one."""
    for at, (*_, model) in enumerate(ways):
        if any(model is other for *_, other in ways[:at]):
            message = "it stands in the stack twice, and fails the second time as it did the first"
            yield Finding("one-model-twice", repr(model), message, "keep it in one place")


def _of_another_kind(model: Model) -> Iterator[Finding]:
    """The embedded default in the place of a model that is a hundred times its size."""
    if isinstance(model, Decorated) and isinstance(model.policy, Fallback):
        first = first_leaf(model)
        for substitute in (leaf for each in model.policy.models for leaf in leaves(each)):
            if _is_demonstration(substitute) and not _is_demonstration(first):
                message = f"its answers can't stand for those of {describe(first)}: it is there to be tried (135M)"
                fix = "name a model that may answer instead, or let the call fail"
                yield Finding("fallback-of-another-kind", describe(substitute), message, fix)
    for each in below(model):
        yield from _of_another_kind(each)


def _is_demonstration(model: Model) -> bool:
    return isinstance(model, LocalModel) and getattr(model, "model_id", None) == "default"


def _lacking(ways: tuple[Way, ...], needed: tuple[str, ...]) -> Iterator[Finding]:
    """A model that can't answer what will be asked."""
    for *_, model in ways:
        lacks = [name for name in needed if not getattr(model.capabilities, name)]
        if lacks:
            message = f"it has no {', '.join(lacks)}, and refuses what asks for that"
            yield Finding("lacks-capability", repr(model), message, "use a model that has, or state it: capabilities=")
