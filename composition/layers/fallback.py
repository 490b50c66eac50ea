"""When a model fails, or answers badly, ask the next one.

The candidates are asked in order, each at most once, until one answers or fails in a way that no other model could
mend. A candidate may itself have fallbacks, so that they form a tree. A stream is replaced only until its first
content, and nobody is asked after the deadline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from returns.result import Failure, Result, Success

from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...domain.attempt import Attempt
from ...domain.bad_answer import AnswerFilter, BadAnswer, OnAnswers, bad_answer_error
from ...domain.error import ModelError
from ...domain.frozen import FrozenDict
from ...domain.machines.bounds import Bounds, one_after_another
from ...domain.model import Model
from ...domain.options.option import canonical, merge
from ...domain.options.option_names import KNOWN
from ...domain.request import Request
from ...domain.secrecy import shown
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy
from ..stack.opened import Opened, T, after
from ..stack.policy import Call, Decorated
from .candidates import REPLACED, as_candidates, beyond_mending, exhausted, together, too_late
from .error_filter import ErrorFilter, OnErrors, as_error_filter, passes


@attrs.frozen(repr=False)
class Fallback(LayerPolicy):
    """What `with_fallback` does on each call."""

    models: tuple[Model, ...]
    on: ErrorFilter = REPLACED
    on_response: AnswerFilter | None = None
    options: tuple[FrozenDict, ...] = ()
    clock: Clock = SYSTEM_CLOCK

    def shown(self) -> dict[str, Any]:
        """Without the candidates, which stand below it, and without secrets."""
        named = {name: value for name, value in super().shown().items() if name != "models"}
        return {"": ", ".join(f"{name}={_shown(value)}" for name, value in named.items())} if named else {}

    def bounds(self, below: Bounds, *others: Bounds) -> Bounds:
        """One candidate after the other."""
        return one_after_another((below, *others))

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """The first good answer; the first error that no other model could mend; or `exhausted`, with every error."""
        errors: list[ModelError] = []
        earlier: tuple[Attempt, ...] = ()
        for place, candidate in enumerate((model, *self.models), -1):
            if errors and deadline.left() <= 0:
                return Failure(too_late(errors, earlier))
            asked = request
            if errors and self.options and self.options[place]:
                asked = attrs.evolve(request, options=merge(request.options, self.options[place]))
            result, bad = await self._judged(await call(candidate, asked), asked)
            if isinstance(result, Success):
                return after(earlier, result)
            error = result.failure()
            if not bad and not passes(self.on, error):
                return Failure(beyond_mending(errors, earlier, error))
            errors.append(error)
            earlier += error.attempts
        return Failure(exhausted(errors))

    async def _judged(self, result: Result[T, ModelError], request: Request) -> tuple[Result[T, ModelError], bool]:
        """The result, or a failure where its answer is a bad one; and whether it is."""
        if self.on_response is None or not isinstance(result, Success):
            return result, False
        outcome = result.unwrap()
        response = await outcome.empty() if isinstance(outcome, Opened) else outcome
        error = None if response is None else bad_answer_error(self.on_response, request, response)
        return (result, False) if error is None else (Failure(_thrown_away(error)), True)


def _thrown_away(error: ModelError) -> ModelError:
    if not error.attempts:  # it cost nothing: it came out of a cache
        return error
    *others, last = error.attempts
    return attrs.evolve(error, attempts=(*others, attrs.evolve(last, discarded=True, message=error.message)))


def _shown(chosen: Any) -> str:
    if isinstance(chosen, tuple):
        return shown(list(chosen))
    return repr(sorted(map(str, chosen))) if isinstance(chosen, frozenset) else repr(chosen)


def _as_answer_filter(bad: Any) -> AnswerFilter | None:
    answer_filter: AnswerFilter | None = bad
    if bad is None or callable(bad):
        return answer_filter
    names = (bad,) if isinstance(bad, str) else tuple(bad) if isinstance(bad, Iterable) else ()
    try:
        kinds = frozenset(BadAnswer(name) for name in names)
    except ValueError as error:
        raise ValueError(f"with_fallback: on_response: {error}; they are {', '.join(BadAnswer)}") from None
    if not kinds:
        raise TypeError(
            f"with_fallback: on_response: takes {', '.join(BadAnswer)}, or a function of the response, not {bad!r}"
        )
    return kinds


def _as_options(options: object, count: int) -> tuple[FrozenDict, ...]:
    if not options:
        return ()
    each = (options,) * count if isinstance(options, Mapping) else options
    if not isinstance(each, Sequence) or not all(isinstance(one, Mapping) for one in each) or len(each) != count:
        raise ValueError(
            f"with_fallback: options must be a dict, or one for each of the {count} candidates, not {each!r}"
        )
    return tuple(canonical(one, f"with_fallback: options[{at}]", known=KNOWN) for at, one in enumerate(each))


@makes_layer
def with_fallback(
    *models: Model,
    on: OnErrors = REPLACED,
    on_response: OnAnswers | None = None,
    options: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
    clock: Clock = SYSTEM_CLOCK,
) -> LayerOf[Fallback]:
    """A layer that asks these models, in order, when the one below it fails, or answers badly.

    `on` is the kinds of error to fall back on, or a function of the error; any other error is given back as it is.
    `on_response` is which answers are bad: `empty`, `cut_off`, `filtered`, `unparseable`, or a function of a response.
    `options` are those of the candidates, stronger than the call's: a dict for all, or a list with one for each. When
    all fail, the error is `exhausted` and carries every cause and attempt. Raises TypeError or ValueError when there is
    nothing to fall back to, or one model stands there twice.
    """
    if not models:
        raise TypeError("with_fallback: fall back to which model? Name at least one")
    candidates = as_candidates(models, "with_fallback")
    policy = Fallback(
        candidates,
        as_error_filter(on, "with_fallback: on"),
        _as_answer_filter(on_response),
        _as_options(options, len(models)),
        clock,
    )

    def layer(model: Model) -> Decorated[Fallback]:
        if any(model is other for other in candidates):
            raise ValueError(f"with_fallback: {model!r} is its own fallback; each model is tried once")
        return Decorated(model, policy, clock, together((model, *candidates)))

    return layer
