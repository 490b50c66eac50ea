"""Layers that hold something for as long as a call lasts, or look at every event: a slot, a span, a tape.

A policy is over when a stream has opened. What a `Holder` takes for a call is let go exactly once, when the call is
over: after its answer or its error, when it is cancelled, and when its stream is closed, on whatever task that happens.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol, TypeVar, cast

import attrs
from returns.result import Failure, Result, Success

from ..adapters.clock import SYSTEM_CLOCK, Clock
from ..domain.error import ModelError
from ..domain.event import Delta, Event, Failed, Finished, cut_off
from ..domain.model import Model
from ..domain.request import Request
from ..domain.response import Response
from .policy import Decorated

Said = TypeVar("Said", Response, ModelError)
"""What a call came to."""

_BROKEN_OFF = cut_off(())
_ENDS = (Finished, Failed)


class Hold(Protocol):
    """What is held for one call."""

    def saw(self, event: Delta, /) -> None:
        """A piece of a stream, before it is passed on."""
        ...

    def ended(self, said: Said, /) -> Said:
        """What the call came to, with its ledger, before it is passed on; not called when it is cut short."""
        ...

    def release(self) -> None:
        """The call is over, whichever way. Called once, before the end of a stream is passed on; it can't wait."""
        ...


class Holder(Protocol):
    """Stands where a policy stands, and takes hold of something for each call."""

    async def hold(self, model: Model, request: Request, /, *, streamed: bool) -> Hold | ModelError:
        """What this call holds, once that can be had; or a refusal, and the model isn't asked.

        Whoever is cancelled in here has to let go itself.
        """
        ...


@attrs.frozen(repr=False)
class Holding(Decorated):
    """A model under a `Holder`: the port again."""

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer."""
        hold = await self._holder.hold(self.inner, request, streamed=False)
        if isinstance(hold, ModelError):
            return Failure(hold)
        try:
            result = await self._whole(self.inner, request)
            if isinstance(result, Failure):
                return Failure(hold.ended(result.failure()))
            response = result.unwrap()
            said = hold.ended(response)
            return result if said is response else Success(said)
        finally:
            hold.release()

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives."""
        hold = await self._holder.hold(self.inner, request, streamed=True)
        if isinstance(hold, ModelError):
            yield Failed(hold)
            return
        last: Finished | Failed
        try:
            result = await self._opening(self.inner, request)
            if isinstance(result, Failure):
                last = Failed(result.failure())
            else:
                opened = result.unwrap()
                event = opened.first
                try:
                    if not isinstance(event, _ENDS):
                        saw = hold.saw
                        saw(event)
                        yield event
                        event = _BROKEN_OFF
                        async for piece in opened.rest:
                            if isinstance(piece, _ENDS):
                                event = piece
                                break
                            saw(piece)
                            yield piece
                finally:
                    await opened.rest.aclose()
                last = opened.ended(event, self.clock.now())
            if isinstance(last, Finished):
                last = Finished(hold.ended(last.response))
            else:
                last = Failed(hold.ended(last.error), last.partial)
        finally:
            hold.release()
        yield last

    @property
    def _holder(self) -> Holder:
        return self.policy  # type: ignore[return-value]


def held(model: Model, holder: Holder, clock: Clock = SYSTEM_CLOCK) -> Holding:
    """The model under this holder."""
    return Holding(model, cast(Any, holder), clock)
