"""Ask a second time when the answer is slow; the first content wins, and the other call is cancelled and awaited.

The first request is made in the caller's own task, the second, if there is one, in a task of its own: a call that is
quick enough costs no task. Only answers win: a call that fails leaves the other one going. How many second requests are
made is bounded by their share of all calls. Both calls are in the ledger.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Generic

import attrs
from returns.result import Failure, Result, Success

from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.fork import forgets
from ...domain.attempt import Attempt, Wait
from ...domain.checks import named
from ...domain.error import ModelError
from ...domain.machines.bounds import Bounds
from ...domain.machines.hedge import Hedging, Seen, delay_of, earn, saw, spend
from ...domain.model import Model
from ...domain.request import Request
from ..stack.compose import LayerOf
from ..stack.interrupt import Interrupt
from ..stack.journal import CANCELLED, Journal, journaled, keeping, open_journal
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy
from ..stack.opened import T, after, close, waited
from ..stack.policy import Call, Decorated, Opening

_NOT_AN_ERROR = frozenset({CANCELLED, "answered"})


class _Memory:
    """How long calls took, whole and streamed ones apart, and how many second requests may be made."""

    def __init__(self, hedging: Hedging) -> None:
        self._hedging = hedging
        self._seen = {False: Seen(), True: Seen()}
        self._saved = 1.0
        self._lock = threading.Lock()
        forgets(self)

    def forget(self) -> None:
        """In a forked child: whoever holds the lock may be the parent's."""
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process, or as a copy, it begins anew."""
        return (_Memory, (self._hedging,))

    def delay(self, streamed: bool) -> float | None:
        with self._lock:
            self._saved = earn(self._hedging, self._saved)
            return delay_of(self._hedging, self._seen[streamed])

    def may(self) -> bool:
        with self._lock:
            self._saved, may = spend(self._saved)
            return may

    def took(self, streamed: bool, seconds: float) -> None:
        with self._lock:
            self._seen[streamed] = saw(self._seen[streamed], seconds)


@attrs.frozen(repr=False)
class Hedge(LayerPolicy):
    """What `with_hedge` does on each call."""

    delay: float | None = None
    percentile: float | None = None
    share: float = 0.1
    clock: Clock = SYSTEM_CLOCK
    _memory: _Memory = attrs.field(
        init=False,
        eq=False,
        default=attrs.Factory(lambda self: _Memory(Hedging(self.delay, self.percentile, self.share)), True),
    )

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """Two calls; the second begins after the delay, which by percentile is no longer than a call."""
        delay = self.delay or 0.0
        longest = delay if self.percentile is None else max(delay, below.seconds)
        return attrs.evolve(below.waits(longest), calls=below.calls * 2)

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """The first answer of one request or two; or the error, when none came."""
        streamed = isinstance(call, Opening)
        delay = self._memory.delay(streamed)
        began = 0.0 if self.percentile is None else self.clock.now()
        if delay is None or delay >= deadline.left():
            result = await call(model, request)
        else:
            result = await _Race(call, model, request, self._memory, delay).won()
        if self.percentile is not None and isinstance(result, Success):
            self._memory.took(streamed, self.clock.now() - began)
        return result


class _Race(Generic[T]):
    """One request, and perhaps a second one."""

    __slots__ = ("_call", "_delay", "_interrupt", "_journals", "_loop", "_memory", "_model", "_request", "_second")

    def __init__(self, call: Call[T], model: Model, request: Request, memory: _Memory, delay: float) -> None:
        self._call: Call[T] = call
        self._model, self._request = model, request
        self._memory, self._delay = memory, delay
        self._loop = asyncio.get_running_loop()
        self._interrupt = Interrupt(self._loop)
        self._journals = (Journal(), Journal())
        self._second: asyncio.Task[Result[T, ModelError]] | None = None

    async def won(self) -> Result[T, ModelError]:
        """What the race came to. Nothing of it goes on when this returns, but the stream of the winner."""
        outer = open_journal()
        of_first, of_second = self._journals
        timer = self._loop.call_later(self._delay, self._ask_again)
        first: Result[T, ModelError] | None = None
        second: Result[T, ModelError] | None = None
        try:
            try:
                self._interrupt.begin()
                with keeping(of_first):
                    first = await self._call(self._model, self._request)
            except asyncio.CancelledError:
                if not self._interrupt.mine():
                    raise
            finally:
                timer.cancel()
                self._interrupt.mine()
            if self._second is not None:
                second = await self._outcome_of_second(self._second, first)
        except BaseException:
            await self._end()
            await close(first)
            for journal in self._journals:
                journal.close(outer, *map(_discarded, journal.attempts))
            raise
        if first is not None and (second is None or _is_refusal(second)):
            lost = tuple(map(_discarded, of_second.attempts))
            of_first.close(outer, *lost, *of_first.attempts)
            return after(lost, first)
        assert second is not None
        gave_up = first.failure().attempts if first is not None else tuple(map(_discarded, of_first.attempts))
        of_second.close(outer, *gave_up, *of_second.attempts)
        return after(gave_up, waited(Wait("hedge", self._delay), second))

    def _ask_again(self) -> None:
        if self._memory.may():
            self._second = self._loop.create_task(self._again())
            self._second.add_done_callback(self._second_is_done)

    async def _again(self) -> Result[T, ModelError]:
        with keeping(self._journals[1]):
            return await self._call(self._model, self._request)

    def _second_is_done(self, second: asyncio.Task[Result[T, ModelError]]) -> None:
        if not second.cancelled() and (second.exception() is not None or isinstance(second.result(), Success)):
            self._interrupt.strike()

    async def _outcome_of_second(
        self, second: asyncio.Task[Result[T, ModelError]], first: Result[T, ModelError] | None
    ) -> Result[T, ModelError] | None:
        """What the second request came to, if it matters: an answer to the first one ends it."""
        if isinstance(first, Success):
            await self._end()
            return None
        return await second

    async def _end(self) -> None:
        """Cancels the second request and waits until it has ended, whoever else is cancelled meanwhile."""
        second, interrupted = self._second, None
        if second is None:
            return
        second.cancel()
        while not second.done():
            try:
                await asyncio.wait((second,))
            except asyncio.CancelledError as cancelled:
                interrupted = cancelled
        if not second.cancelled() and second.exception() is None:
            await close(second.result())
        if interrupted is not None:
            raise interrupted


def _is_refusal(result: Result[Any, ModelError]) -> bool:
    return isinstance(result, Failure) and not result.failure().attempts


def _discarded(attempt: Attempt) -> Attempt:
    return attrs.evolve(attempt, discarded=True) if attempt.outcome in _NOT_AN_ERROR else attempt


@makes_layer
def with_hedge(
    delay: float | None = None,
    *,
    percentile: float | None = None,
    share: float = 0.1,
    clock: Clock = SYSTEM_CLOCK,
) -> LayerOf[Hedge]:
    """A layer that asks a second time when the first content, or the whole answer, takes too long.

    A call is slow after `delay` seconds, or when it takes longer than this `percentile` (such as 0.95) of the last
    hundred; with both, `delay` counts until ten calls were seen. At most about a `share` of all calls is asked again.
    Whichever answers first wins; the other call is cancelled and awaited. Raises ValueError on numbers that make no
    sense.
    """
    with named("with_hedge"):
        policy = Hedge(delay, percentile, share, clock=clock)
    return lambda model: Decorated(journaled(model, clock), policy, clock)
