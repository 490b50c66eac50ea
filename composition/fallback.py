"""When a model fails, ask the next one.

The candidates are asked in order, each at most once, until one answers or fails in a way that no other model could
mend. A candidate may itself have fallbacks, so that they form a tree. A stream is replaced only until its first
content, and nobody is asked after the deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce

import attrs
from returns.result import Failure, Result, Success

from ..adapters import deadline
from ..adapters.clock import SYSTEM_CLOCK, Clock
from ..domain.attempt import Attempt
from ..domain.capability import Capabilities
from ..domain.error import MEANING, ErrorKind, ModelError, Scope, Sent
from ..domain.model import Model
from ..domain.request import Request
from .compose import Layer
from .kinds import On, acts_on, as_on
from .policy import Call, Decorated, T, after

REPLACED = frozenset(kind for kind, meaning in MEANING.items() if meaning.fall_back)
"""The kinds on which the next candidate is asked unless `on=` says otherwise."""


@attrs.frozen(repr=False)
class Fallback:
    """The policy of `with_fallback`, which see."""

    models: tuple[Model, ...]
    on: On = REPLACED

    def __repr__(self) -> str:
        if self.on == REPLACED:
            return "Fallback()"
        kinds = sorted(self.on) if isinstance(self.on, frozenset) else self.on
        return f"Fallback(on={[str(kind) for kind in kinds] if isinstance(kinds, list) else kinds!r})"

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """The first answer; the first error that no other model could mend; or `exhausted`, with every error in it."""
        result = await call(model, request)
        if isinstance(result, Success):
            return result
        errors: list[ModelError] = []
        earlier: tuple[Attempt, ...] = ()
        for candidate in self.models:
            error = result.failure()
            if not acts_on(self.on, error):
                return after(earlier, result)
            errors.append(error)
            earlier += error.attempts
            if deadline.left() <= 0:
                return Failure(_too_late(tuple(errors), earlier))
            result = await call(candidate, request)
            if isinstance(result, Success):
                return after(earlier, result)
        return Failure(_exhausted((*errors, result.failure())))


def _too_late(errors: tuple[ModelError, ...], attempts: tuple[Attempt, ...]) -> ModelError:
    message = f"the deadline passed before the next candidate was asked; {errors[-1].message}"
    return ModelError(ErrorKind.DEADLINE_EXCEEDED, message, sent=_sent(errors), attempts=attempts, causes=errors)


def _sent(errors: tuple[ModelError, ...]) -> Sent:
    return Sent.NO if all(error.sent is Sent.NO for error in errors) else Sent.PERHAPS


def _exhausted(errors: tuple[ModelError, ...]) -> ModelError:
    waits = [error.retry_after for error in errors if error.retry_after is not None]
    return ModelError(
        ErrorKind.EXHAUSTED,
        "; ".join(
            f"{error.model_id or error.provider or 'a model'}: {error.kind}: {error.message}" for error in errors
        ),
        Scope.REQUEST,
        _sent(errors),
        retry_after=min(waits, default=None),
        attempts=tuple(attempt for error in errors for attempt in error.attempts),
        causes=errors,
    )


def either(one: Capabilities, other: Capabilities) -> Capabilities:
    """What at least one of two models can do."""
    limits = {"max_stops", "context_window"}
    able = {
        f.name: getattr(one, f.name) or getattr(other, f.name)
        for f in attrs.fields(Capabilities)
        if f.name not in limits
    }
    windows = [window for window in (one.context_window, other.context_window) if window is not None]
    return Capabilities(**able, max_stops=one.max_stops, context_window=max(windows, default=None))


def with_fallback(
    *models: Model,
    on: ErrorKind | str | Iterable[ErrorKind | str] | Callable[[ModelError], bool] = REPLACED,
    clock: Clock = SYSTEM_CLOCK,
) -> Layer:
    """A layer that asks these models, in order, when the one below it fails.

    `on` is the kinds of error to fall back on, or a function of the error; any other error is given back as it is. When
    all fail, the error is `exhausted` and carries every cause and attempt. Raises TypeError or ValueError when there is
    nothing to fall back to, or one model stands there twice.
    """
    if not models:
        raise TypeError("with_fallback: fall back to which model? Name at least one")
    for place, model in enumerate(models, 1):
        if isinstance(model, type) or not isinstance(model, Model):
            raise TypeError(f"with_fallback: candidate {place}, {model!r}, is not a model")
        if any(model is other for other in models[: place - 1]):
            raise ValueError(f"with_fallback: candidate {place}, {model!r}, stands there twice; each is tried once")
    policy = Fallback(models, as_on(on, "with_fallback: on"))

    def layer(model: Model) -> Model:
        if any(model is other for other in models):
            raise ValueError(f"with_fallback: {model!r} is its own fallback; each model is tried once")
        declared = reduce(either, (other.capabilities for other in models), model.capabilities)
        return Decorated(model, policy, clock, declared)

    return layer
