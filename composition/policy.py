"""The mechanism of layers: a policy, written once, serves whole and streamed calls alike.

A policy is given a `call` and decides how often, when and on which model to make it. For a whole call the outcome is a
`Response`; for a stream it is an `Opened` one, whose first content has arrived. So a stream is retried or replaced
until then and never after. Whoever makes the innermost call enters it into the ledger of attempts.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from typing import Any, Protocol, TypeVar

import attrs
from returns.result import Failure, Result, Success

from ..adapters.calling import Calling
from ..adapters.clock import SYSTEM_CLOCK, Clock
from ..domain.attempt import Attempt, Wait
from ..domain.capability import Capabilities
from ..domain.error import ErrorKind, ModelError
from ..domain.event import Event, Failed, Finished, ToolCallDelta, cut_off
from ..domain.model import Model
from ..domain.request import Request
from ..domain.response import Response

_REFUSALS = frozenset(
    {ErrorKind.LIMITER_FULL, ErrorKind.CIRCUIT_OPEN, ErrorKind.BUDGET_EXCEEDED, ErrorKind.DEADLINE_EXCEEDED}
)
"""What only layers say, without a physical call to enter into the ledger."""

_BROKEN_OFF = cut_off(())
"""How a stream ends that just stops, against the law, without saying how."""


class Outcome(Protocol):
    """What a call can come to: something that keeps a ledger."""

    def after(self, *earlier: Attempt) -> Any:
        """The same, with what was tried before put first in its ledger."""
        ...

    def waited(self, wait: Wait) -> Any:
        """The same, its first attempt having waited first."""
        ...


T = TypeVar("T", bound=Outcome)
C = TypeVar("C", bound=Outcome, covariant=True)


class Call(Protocol[C]):
    """Makes one call of a model, whole or opened."""

    async def __call__(self, model: Model, request: Request, /) -> Result[C, ModelError]: ...


class Policy(Protocol):
    """Decides how a request is answered with calls of a model, or of others."""

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]: ...


def after(earlier: tuple[Attempt, ...], result: Result[T, ModelError]) -> Result[T, ModelError]:
    """The same result, with what was tried before put first in its ledger."""
    if not earlier:
        return result
    return result.map(lambda outcome: outcome.after(*earlier)).alt(lambda error: error.after(*earlier))


def waited(wait: Wait, result: Result[T, ModelError]) -> Result[T, ModelError]:
    """The same result, its first attempt having waited first."""
    return result.map(lambda outcome: outcome.waited(wait)).alt(lambda error: error.waited(wait))


@attrs.frozen
class _Entry:
    """A physical call that has been started."""

    model: Model
    started: float
    first_event: float | None = None

    def answered(self, response: Response, now: float) -> Response:
        if response.attempts or isinstance(self.model, Decorated):
            return response
        ledger = (self._attempt("answered", now, usage=response.usage),)
        r = response  # every call that succeeds comes through here, and attrs.evolve costs more than twice as much
        return Response(r.message, r.finish_reason, r.stopped_by, r.usage, r.model_id, r.response_id, ledger, r.raw)

    def failed(self, error: ModelError, now: float) -> ModelError:
        if error.attempts or error.kind in _REFUSALS or isinstance(self.model, Decorated):
            return error
        attempt = self._attempt(error.kind.value, now, message=error.message)
        return attrs.evolve(error, attempts=(attempt,))

    def _attempt(self, outcome: str, now: float, **rest: Any) -> Attempt:
        provider = getattr(self.model, "provider", None)
        model_id = getattr(self.model, "model_id", None)
        return Attempt(provider, model_id, outcome, self.started, now - self.started, self.first_event, **rest)


@attrs.frozen(eq=False)
class Opened:
    """A stream whose first event has arrived; `past` is what its ledger says of the time before."""

    first: Event
    rest: AsyncGenerator[Event]
    entry: _Entry
    past: tuple[Attempt | Wait, ...] = ()

    def after(self, *earlier: Attempt) -> Opened:
        """The same stream, with what was tried before put first in its ledger."""
        return attrs.evolve(self, past=(*self.past, *reversed(earlier)))

    def waited(self, wait: Wait) -> Opened:
        """The same stream, its first attempt having waited first."""
        return attrs.evolve(self, past=(*self.past, wait))

    def ended(self, event: Event, now: float) -> Finished | Failed:
        """The last event, with the whole ledger in it."""
        if isinstance(event, Finished):
            return Finished(self._remember(self.entry.answered(event.response, now)))
        failed = event if isinstance(event, Failed) else _BROKEN_OFF
        return Failed(self._remember(self.entry.failed(failed.error, now)), failed.partial)

    def _remember(self, outcome: Any) -> Any:
        for moment in self.past:
            outcome = outcome.waited(moment) if isinstance(moment, Wait) else outcome.after(moment)
        return outcome


@attrs.frozen
class Whole:
    """Makes whole calls."""

    clock: Clock

    async def __call__(self, model: Model, request: Request, /) -> Result[Response, ModelError]:
        """The answer, with this call in its ledger."""
        started = self.clock.now()
        result = await model.generate(request)
        if isinstance(result, Success):
            response = result.unwrap()
            if response.attempts:
                return result
            return Success(_Entry(model, started).answered(response, self.clock.now()))
        if not isinstance(result, Failure):
            raise _unlawful(model, "generate", result, "Success(Response) or Failure(ModelError)")
        return Failure(_Entry(model, started).failed(result.failure(), self.clock.now()))


def _unlawful(model: Model, member: str, gave: object, due: str) -> TypeError:
    if inspect.iscoroutine(gave):
        gave.close()
    return TypeError(f"{type(model).__name__}.{member} gave {type(gave).__name__}, not {due}; see from_function(...)")


@attrs.frozen
class Opening:
    """Opens streams: waits for the first content, or for an end without any."""

    clock: Clock

    async def __call__(self, model: Model, request: Request, /) -> Result[Opened, ModelError]:
        """The opened stream; or the error, when it failed before any content."""
        started = self.clock.now()
        stream = model.stream(request)
        if not hasattr(stream, "aclose"):
            raise _unlawful(model, "stream", stream, "an asynchronous generator of events")
        try:
            async for event in stream:
                if isinstance(event, Failed):
                    break
                if isinstance(event, (Finished, ToolCallDelta)) or event.text:
                    first_event = None if isinstance(event, Finished) else self.clock.now() - started
                    return Success(Opened(event, stream, _Entry(model, started, first_event)))
            else:
                event = _BROKEN_OFF
        except BaseException:
            await stream.aclose()
            raise
        await stream.aclose()
        return Failure(_Entry(model, started).failed(event.error, self.clock.now()))


@attrs.frozen(repr=False)
class Decorated(Calling):
    """A model under a policy: the port again. `declared` replaces the inner model's capabilities where they differ."""

    inner: Model
    policy: Policy
    clock: Clock = SYSTEM_CLOCK
    declared: Capabilities | None = None
    _whole: Whole = attrs.field(init=False, eq=False, default=attrs.Factory(lambda self: Whole(self.clock), True))
    _opening: Opening = attrs.field(init=False, eq=False, default=attrs.Factory(lambda self: Opening(self.clock), True))

    @property
    def capabilities(self) -> Capabilities:
        """What this stack declares that it can do."""
        return self.declared or self.inner.capabilities

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer."""
        return await self.policy(self._whole, self.inner, request)

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives."""
        result = await self.policy(self._opening, self.inner, request)
        if isinstance(result, Failure):
            yield Failed(result.failure())
            return
        opened = result.unwrap()
        last: Event = opened.first
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
        yield opened.ended(last, self.clock.now())

    def __repr__(self) -> str:
        return f"{self.policy!r}({self.inner!r})"


@attrs.frozen
class Direct:
    """The policy that changes nothing: one call, entered into the ledger."""

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """That call."""
        return await call(model, request)
