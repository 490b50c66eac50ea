"""Several models for one call: who they are, what they can do together, and what it comes to when none has answered."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import attrs

from ...domain.attempt import Attempt
from ...domain.capability import Capabilities
from ...domain.error import MEANING, ErrorKind, ModelError, Scope, Sent
from ...domain.model import Model

REPLACED = frozenset(kind for kind, meaning in MEANING.items() if meaning.fall_back)
"""The kinds on which the next candidate is asked unless `on=` says otherwise."""


def as_candidates(models: tuple[object, ...], where: str) -> tuple[Model, ...]:
    """The models, each of them once. Raises TypeError or ValueError, naming the place."""
    checked: list[Model] = []
    for place, model in enumerate(models, 1):
        if isinstance(model, type) or not isinstance(model, Model):
            raise TypeError(f"{where}: candidate {place}, {model!r}, is not a model")
        if any(model is other for other in checked):
            raise ValueError(f"{where}: candidate {place}, {model!r}, stands there twice; each is tried once")
        checked.append(model)
    return tuple(checked)


def together(models: Sequence[Model]) -> Capabilities:
    """What at least one of these models can do."""
    return reduce(either, (model.capabilities for model in models))


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


def exhausted(errors: Sequence[ModelError]) -> ModelError:
    """What it comes to when every candidate has failed."""
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
        causes=tuple(errors),
    )


def too_late(errors: Sequence[ModelError], attempts: tuple[Attempt, ...]) -> ModelError:
    """What it comes to when the deadline has passed and there are candidates left."""
    message = f"the deadline passed before the next candidate was asked; {errors[-1].message}"
    return ModelError(ErrorKind.DEADLINE_EXCEEDED, message, sent=_sent(errors), attempts=attempts, causes=tuple(errors))


def beyond_mending(errors: Sequence[ModelError], attempts: tuple[Attempt, ...], error: ModelError) -> ModelError:
    """The error that ends the search, with what came before it: the primary's error first among its causes."""
    if not errors:
        return error
    return attrs.evolve(error, attempts=(*attempts, *error.attempts), causes=(*errors, error))


def _sent(errors: Sequence[ModelError]) -> Sent:
    return Sent.NO if all(error.sent is Sent.NO for error in errors) else Sent.PERHAPS
