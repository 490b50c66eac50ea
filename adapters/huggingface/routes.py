"""Where the calls of one model go, asked of the SDK in a thread and remembered: it blocks while it asks the hub."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from ..process.per_process import PerProcess
from ..process.thread import apart
from .sdk import Route

T = TypeVar("T")
_THREAD: Final = "modelport-huggingface"


class Routes:
    """What was found for one model, for all threads and event loops of a process. A copy is empty."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: PerProcess[_Known] = PerProcess()

    async def find(self, ask: Callable[[], Route], key: object, *, fast: bool, seconds: Any, model_id: str) -> Route:
        """The way of a call, which is remembered under its `key` if it has one, until another key comes.

        The first is asked for in a thread. So is each that isn't `fast`: a login may be renewed on the way.
        Raises what `ask` does, and TimeoutError when it takes longer than so many seconds.
        """
        known = self._known.get(_Known)
        latest = known.latest
        if key is not None and latest is not None and latest[0] == key:
            return latest[1]
        if not known.asked:
            await _within(seconds, known.first(ask), model_id)
            known.asked = True
        route = ask() if fast else await _within(seconds, apart(ask, _THREAD), model_id)
        if key is not None:
            known.latest = (key, route)
        return route

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), ())


class _Known:
    """What was found in one process."""

    __slots__ = ("_first", "_lock", "asked", "latest")

    def __init__(self) -> None:
        self.asked = False  # whether the hub has answered: the SDK remembers what it said
        self.latest: tuple[object, Route] | None = None
        self._first: Future[Route] | None = None
        self._lock = threading.Lock()

    def first(self, ask: Callable[[], Route]) -> Future[Route]:
        """The question that is on its way; another one where it has ended."""
        with self._lock:
            if self._first is None or self._first.done():
                self._first = apart(ask, _THREAD)
            return self._first


async def _within(seconds: Any, asked: Future[T], model_id: str) -> T:
    limit = asyncio.timeout(seconds if isinstance(seconds, (int, float)) else None)
    try:
        async with limit:
            return await asyncio.wrap_future(asked)
    except TimeoutError:
        if not limit.expired():
            raise
        raise TimeoutError(f"the hub didn't say in {seconds:g} seconds where {model_id} is served") from None
