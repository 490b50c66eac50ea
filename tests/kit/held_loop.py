"""A loop whose time stands still until it is put forward: no load ends a wait early, and a long one takes no time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any, Final, TypeVar

from loopback import Loopback

T = TypeVar("T")

_LONG: Final = 1e6
"""Seconds that nobody waits."""


class HeldLoop(asyncio.SelectorEventLoop):
    """Sockets and threads wake it as ever; timers do when `now`, in seconds, has come so far."""

    now = 0.0

    def time(self) -> float:
        """As it was put."""
        return self.now


def held(main: Coroutine[Any, Any, T]) -> T:
    """What this comes to, in such a loop."""
    with asyncio.Runner(loop_factory=HeldLoop) as runner:
        return runner.run(main)


async def later(seconds: float = _LONG) -> None:
    """Put the time of the running loop forward, when it has read and done all that was there to be read and done."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, HeldLoop)
    for _ in range(20):
        await asyncio.sleep(0)
    loop.now += seconds


async def in_silence(server: Loopback, calling: Awaitable[T], seconds: float = _LONG) -> T:
    """What the call comes to, whose server stalls and is silent for so long."""
    before = server.stalled
    task = asyncio.ensure_future(calling)
    assert await asyncio.to_thread(server.until, lambda seen: seen.stalled > before)
    await later(seconds)
    return await task
