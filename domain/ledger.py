"""How a physical call is entered into the ledger of attempts, by whoever made it."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import attrs

from .attempt import Attempt
from .error import ErrorKind, ModelError
from .response import Response

_Outcome = TypeVar("_Outcome", Response, ModelError)

_REFUSALS: Final = frozenset(
    {ErrorKind.LIMITER_FULL, ErrorKind.CIRCUIT_OPEN, ErrorKind.BUDGET_EXCEEDED, ErrorKind.DEADLINE_EXCEEDED}
)
"""Errors that arise here, without a physical call to enter into the ledger."""


@attrs.frozen
class Entry:
    """A call that has been started, for the ledger; not `physical` where a layer answers in the model's place."""

    model: object
    started: float
    physical: bool = True

    def ended(self, outcome: _Outcome, now: float, first_event: float | None = None) -> _Outcome:
        """What it came to, with an attempt in its ledger, unless it has one already."""
        if outcome.attempts or not self.physical:
            return outcome
        if isinstance(outcome, Response):
            r, attempt = outcome, self.attempt("answered", now, first_event, usage=outcome.usage)
            # Every call that succeeds comes through here, and attrs.evolve costs more than twice as much.
            return Response(
                r.message, r.finish_reason, r.stopped_by, r.usage, r.model_id, r.response_id, (attempt,), r.raw
            )
        if outcome.kind in _REFUSALS:
            return outcome
        return outcome.after(self.attempt(outcome.kind.value, now, first_event, message=outcome.message))

    def attempt(self, outcome: str, now: float, first_event: float | None, **rest: Any) -> Attempt:
        """The attempt that came to this just now; `rest` are more fields of it."""
        provider, model_id = getattr(self.model, "provider", None), getattr(self.model, "model_id", None)
        return Attempt(provider, model_id, outcome, self.started, now - self.started, first_event, **rest)
