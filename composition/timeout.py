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
from typing import Any, Final, cast

import attrs
from returns.result import Failure, Result

from ..adapters import deadline
from ..adapters.clock import SYSTEM_CLOCK, Clock
from ..domain.attempt import Attempt
from ..domain.error import ErrorKind, ModelError, Sent
from ..domain.event import Delta, Event, Failed, Finished, cut_off, settle
from ..domain.model import Model
from ..domain.request import Request
from ..domain.response import Response
from .compose import Layer
from .interrupt import Interrupt
from .journal import (
    CANCELLED,
    Entered,
    Journal,
    at_each_model,
    entered,
    is_bare,
    keeping,
    names_of,
    open_journal,
    physical_call,
)
from .policy import Opened

_NAMES: Final = ("total", "attempt", "first_event", "idle")
_SAID: Final = {
    "total": "no answer after {:g} s in all",
    "attempt": "no answer after {:g} s",
    "first_event": "nothing came for {:g} s",
    "idle": "nothing more came for {:g} s",
}
_MICROSECOND: Final = 1e-6
"""Timers ring a little early: by the resolution of the loop's clock."""


@attrs.frozen(repr=False)
class Timeout:
    """What `with_timeout` was told, in seconds."""

    total: float | None = None
    attempt: float | None = None
    first_event: float | None = None
    idle: float | None = None

    def __attrs_post_init__(self) -> None:
        given = {name: getattr(self, name) for name in _NAMES if getattr(self, name) is not None}
        if not given:
            raise ValueError("with_timeout: no limit was given; name at least one of total, attempt, first_event, idle")
        for name, seconds in given.items():
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
                raise TypeError(f"with_timeout: {name} must be a number of seconds, not {seconds!r}")
            if not 0 < seconds < math.inf:
                raise ValueError(f"with_timeout: {name} must be a finite number above 0 seconds, not {seconds!r}")
        for wide in _NAMES[:2]:
            for name, seconds in given.items():
                if wide in given and _NAMES.index(name) > _NAMES.index(wide) and seconds > given[wide]:
                    fix = f"{name} must be below {wide}={given[wide]!r}"
                    raise ValueError(f"with_timeout: {name}={seconds!r} would never strike; {fix}")

    def __repr__(self) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name in _NAMES if getattr(self, name) is not None)
        return f"Timeout({', '.join(shown)})"

    @property
    def hears(self) -> bool:
        """Whether there are events to be listened for, in a whole call too."""
        return self.first_event is not None or self.idle is not None


class _Watch(Interrupt):
    """The clocks of one call, on its event loop's own timers: interrupts who waits when one of them runs out.

    `over` is then the name of that limit, and empty until then.
    """

    __slots__ = ("_end", "_of_end", "_of_silence", "_silence", "over", "since", "timer")

    def __init__(self, limits: Timeout) -> None:
        super().__init__(asyncio.get_running_loop())
        self.over = ""
        total, attempt = limits.total or math.inf, limits.attempt or math.inf
        self.since = self.loop.time()
        self._end = self.since + min(total, attempt)
        self._of_end = "total" if total <= attempt else "attempt"
        self._of_silence = "idle" if limits.first_event is None else "first_event"
        self._silence = limits.first_event or limits.idle or math.inf
        self.timer: asyncio.TimerHandle | None = None
        self.wind()

    def opened(self, idle: float | None) -> None:
        """The first event is here: from now on this much silence is allowed."""
        self._of_silence, self._silence = "idle", idle or math.inf
        self.since = self.loop.time()
        self.stop()
        self.wind()

    def again(self) -> bool:
        """The current task waits for more; False when the time is over already."""
        self.since = self.loop.time()
        if self.timer is None:
            self.resume()
        if not self.over:
            self.begin()
        return not self.over

    def resume(self) -> None:
        """The timer rang while nobody waited; somebody does again."""
        if self.since >= self._end:
            self.over = self._of_end
        else:
            self.wind()

    def stop(self) -> None:
        """No clock runs any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def wind(self) -> None:
        """Let the timer ring when the next limit is due."""
        due = min(self._end, self.since + self._silence)
        if due < math.inf:
            self.timer = self.loop.call_at(due, self._ring)

    def _ring(self) -> None:
        self.timer = None
        now = self.loop.time() + _MICROSECOND
        if now >= self._end:
            self.over = self._of_end
        elif self.waiting and now >= self.since + self._silence:
            self.over = self._of_silence
        elif self.waiting:
            self.wind()
        if self.over:
            self.strike()


class _Call:
    """One call while it is made: what the layers below are told, and what is known of it when a clock strikes."""

    __slots__ = (
        "_clock",
        "_limits",
        "_model",
        "_outer",
        "_told",
        "deltas",
        "first_event",
        "journal",
        "started",
    )

    def __init__(self, model: Model, bare: bool, limits: Timeout, clock: Clock) -> None:
        self._model, self._limits, self._clock = model, limits, clock
        self._outer = open_journal()
        # The models below enter their calls; a bare one is entered here.
        self.journal = None if bare else Journal()
        self.started = clock.now()
        self.first_event: float | None = None
        self.deltas: list[Delta] = []
        self._told: list[deadline.within | keeping] = []
        if limits.total is not None:
            self._told.append(deadline.within(limits.total, clock))
        if self.journal is not None:
            self._told.append(keeping(self.journal))

    def __enter__(self) -> None:
        """Tells the layers below of the deadline and of the journal."""
        for each in self._told:
            each.__enter__()

    def __exit__(self, *raised: object) -> None:
        for each in self._told:
            each.__exit__(*raised)

    def came_to(self, result: Result[Response, ModelError]) -> Result[Response, ModelError]:
        """The call came to this by itself."""
        self._enter((result.failure() if isinstance(result, Failure) else result.unwrap()).attempts)
        return result

    def cut_short(self) -> None:
        """The call was cancelled, or its stream was closed."""
        self._enter((self._entry(CANCELLED),) if self.journal is None else self.journal.attempts)

    def over(self, name: str) -> ModelError:
        """What it comes to when the clock of this limit strikes."""
        kind = ErrorKind.DEADLINE_EXCEEDED if name == "total" else ErrorKind.TIMEOUT
        message = _SAID[name].format(getattr(self._limits, name))
        attempts: tuple[Attempt, ...]
        if self.journal is None:
            attempts = (self._entry(kind.value, message),)
        else:
            attempts = tuple(_struck(each, kind) for each in self.journal.attempts)
        self._enter(attempts)
        sent = Sent.YES if self.deltas else Sent.PERHAPS if attempts else Sent.NO
        provider, model_id = names_of(self._model) if self.journal is None else (None, None)
        return ModelError(kind, message, sent=sent, provider=provider, model_id=model_id, attempts=attempts)

    def _enter(self, attempts: tuple[Attempt, ...]) -> None:
        if self.journal is not None:
            self.journal.close(self._outer, *attempts)
        elif self._outer is not None:
            self._outer.enter(*attempts)

    def _entry(self, outcome: str, message: str | None = None) -> Attempt:
        now = self._clock.now()
        return physical_call(self._model, outcome, self.started, now, first_event=self.first_event, message=message)


def _struck(attempt: Attempt, kind: ErrorKind) -> Attempt:
    cut = attempt.outcome == CANCELLED and not attempt.discarded
    return attrs.evolve(attempt, outcome=kind.value) if cut else attempt


@attrs.frozen(repr=False)
class Timed(Entered):
    """A model whose calls may take only so long: the port again."""

    _bare: bool = attrs.field(init=False, eq=False, default=attrs.Factory(lambda self: is_bare(self.inner), True))

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer. Where silence counts it is streamed underneath, so that there is something to hear."""
        limits = self._limits
        if limits.hears:
            return await self._folded(request)
        if limits.total is not None and deadline.left() <= 0:
            return Failure(_TOO_LATE)
        call = _Call(self.inner, self._bare, limits, self.clock)
        watch = _Watch(limits)
        try:
            watch.begin()
            with call:
                result = await self._whole(self.inner, request)
        except BaseException as raised:
            watch.stop()
            if not (watch.mine() and isinstance(raised, asyncio.CancelledError)):
                call.cut_short()
                raise
            return Failure(call.over(watch.over))
        watch.stop()
        watch.mine()
        # A model may swallow its cancellation, and answer: it is late all the same.
        return Failure(call.over(watch.over)) if watch.over else call.came_to(result)

    async def _folded(self, request: Request) -> Result[Response, ModelError]:
        last: Event = _BROKEN_OFF
        async with aclosing(self.stream(request)) as events:
            async for event in events:
                last = event
        return settle((last,))

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives."""
        limits = self._limits
        if limits.total is not None and deadline.left() <= 0:
            yield Failed(_TOO_LATE)
            return
        call = _Call(self.inner, self._bare, limits, self.clock)
        watch = _Watch(limits)
        opened: Opened | None = None
        last: Finished | Failed = _BROKEN_OFF
        try:
            try:
                watch.begin()
                with call:
                    result = await self._opening(self.inner, request)
                watch.waiting = None
                if isinstance(result, Failure):
                    last = Failed(result.failure())
                else:
                    opened = result.unwrap()
                    first = opened.first
                    if isinstance(first, (Finished, Failed)):
                        last = first
                    else:
                        call.first_event = self.clock.now() - call.started
                        watch.opened(limits.idle)
                        heard = call.deltas.append
                        heard(first)
                        yield first
                        # What follows happens for every event: nothing is looked up or called that need not be.
                        loop, time, current_task = watch.loop, watch.loop.time, asyncio.current_task
                        reader, silence_counts = None, limits.idle is not None
                        if watch.again():
                            async for piece in opened.rest:
                                watch.waiting = None
                                kind = type(piece)
                                if kind is Finished or kind is Failed:
                                    last = piece  # type: ignore[assignment]
                                    break
                                heard(piece)  # type: ignore[arg-type]
                                yield piece
                                if silence_counts:
                                    watch.since = time()
                                    if watch.timer is None:
                                        watch.resume()
                                if watch.over:
                                    break
                                if current_task(loop) is reader:
                                    watch.waiting = reader
                                else:
                                    watch.begin()
                                    reader = watch.waiting
            except asyncio.CancelledError:
                if not watch.mine():
                    raise
            finally:
                watch.stop()
                watch.mine()
                if opened is not None:
                    await opened.rest.aclose()
        except BaseException:
            call.cut_short()
            raise
        if watch.over:
            yield Failed(call.over(watch.over), cut_off(call.deltas).partial)
            return
        end = last if opened is None else opened.ended(last, self.clock.now())
        call.came_to(settle((end,)))
        yield end

    @property
    def _limits(self) -> Timeout:
        return self.policy  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"{self.policy!r}({self.inner!r})"


_BROKEN_OFF: Final = cut_off(())
_TOO_LATE: Final = ModelError(ErrorKind.DEADLINE_EXCEEDED, "the time was over before the model was asked", sent=Sent.NO)


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
    limits = Timeout(total, attempt, first_event, idle)
    of_each = (attempt, first_event, idle)

    def of_a_model(model: Model) -> Model:
        return Timed(_without_entry(model), cast(Any, Timeout(None, *of_each)), clock)

    def layer(model: Model) -> Model:
        if is_bare(_without_entry(model)):
            return Timed(_without_entry(model), cast(Any, limits), clock)
        if of_each != (None, None, None):
            model = at_each_model(model, of_a_model)
        return model if total is None else Timed(entered(model, clock), cast(Any, Timeout(total)), clock)

    return layer


def _without_entry(model: Model) -> Model:
    return model.inner if type(model) is Entered else model
