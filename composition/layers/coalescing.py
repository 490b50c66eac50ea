"""One call that several ask for at once: it is made once, and goes on for as long as anybody waits for it.

The call runs in a task of its own, in the event loop of whoever asked first, so that the first may be cancelled and the
others still get the answer. Those who wait may be on other tasks, threads and event loops. When the loop of the first
is gone, its flight is lost, and the next one asks anew.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from ...adapters.process.clock import Clock
from ...domain.event import Delta, Failed, Finished
from ..stack.journal import Journal, keeping

_GLANCE = 0.05
"""Seconds after which one who waits on another loop looks whether that loop still runs."""


class Flight:
    """What one call has said so far, and who waits for more of it."""

    __slots__ = (
        "_claimed", "_lock", "_waiting", "events", "journal", "key", "landed", "last", "loop", "raised", "riders",
        "task",
    )  # fmt: skip

    def __init__(self, key: str, lock: threading.RLock) -> None:
        self.key = key
        self.loop = asyncio.get_running_loop()
        self.task: asyncio.Task[None] | None = None
        self.events: list[Delta] = []
        self.journal = Journal()
        self.last: Finished | Failed | None = None
        self.landed = False
        self.raised: BaseException | None = None
        self.riders = 0
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

    def claim(self, journal: Journal | None) -> bool:
        """Whether the ledger of this call is the asker's: one of them shows it, so that it is counted once."""
        with self._lock:
            claimed, self._claimed = self._claimed, True
        if not claimed and journal is not None:
            journal.enter(*self.journal.attempts)
        return not claimed

    async def more(self, seen: int, clock: Clock, until: float = math.inf) -> None:
        """Waits for more than so many events, for the end, or for so late on the clock."""
        here = asyncio.get_running_loop()
        future: asyncio.Future[None] = here.create_future()
        with self._lock:
            self._waiting[future] = None
        try:
            if len(self.events) > seen or self.landed:
                return
            if here is self.loop and until == math.inf:
                await future
                return
            glance = math.inf if here is self.loop else _GLANCE
            while not future.done() and self.is_flying() and (left := until - clock.now()) > 0:
                await asyncio.wait((future,), timeout=min(glance, left))
        finally:
            with self._lock:
                self._waiting.pop(future, None)

    def is_flying(self) -> bool:
        """Whether anything is still to come."""
        return not self.landed and self.loop.is_running()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Flights:
    """The calls in progress, by key."""

    def __init__(self) -> None:
        self._open: dict[str, Flight] = {}
        self._lock = threading.RLock()  # a loop may run a new task at once, within the lock

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or one in another process, has no calls in progress."""
        return (Flights, ())

    def board(self, key: str, ask: Callable[[Flight], Awaitable[None]]) -> tuple[Flight, bool]:
        """The flight of this key, and whether it has just begun, with `ask`."""
        with self._lock:
            flight = self._open.get(key)
            if flight is not None and flight.is_flying():
                flight.riders += 1
                return flight, False
            flight = self._open[key] = Flight(key, self._lock)
            flight.riders = 1
            flight.task = flight.loop.create_task(_fly(flight, ask))
            flight.task.add_done_callback(lambda _: self.land(flight))
            return flight, True

    def land(self, flight: Flight, last: Finished | Failed | None = None) -> None:
        """The call is over; `last` is how it ended, if it came to that."""
        with self._lock:
            if flight.landed:
                return
            self._strike(flight)
            flight.last, flight.landed = last, True
            flight.wake()

    async def leave(
        self, flight: Flight, clock: Clock, journal: Journal | None = None, *, cut_short: bool = False
    ) -> None:
        """One caller less waits. When nobody does any more, the call is cancelled, and this waits until it has let go.

        What was called by then belongs in the journal of the last one. A caller that is `cut_short` in the instant in
        which the call lands never sees its answer, so the call belongs in its journal as well, unless another has it.
        """
        with self._lock:
            flight.riders -= 1
            abandoned = not flight.riders and not flight.landed
            if abandoned:
                self._strike(flight)
        if abandoned and not await _cancelled(flight, clock):
            return
        if journal is not None and (abandoned or (cut_short and flight.landed)):
            flight.claim(journal)

    def _strike(self, flight: Flight) -> None:
        if self._open.get(flight.key) is flight:
            del self._open[flight.key]


async def _cancelled(flight: Flight, clock: Clock) -> bool:
    """Cancels the call and waits until it has let go; False when its loop has closed, and the call with it."""
    assert flight.task is not None
    if flight.loop is asyncio.get_running_loop():
        flight.task.cancel()
    else:
        try:
            flight.loop.call_soon_threadsafe(flight.task.cancel)
        except RuntimeError:
            return False
    while flight.is_flying():
        await flight.more(len(flight.events), clock)
    return True


async def _fly(flight: Flight, ask: Callable[[Flight], Awaitable[None]]) -> None:
    try:
        with keeping(flight.journal):
            await ask(flight)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # those who wait raise it
        flight.raised = error
