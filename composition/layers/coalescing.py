"""One call that several ask for at once: it is made once, and goes on for as long as anybody waits for it.

The call runs in a task of its own, in the event loop of whoever asked first, so that the first may be cancelled and the
others still get the answer. Callers may be on other tasks, threads and event loops. When the loop of the first is gone,
its call is lost, and the next one asks anew.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from ...adapters.process.clock import Clock
from ...adapters.process.fork import forgets
from ...domain.event import Delta, Failed, Finished
from ..stack.journal import Journal, keeping

_GLANCE = 0.05
"""Seconds after which a caller on another loop looks whether the loop of the call still runs."""


class CoalescedCall:
    """What has come of one call so far, and who waits for more of it."""

    __slots__ = (
        "_claimed", "_lock", "_waiting", "asked", "callers", "events", "journal", "key", "last", "loop", "over",
        "raised", "task",
    )  # fmt: skip

    def __init__(self, key: str, lock: threading.RLock) -> None:
        self.key = key
        self.loop = asyncio.get_running_loop()
        self.task: asyncio.Task[None] | None = None
        self.events: list[Delta] = []
        self.journal = Journal()
        self.last: Finished | Failed | None = None
        self.over = False
        self.raised: BaseException | None = None
        self.asked = 0
        """How many have asked for it."""
        self.callers: dict[int, None] = {}
        """Those who still wait, by the number of their asking, which for the first is 0."""
        self._claimed = False
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order of asking: the first claims the ledger
        self._lock = lock

    def tell(self, event: Delta) -> None:
        """A piece of the answer."""
        self.events.append(event)
        if self._waiting:  # who begins to wait looks for events after that
            self.wake()

    def wake(self) -> None:
        """Let all look again who wait."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for future in waiting:
            if future.get_loop() is self.loop:
                _set(future)
            else:
                try:
                    future.get_loop().call_soon_threadsafe(_set, future)
                except RuntimeError:  # that loop has closed, and with it whoever waited
                    continue

    def join(self) -> int:
        """One more waits; gives the number of its asking."""
        number, self.asked = self.asked, self.asked + 1
        self.callers[number] = None
        return number

    def claim(self, journal: Journal | None) -> bool:
        """Whether the ledger of this call is the asker's: one of them shows it, so that it is counted once."""
        with self._lock:
            claimed, self._claimed = self._claimed, True
        if not claimed and journal is not None:
            journal.enter(*self.journal.attempts)
        return not claimed

    async def more(self, seen: int, clock: Clock, until: float = math.inf) -> None:
        """Waits until there are more events than the caller has `seen`, until the end, or `until` this time."""
        here = asyncio.get_running_loop()
        future: asyncio.Future[None] = here.create_future()
        with self._lock:
            self._waiting[future] = None
        try:
            if len(self.events) > seen or self.over:
                return
            if here is self.loop and until == math.inf:
                await future
                return
            glance = math.inf if here is self.loop else _GLANCE
            while not future.done() and self.is_going_on() and (left := until - clock.now()) > 0:
                await asyncio.wait((future,), timeout=min(glance, left))
        finally:
            with self._lock:
                self._waiting.pop(future, None)

    def is_going_on(self) -> bool:
        """Whether anything is still to come."""
        return not self.over and self.loop.is_running()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class CoalescedCalls:
    """The calls in progress, by key."""

    def __init__(self) -> None:
        self.forget()
        forgets(self)

    def forget(self) -> None:
        """In a forked child: the calls in progress are the parent's, and so may be whoever holds the lock."""
        self._open: dict[str, CoalescedCall] = {}
        self._lock = threading.RLock()  # a loop may run a new task at once, within the lock

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or one in another process, has no calls in progress."""
        return (CoalescedCalls, ())

    def join(self, key: str, ask: Callable[[CoalescedCall], Awaitable[None]]) -> tuple[CoalescedCall, int]:
        """The call of this key, and the number of this asking: 0 for a call that has just begun, with `ask`."""
        with self._lock:
            call = self._open.get(key)
            if call is not None and call.is_going_on():
                return call, call.join()
            call = self._open[key] = CoalescedCall(key, self._lock)
            number = call.join()
            call.task = call.loop.create_task(_make(call, ask))
            call.task.add_done_callback(lambda _: self.end(call))
            return call, number

    def end(self, call: CoalescedCall, last: Finished | Failed | None = None) -> None:
        """The call is over; `last` is how it ended, if it came to that."""
        with self._lock:
            if call.over:
                return
            self._strike(call)
            call.last, call.over = last, True
            call.wake()

    async def leave(
        self,
        call: CoalescedCall,
        number: int,
        clock: Clock,
        journal: Journal | None = None,
        *,
        cut_short: bool = False,
    ) -> None:
        """The caller of this number leaves. When the last one has left, the call is cancelled; waits for its end.

        What was sent by then belongs in the journal of the last caller. A caller that is `cut_short` at the moment when
        the call ends never sees its answer; if it was the first to ask of those who were left, the call belongs in its
        journal as well, unless another has it. Had it asked later, one before it still shows the call.
        """
        with self._lock:
            foremost = next(iter(call.callers)) == number
            del call.callers[number]
            abandoned = not call.callers and not call.over
            if abandoned:
                self._strike(call)
        if abandoned and not await _cancelled(call, clock):
            return
        if journal is not None and (abandoned or (cut_short and foremost and call.over)):
            call.claim(journal)

    def _strike(self, call: CoalescedCall) -> None:
        if self._open.get(call.key) is call:
            del self._open[call.key]


async def _cancelled(call: CoalescedCall, clock: Clock) -> bool:
    """Cancels the call and waits until it has let go; False when its loop has closed, and the call with it."""
    assert call.task is not None
    if call.loop is asyncio.get_running_loop():
        call.task.cancel()
    else:
        try:
            call.loop.call_soon_threadsafe(call.task.cancel)
        except RuntimeError:
            return False
    while call.is_going_on():
        await call.more(len(call.events), clock)
    return True


async def _make(call: CoalescedCall, ask: Callable[[CoalescedCall], Awaitable[None]]) -> None:
    try:
        with keeping(call.journal):
            await ask(call)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # those who wait raise it
        call.raised = error
