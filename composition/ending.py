"""How a call ends, told once to the policy that asked to know: with an answer, an error, or because the caller left.

A policy is over when a stream has opened. One that has reserved something for the call, or judges it, hears here how
the stream went on. Nothing is added to an event.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

import attrs
from returns.result import Failure, Result, Success

from ..domain.error import ModelError
from ..domain.event import Event, Failed, Finished
from ..domain.request import Request
from ..domain.response import Response
from .policy import _BROKEN_OFF, Decorated, Opened, T

Hear = Callable[[Response | ModelError | None], None]
"""Is told the end: the answer, the error, or None for a call that was cancelled or a stream that was left."""


@attrs.frozen(eq=False)
class Watched(Opened):
    """An opened stream whose end somebody wants to hear of."""

    hear: Hear = attrs.field(kw_only=True)


async def watched(calling: Awaitable[Result[T, ModelError]], hear: Hear) -> Result[T, ModelError]:
    """What this call comes to; `hear` is told its end, now or when its stream is over. For policies of an `Ending`."""
    try:
        result = await calling
    except BaseException:
        hear(None)
        raise
    if isinstance(result, Failure):
        hear(result.failure())
        return result
    outcome = result.unwrap()
    if isinstance(outcome, Opened):
        opened: T = Watched(outcome.first, outcome.rest, outcome.entry, outcome.past, hear=hear)  # type: ignore[assignment]
        return Success(opened)
    hear(outcome)  # type: ignore[arg-type]
    return result


@attrs.frozen(repr=False)
class Ending(Decorated):
    """A model under a policy that hears how each of its calls ends."""

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives."""
        result = await self.policy(self._opening, self.inner, request)
        if isinstance(result, Failure):
            yield Failed(result.failure())
            return
        opened = result.unwrap()
        hear = opened.hear if isinstance(opened, Watched) else _unheard
        heard: Response | ModelError | None = None
        last: Event = opened.first
        try:
            try:
                if not isinstance(last, (Finished, Failed)):
                    yield last
                    last = _BROKEN_OFF
                    async for event in opened.rest:
                        kind = type(event)
                        if kind is Finished or kind is Failed:
                            last = event
                            break
                        yield event
            finally:
                await opened.rest.aclose()
            end = opened.ended(last, self.clock.now())
            heard = end.response if isinstance(end, Finished) else end.error
        finally:
            hear(heard)
        yield end


def _unheard(_: Response | ModelError | None) -> None:
    """Nobody asked."""
