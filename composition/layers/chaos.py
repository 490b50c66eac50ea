"""Faults on purpose, for tests of what uses a model: errors, delays and broken streams, the same each time.

The layer stands right over the model, where the provider would be: what it does is an attempt in the ledger. What goes
wrong is decided in `domain/machines/chaos.py`.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar

import attrs
from returns.result import Failure, Result

from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.entered import generate_of, stream_of
from ...adapters.process.fork import forgets
from ...domain.capability import Capabilities
from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.event import Delta, Event, Failed, Finished, cut_off
from ...domain.fields import changed
from ...domain.machines.bounds import Bounds
from ...domain.machines.chaos import Fate, Plan, fate
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy
from ..stack.opened import T
from ..stack.policy import Call, Decorated

_CUT = ModelError(ErrorKind.INTERRUPTED, "the answer was cut off, as planned", sent=Sent.YES)


class _Turns:
    """Numbers the calls, and knows when the first one was."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0
        self._began = 0.0
        forgets(self)

    def forget(self) -> None:
        """In a forked child: whoever holds the lock may be the parent's."""
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or one in another process, begins anew."""
        return (_Turns, ())

    def take(self, now: float) -> tuple[int, float]:
        """The number of this call, and the seconds since the first."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            if number == 0:
                self._began = now
            return number, now - self._began


def _plan(plan: Plan | Mapping[str, Any]) -> Plan:
    if isinstance(plan, Plan):
        return plan
    if not isinstance(plan, Mapping):
        raise TypeError(f"with_chaos: takes a Plan, or a dict of what stands in one, not {plan!r}")
    try:
        return Plan(**plan)
    except (TypeError, ValueError) as error:
        raise type(error)(f"with_chaos: {str(error).removeprefix('Plan.__init__() ')}") from None


@attrs.frozen(repr=False)
class Chaos(LayerPolicy):
    """What `with_chaos` does on each call."""

    plays_model: ClassVar = True

    planned: Plan = attrs.field(converter=_plan, alias="plan")
    clock: Clock = SYSTEM_CLOCK
    _turns: _Turns = attrs.field(init=False, eq=False, factory=_Turns)

    @property
    def plan(self) -> dict[str, Any]:
        """What goes wrong, by name."""
        return changed(self.planned)

    def arguments(self) -> dict[str, Any]:
        """The plan by name."""
        return {"plan": self.plan, **({} if self.clock is SYSTEM_CLOCK else {"clock": self.clock})}

    def shown(self) -> dict[str, Any]:
        """What goes wrong."""
        return self.plan

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """With the planned delay."""
        return below.works(self.planned.delay if self.planned.slow else 0.0)

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, with what is planned for it."""
        number, elapsed = self._turns.take(self.clock.now())
        return await call(_Shaken(model, fate(self.planned, number, elapsed), self.clock), request)


@attrs.frozen
class _Shaken:
    """A model to which this happens."""

    inner: Model
    fate: Fate
    clock: Clock
    capabilities = Capabilities()  # nobody asks: the layer declares the model's own

    @property
    def provider(self) -> str | None:
        return getattr(self.inner, "provider", None)

    @property
    def model_id(self) -> str | None:
        return getattr(self.inner, "model_id", None)

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        error = await self._before()
        if error is not None:
            return Failure(error)
        result = await generate_of(self.inner)(request)
        if self.fate.cut is None or isinstance(result, Failure):
            return result
        return Failure(self._named(_CUT).after(*result.unwrap().attempts))

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        error = await self._before()
        shown: list[Delta] = []
        if error is None:
            async with aclosing(stream_of(self.inner)(request)) as events:
                async for event in events:
                    if isinstance(event, Failed) or self.fate.cut is None:
                        yield event
                        continue
                    if isinstance(event, Finished) or len(shown) == self.fate.cut:
                        earlier = event.response.attempts if isinstance(event, Finished) else ()
                        error = self._named(_CUT).after(*earlier)
                        break
                    shown.append(event)
                    yield event
        if error is not None:
            yield Failed(error, cut_off(shown).partial)

    async def _before(self) -> ModelError | None:
        if self.fate.delay:
            await self.clock.sleep(self.fate.delay)
        return self._named(self.fate.error) if self.fate.error is not None else None

    def _named(self, error: ModelError) -> ModelError:
        return attrs.evolve(error, provider=self.provider, model_id=self.model_id)


@makes_layer
def with_chaos(plan: Plan | Mapping[str, Any], *, clock: Clock = SYSTEM_CLOCK) -> LayerOf[Chaos]:
    """A layer that lets calls go wrong as planned: `with_chaos({"errors": {"server": 0.3}, "seed": 7})`.

    The members of a plan: `errors` (a share of the calls for each kind), `slow` and `delay` (a share that comes so many
    seconds late), `cut` (a share of answers that break off), `down` (windows of seconds since the first call),
    `retry_after` (seconds that a refusal asks for), `seed`. Raises ValueError or TypeError on what is no plan.
    """
    chaos = Chaos(plan, clock)
    return lambda model: Decorated(model, chaos, clock)
