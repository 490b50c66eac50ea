"""What physical calls were made under a layer that cuts calls short, so that its ledger holds those as well.

A call that is cancelled comes to nothing, and so has no ledger. A layer that cancels calls, and still has something to
say, keeps a journal, into which every model below enters what became of its calls.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextvars import ContextVar
from typing import Any

import attrs
from returns.result import Failure, Result

from ..adapters.clock import Clock
from ..domain.attempt import Attempt
from ..domain.error import ModelError
from ..domain.event import Event, Failed, Finished, cut_off
from ..domain.model import Model
from ..domain.request import Request
from ..domain.response import Response
from .policy import Decorated, Direct

CANCELLED = "cancelled"
"""The outcome of a physical call that was cut short."""

_BROKEN_OFF = cut_off(())


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
    if not isinstance(model, Decorated):
        return True
    from .chaos import Chaos
    from .replay import Replay

    return isinstance(model.policy, (Chaos, Replay))


def physical_call(model: Model, outcome: str, started: float, now: float, **rest: Any) -> Attempt:
    """One entry about this model."""
    provider, model_id = names_of(model)
    return Attempt(provider, model_id, outcome, started, now - started, **rest)


def names_of(model: Model) -> tuple[str | None, str | None]:
    """The provider and the id of a bare model."""
    while isinstance(model, Decorated):
        model = model.inner
    return getattr(model, "provider", None), getattr(model, "model_id", None)


@attrs.frozen(repr=False)
class Entered(Decorated):
    """A model that enters its calls into the journal of a layer above. It is no layer, and isn't described as one."""

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer."""
        journal = _open.get()
        if journal is None:
            return await self._whole(self.inner, request)
        started = self.clock.now()
        try:
            result = await self._whole(self.inner, request)
        except BaseException:
            journal.enter(physical_call(self.inner, CANCELLED, started, self.clock.now()))
            raise
        journal.enter(*(result.failure() if isinstance(result, Failure) else result.unwrap()).attempts)
        return result

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives."""
        journal, started, first_event = _open.get(), self.clock.now(), None
        try:
            result = await self._opening(self.inner, request)
            if isinstance(result, Failure):
                last: Finished | Failed = Failed(result.failure())
            else:
                opened = result.unwrap()
                event = opened.first
                try:
                    if not isinstance(event, (Finished, Failed)):
                        first_event = opened.entry.first_event
                        yield event
                        event = _BROKEN_OFF
                        async for piece in opened.rest:
                            kind = type(piece)
                            if kind is Finished or kind is Failed:
                                event = piece
                                break
                            yield piece
                finally:
                    await opened.rest.aclose()
                last = opened.ended(event, self.clock.now())
        except BaseException:
            if journal is not None:
                cut = physical_call(self.inner, CANCELLED, started, self.clock.now(), first_event=first_event)
                journal.enter(cut)
            raise
        if journal is not None:
            journal.enter(*(last.response if isinstance(last, Finished) else last.error).attempts)
        yield last

    def __repr__(self) -> str:
        return repr(self.inner)


def entered(model: Model, clock: Clock) -> Model:
    """The same stack, whose models enter their calls into a journal."""
    return at_each_model(model, lambda bare: bare if isinstance(bare, Entered) else Entered(bare, Direct(), clock))


def at_each_model(model: Model, make: Callable[[Model], Model]) -> Model:
    """The same stack, with what `make` makes of each bare model, candidates too; an `Entered` one counts as bare."""
    if not isinstance(model, Decorated) or is_bare(model.inner if isinstance(model, Entered) else model):
        return make(model)
    candidates = getattr(model.policy, "models", ())
    made = tuple(at_each_model(each, make) for each in candidates)
    inner = at_each_model(model.inner, make)
    policy: Any = model.policy
    if any(new is not old for new, old in zip(made, candidates, strict=True)):
        policy = attrs.evolve(policy, models=made)
    return model if inner is model.inner and policy is model.policy else attrs.evolve(model, inner=inner, policy=policy)
