"""How long a call may take: in all, for one attempt, until its first event, and between two events.

`total` is for everything below the layer, retries, waits and the reader's own time too, and no layer below waits past
it. The others are for one physical call, and begin when it does: wherever the layer stands in a stack, they go to each
model, so that no time in a queue counts. A clock doesn't stop while a stream isn't read; only silence is silence just
while somebody listens. No scope is open while a stream waits for its reader, who may close it on another task.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, ClassVar, Final

import attrs
from returns.result import Failure, Result, Success

from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...domain.attempt import Attempt
from ...domain.checks import Number
from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.event import Delta, Event, Failed, cut_off, settle
from ...domain.machines.bounds import Bounds
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from ..stack.compose import Layer
from ..stack.interrupt import Interrupt
from ..stack.journal import (
    CANCELLED,
    Journal,
    JournaledCall,
    at_each_model,
    is_bare,
    journaled,
    keeping,
    open_journal,
    without_journal,
)
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy
from ..stack.opened import Opened, Said, T, close, drained
from ..stack.policy import Between, Call, Decorated, Opening, is_streamed

_NAMES: Final = ("total", "attempt", "first_event", "idle")
_SAID: Final = {
    "total": "no answer after {:g} s in all",
    "attempt": "no answer after {:g} s",
    "first_event": "nothing came for {:g} s",
    "idle": "nothing more came for {:g} s",
}
_SECONDS: Final = Number(
    "must be a finite number above 0 seconds", "must be a number of seconds", above=0, below=math.inf
)
_MICROSECOND: Final = 1e-6
"""Timers may ring early by the resolution of the loop's clock."""


@attrs.frozen(repr=False)
class Timeout(LayerPolicy):
    """What `with_timeout` does on each call; all limits are in seconds."""

    total: float | None = None
    attempt: float | None = None
    first_event: float | None = None
    idle: float | None = None
    clock: Clock = SYSTEM_CLOCK
    enters: ClassVar = True

    def __attrs_post_init__(self) -> None:
        limits = {name: getattr(self, name) for name in _NAMES if getattr(self, name) is not None}
        if not limits:
            raise ValueError("with_timeout: no limit was given; name at least one of total, attempt, first_event, idle")
        for name, seconds in limits.items():
            _SECONDS.check(seconds, f"with_timeout: {name}")
        for wide in _NAMES[:2]:
            for name, seconds in limits.items():
                if wide in limits and _NAMES.index(name) > _NAMES.index(wide) and seconds > limits[wide]:
                    fix = f"{name} must be below {wide}={limits[wide]!r}"
                    raise ValueError(f"with_timeout: {name}={seconds!r} would never strike; {fix}")

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """Within the shorter of the limits of a whole call."""
        limits = [seconds for seconds in (self.total, self.attempt) if seconds is not None]
        return below.within(min(limits)) if limits else below

    @property
    def hears(self) -> bool:
        """Whether there are events to be listened for, in a whole call too."""
        return self.first_event is not None or self.idle is not None

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, and what became of it when its time is over.

        Where silence counts a whole call is streamed underneath, so that there is something to hear.
        """
        if self.hears and not is_streamed(call):
            return await call(_Streamed(model, self), request)
        if self.total is not None and deadline.left() <= 0:
            return Failure(_TOO_LATE)
        return await _Timed(model, self).made(call, model, request)


@attrs.frozen
class _Streamed(Between):
    """A model whose whole answers come as streams."""

    timeout: Timeout

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        last: tuple[Event, ...] = ()
        async with aclosing(self.stream(request)) as events:
            async for event in events:
                last = (event,)
        return settle(last)

    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        return drained(self.timeout, Opening(self.timeout.clock), self.inner, request)


class _Timed:
    """One call under its clocks, on its event loop's own timers: ends it when one of them runs out.

    `over_by` is then the name of that limit, and empty until then.
    """

    __slots__ = (
        "_deltas", "_end", "_journal", "_limits", "_of_end", "_of_silence", "_outer", "_own_call", "_silence",
        "_since", "_stream", "_timer", "_told", "_wait", "over_by", "saw",
    )  # fmt: skip

    def __init__(self, model: Model, limits: Timeout) -> None:
        self._limits, self._outer = limits, open_journal()
        # The models below enter their calls; a bare one is entered here.
        self._journal = Journal()
        self._own_call = JournaledCall(self._journal, model, limits.clock) if is_bare(model) else None
        self._deltas: list[Delta] = []
        self.saw = self._deltas.append
        self._told = False
        self._stream: Opened | None = None
        self._wait = Interrupt(asyncio.get_running_loop())
        self.over_by = ""
        total, attempt = limits.total or math.inf, limits.attempt or math.inf
        self._since = self._wait.loop.time()
        self._end = self._since + min(total, attempt)
        self._of_end = "total" if total <= attempt else "attempt"
        self._of_silence = "idle" if limits.first_event is None else "first_event"
        self._silence = limits.first_event or limits.idle or math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._wind()

    async def made(self, call: Call[T], model: Model, request: Request) -> Result[T, ModelError]:
        """What the call comes to by itself, or when a clock strikes."""
        result: Result[T, ModelError] | None = None
        try:
            self._wait.begin()
            result = await self._called(call, model, request)
        except BaseException as raised:
            self._stop()
            if not (self._wait.mine() and isinstance(raised, asyncio.CancelledError)):
                self._cut_short()
                raise
        self._wait.mine()
        if isinstance(result, Success):
            outcome = result.unwrap()
            if isinstance(outcome, Opened) and (outcome.first_event is not None or not self.over_by):
                self._follow(outcome)
                return result
        self._stop()
        if result is None or self.over_by:  # a model may swallow its cancellation, and answer: it is late all the same
            await close(result)
            return Failure(self._late())
        answer: Any = result.unwrap() if isinstance(result, Success) else result.failure()
        self._enter(answer.attempts)
        return result

    def ended(self, outcome: Said, /) -> Said:
        """It came to this by itself."""
        self._enter(outcome.attempts)
        return outcome

    def release(self) -> None:
        """No clock runs any more."""
        self._stop()
        if not self._told:
            self._cut_short()

    def over(self) -> Failed:
        """How a stream ends when a clock has struck."""
        self._stop()
        return Failed(self._late(), cut_off(self._deltas).partial)

    def resumed(self) -> None:
        """Somebody waits for more: silence counts from now on."""
        self._since = self._wait.loop.time()
        if self._timer is None:  # it rang while nobody waited
            if self._since >= self._end:
                self._strike(self._of_end)
            else:
                self._wind()

    async def _called(self, call: Call[T], model: Model, request: Request) -> Result[T, ModelError]:
        """The call; the layers below see the deadline and the journal."""
        if self._own_call is not None and self._limits.total is None:
            return await call(model, request)
        with keeping(self._journal):
            if self._limits.total is None:
                return await call(model, request)
            with deadline.within(self._limits.total, self._limits.clock):
                return await call(model, request)

    def _follow(self, stream: Opened) -> None:
        """The stream has begun: from now on, the limit for silence is the one between two events."""
        if self._own_call is not None:
            self._own_call.first_event = stream.first_event
        if stream.first_event is None:
            self._stop()
            stream.listen(self)
            return
        idle, self._stream = self._limits.idle, stream
        self._of_silence, self._silence = "idle", idle or math.inf
        self._since = self._wait.loop.time()
        self._stop()
        self._wind()
        stream.limit(self, hears=idle is not None)
        if self.over_by:
            stream.strike(self)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wind(self) -> None:
        """Let the timer ring when the next limit is due."""
        due = min(self._end, self._since + self._silence)
        if due < math.inf:
            self._timer = self._wait.loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self._timer = None
        now = self._wait.loop.time() + _MICROSECOND
        wait = self._wait if self._stream is None else self._stream.interrupt
        waited_for = wait is not None and wait.waiting is not None
        if now >= self._end:
            self._strike(self._of_end)
        elif waited_for and now >= self._since + self._silence:
            self._strike(self._of_silence)
        elif waited_for:
            self._wind()

    def _strike(self, limit: str) -> None:
        self.over_by = limit
        if self._stream is None:
            self._wait.strike()
        else:
            self._stream.strike(self)

    def _late(self) -> ModelError:
        """What it comes to when a clock strikes."""
        name = self.over_by
        kind = ErrorKind.DEADLINE_EXCEEDED if name == "total" else ErrorKind.TIMEOUT
        message = _SAID[name].format(getattr(self._limits, name))
        attempts: tuple[Attempt, ...]
        provider = model_id = None
        if self._own_call is not None:
            attempt = self._own_call.attempt(kind.value, message)
            attempts, provider, model_id = (attempt,), attempt.provider, attempt.model_id
        else:
            attempts = tuple(_struck(each, kind) for each in self._journal.attempts)
        self._enter(attempts)
        sent = Sent.YES if self._deltas else Sent.PERHAPS if attempts else Sent.NO
        return ModelError(kind, message, sent=sent, provider=provider, model_id=model_id, attempts=attempts)

    def _cut_short(self) -> None:
        """The call was cancelled, or its stream was closed."""
        self._enter(self._journal.attempts if self._own_call is None else (self._own_call.attempt(CANCELLED),))

    def _enter(self, attempts: tuple[Attempt, ...]) -> None:
        self._told = True
        self._journal.close(self._outer, *attempts)


def _struck(attempt: Attempt, kind: ErrorKind) -> Attempt:
    cut = attempt.outcome == CANCELLED and not attempt.discarded
    return attrs.evolve(attempt, outcome=kind.value) if cut else attempt


_TOO_LATE: Final = ModelError(ErrorKind.DEADLINE_EXCEEDED, "the time was over before the model was asked", sent=Sent.NO)


@makes_layer
def with_timeout(
    *,
    total: float | None = None,
    attempt: float | None = None,
    first_event: float | None = None,
    idle: float | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Layer:
    """A layer that ends what takes too long; all limits are in seconds, for whole and streamed calls alike.

    `total` ends everything below it (`deadline_exceeded`, which isn't tried again) and keeps the layers below from
    waiting past it. `attempt` ends one physical call, `first_event` one that says nothing at all, and `idle` one that
    has fallen silent, or that says nothing at all where `first_event` isn't given; these are `timeout`, which is tried
    again, and apply to each model of the stack below. A whole call under `first_event` or `idle` is streamed
    underneath. Raises ValueError or TypeError on a limit that makes no sense or would never strike.
    """
    limits = Timeout(total, attempt, first_event, idle, clock)
    of_each = (attempt, first_event, idle)

    def of_a_model(model: Model) -> Model:
        return Decorated(without_journal(model), Timeout(None, *of_each, clock), clock)

    def layer(model: Model) -> Model:
        if is_bare(without_journal(model)):
            return Decorated(without_journal(model), limits, clock)
        if of_each != (None, None, None):
            model = at_each_model(model, of_a_model)
        return model if total is None else Decorated(journaled(model, clock), Timeout(total, clock=clock), clock)

    return layer
