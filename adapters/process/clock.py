"""Time and chance as arguments, so that every policy can be run in virtual time.

`SystemClock` is the real one. `VirtualClock` runs a coroutine in a loop whose time jumps to the next timer as soon as
nothing else is left to do: an hour of waiting takes no time, and happens to the microsecond.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

Chance = Callable[[], float]
"""Gives a number from 0 to 1, 1 excluded."""


class Clock(Protocol):
    """Tells the time in seconds, from some beginning of its own, and waits."""

    def now(self) -> float:
        """The time."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """Wait."""
        ...


@attrs.frozen
class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Seconds since the machine started."""
        return time.monotonic()

    async def sleep(self, seconds: float, /) -> None:
        """Wait, on asyncio or trio."""
        import anyio

        await anyio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()
_system_random = random.SystemRandom()


def system_chance() -> float:
    """Chance from the operating system, so that no two processes wait alike."""
    return _system_random.random()


@attrs.define(eq=False)
class VirtualClock:
    """A clock for tests: `run` a coroutine under it, and waiting takes no time.

    >>> clock = VirtualClock()
    >>> async def wait_an_hour():
    ...     await clock.sleep(3600)
    ...     return clock.now()
    >>> clock.run(wait_an_hour())
    3600.0

    Everything that waits must do so in the coroutine's own loop: work in other threads isn't waited for. Raises
    RuntimeError when all tasks wait for something that no timer will bring.
    """

    _now: float = 0.0

    def now(self) -> float:
        """Virtual seconds since the clock was made."""
        return self._now

    async def sleep(self, seconds: float, /) -> None:
        """Let virtual time pass."""
        import asyncio

        await asyncio.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass outside `run`."""
        self._now += seconds

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """The result of the coroutine, run in a loop of its own in virtual time; inside a running loop, in a thread."""
        import asyncio

        def run() -> T:
            with asyncio.Runner(loop_factory=lambda: _virtual_loop(self)) as runner:
                return runner.run(main)

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return run()
        from concurrent.futures import ThreadPoolExecutor
        from contextvars import copy_context

        with ThreadPoolExecutor(1) as thread:  # a notebook's cell runs inside a loop
            return thread.submit(copy_context().run, run).result()


def _virtual_loop(clock: VirtualClock) -> asyncio.AbstractEventLoop:
    import asyncio
    import selectors

    began = clock.now()

    class Jump(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            ready = super().select(0)
            if not ready and timeout is None:
                raise RuntimeError("every task waits, and no timer will wake any of them")
            if not ready and timeout:
                # A time so large that so little can't be added to it goes on by the least that can.
                clock.advance(max(timeout, math.ulp(clock.now())))
            return ready

    class Loop(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return clock.now() - began  # small, so that asyncio's own tolerance of a nanosecond counts

    return Loop(Jump())
