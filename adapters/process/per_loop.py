"""One thing per event loop: made on first use, and closed when its loop shuts down.

An SDK's asynchronous client doesn't outlive its event loop, and a forked child must not use its parent's connections.
Where nobody holds the `PerLoop` any more, its things are closed a little later, so that a loop that ends just then does
it itself: to close many connections takes more turns than an ending loop gives a task.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from .per_process import PerProcess

T = TypeVar("T")

_SOON = 0.1
"""Seconds from when nothing holds a thing any more until it is closed."""

_closings: set[asyncio.Task[None]] = set()


class PerLoop(Generic[T]):
    """Holds a thing for each event loop of each process. A copy, or one that was unpickled, is empty."""

    __slots__ = ("_shelf",)

    def __init__(self) -> None:
        self._shelf: PerProcess[_Shelf[T]] = PerProcess()

    async def get(self, make: Callable[[], T], close: Callable[[T], Awaitable[object]]) -> T:
        """The running loop's own. What `make` raises is raised, and it is asked again the next time."""
        loop = asyncio.get_running_loop()
        shelf = self._shelf.get(_Shelf)
        held = shelf.of.get(loop)
        if held is not None:
            return held.thing
        thing = make()  # nothing is awaited from the look to the `put`, so no other task of this loop comes between
        guard = _closed_at_the_end(thing, close)
        held = _Held(thing, guard)
        weakref.finalize(held, _let_go, weakref.ref(loop), guard).atexit = False
        shelf.put(loop, held)
        await guard.__anext__()
        return thing

    async def drop(self) -> None:
        """Close the running loop's own, if it has one; another is made when it is asked for."""
        held = self._shelf.get(_Shelf).of.pop(asyncio.get_running_loop(), None)
        if held is not None:
            await held.guard.aclose()

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), ())


class _Held(Generic[T]):
    """A thing on its shelf. It may not refer to the `PerLoop`, which would then never go."""

    __slots__ = ("__weakref__", "guard", "thing")

    def __init__(self, thing: T, guard: AsyncGenerator[None]) -> None:
        self.thing, self.guard = thing, guard


class _Shelf(Generic[T]):
    """The things of one process."""

    __slots__ = ("_lock", "of")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.of: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Held[T]] = weakref.WeakKeyDictionary()

    def put(self, loop: asyncio.AbstractEventLoop, made: _Held[T]) -> None:
        with self._lock:
            # A client holds its connections, and they hold the loop: a closed loop's entry would stay for ever.
            for old in [other for other in list(self.of) if other.is_closed()]:
                self.of.pop(old, None)
            self.of[loop] = made


async def _closed_at_the_end(thing: T, close: Callable[[T], Awaitable[object]]) -> AsyncGenerator[None]:
    """Begun and never finished, so that `loop.shutdown_asyncgens` (which `asyncio.run` calls) finishes it."""
    try:
        yield
    finally:
        await close(thing)


def _let_go(loop: weakref.ref[asyncio.AbstractEventLoop], guard: AsyncGenerator[None]) -> None:
    """Nothing holds the thing any more, in whatever thread that showed; its loop holds the guard from now on."""
    running = loop()
    if running is not None:
        with contextlib.suppress(RuntimeError):  # it is closed, and has closed all that was its own
            running.call_soon_threadsafe(running.call_later, _SOON, _finish, guard)


def _finish(guard: AsyncGenerator[None]) -> None:
    task = asyncio.ensure_future(guard.aclose())
    _closings.add(task)
    task.add_done_callback(_closings.discard)
