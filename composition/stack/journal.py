"""What physical calls were made under a layer that cuts calls short, so that its ledger holds those as well.

A call that is cancelled comes to nothing, and so has no ledger. A layer that cancels calls, and still has something to
say, keeps a journal, into which every model below enters what became of its calls.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import ClassVar

import attrs
from returns.result import Result, Success

from ...adapters.process.clock import Clock
from ...domain.attempt import Attempt
from ...domain.error import ModelError
from ...domain.ledger import Entry
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from .layer_policy import Rehearsal
from .opened import Opened, Said, T, heard
from .policy import Call, Decorated
from .walk import first_leaf, with_each

CANCELLED = "cancelled"
"""The outcome of a physical call that was cut short."""


class Journal:
    """The physical calls that are over, as entered by the models that made them."""

    __slots__ = ("_into", "attempts")

    def __init__(self) -> None:
        self.attempts: tuple[Attempt, ...] = ()
        self._into: Journal | None = None

    def enter(self, *attempts: Attempt) -> None:
        """Some more are over."""
        if self._into is None:
            self.attempts += attempts
        else:
            self._into.enter(*attempts)

    def close(self, outer: Journal | None, *attempts: Attempt) -> None:
        """These are what became of all that was entered; what is still to come goes straight to the outer journal."""
        if outer is not None:
            outer.enter(*attempts)
            self._into = outer


_open: ContextVar[Journal | None] = ContextVar("modelport_journal", default=None)


def open_journal() -> Journal | None:
    """The journal of the layer above that keeps one; None where none does."""
    return _open.get()


class keeping:
    """Keeps this journal for what happens inside."""

    __slots__ = ("_before", "_journal")

    def __init__(self, journal: Journal) -> None:
        self._before = _open.get()
        self._journal = journal

    def __enter__(self) -> None:
        _open.set(self._journal)

    def __exit__(self, *_: object) -> None:
        # Not by token: whoever closes an abandoned coroutine does so in a context of its own, where a token is refused.
        if _open.get() is self._journal:
            _open.set(self._before)


def is_bare(model: Model) -> bool:
    """Whether calls of this model are physical ones: no layer stands on it, or one that plays the model itself."""
    return not isinstance(model, Decorated) or getattr(model.policy, "plays_model", False)


@attrs.frozen
class Journaled:
    """Enters each call of a bare model into the journal of a layer above. It is no layer, and isn't shown as one."""

    clock: Clock
    enters: ClassVar = True
    unseen: ClassVar = True

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """That call."""
        journal = open_journal()
        if journal is None:
            return await call(model, request)
        line = JournaledCall(journal, model, self.clock)
        return line.opened(await heard(call(model, request), line))

    def rehearsed(self, at: Rehearsal) -> Journaled:
        """The same in another time."""
        return Journaled(at.clock)


class JournaledCall:
    """One call in a journal."""

    __slots__ = ("_clock", "_entry", "_journal", "_outcome", "first_event")

    def __init__(self, journal: Journal, model: Model, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._entry = Entry(first_leaf(model), clock.now())
        self._outcome: Response | ModelError | None = None
        self.first_event: float | None = None

    def opened(self, result: Result[T, ModelError]) -> Result[T, ModelError]:
        """The same, once it is known when a stream began."""
        if isinstance(result, Success) and isinstance(stream := result.unwrap(), Opened):
            self.first_event = stream.first_event
        return result

    def ended(self, outcome: Said, /) -> Said:
        """The same."""
        self._outcome = outcome
        return outcome

    def release(self) -> None:
        """It is over."""
        self._journal.enter(*((self.attempt(CANCELLED),) if self._outcome is None else self._outcome.attempts))

    def attempt(self, outcome: str, message: str | None = None) -> Attempt:
        """The entry of a call that came to this just now."""
        return self._entry.attempt(outcome, self._clock.now(), self.first_event, message=message)


def journaled(model: Model, clock: Clock) -> Model:
    """The same stack, whose models enter their calls into a journal."""
    return at_each_model(model, lambda bare: bare if _enters(bare) else Decorated(bare, Journaled(clock), clock))


def at_each_model(model: Model, make: Callable[[Model], Model]) -> Model:
    """The same stack, with what `make` makes of each bare model, or of one that only enters its calls."""
    if not isinstance(model, Decorated) or is_bare(model.inner if _enters(model) else model):
        return make(model)
    return with_each(model, lambda inner: at_each_model(inner, make))


def without_journal(model: Model) -> Model:
    """The bare model, where it is only kept in a journal."""
    return model.inner if isinstance(model, Decorated) and isinstance(model.policy, Journaled) else model


def _enters(model: Model) -> bool:
    return isinstance(model, Decorated) and getattr(model.policy, "enters", False)
