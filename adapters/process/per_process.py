"""One thing per process: made on first use, once, whoever asks at once. A forked child makes its own.

What counts is the process's number and not a lock alone, because a fork may leave the parent's locks taken.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Holds a thing for each process. A copy, or one that was unpickled, is empty."""

    __slots__ = ("_things",)

    def __init__(self) -> None:
        self._things: dict[int, _Once[T]] = {}

    def get(self, make: Callable[[], T], stale: Callable[[T], bool] | None = None) -> T:
        """This process's own, made anew where it is `stale`. What `make` raises is raised, and it is asked again."""
        once = self._here()
        held = once.held
        if held is not None and stale is None:
            return held[0]
        with once.lock:
            if once.held is None or (stale is not None and stale(once.held[0])):
                once.held = (make(),)
            return once.held[0]

    def known(self) -> T | None:
        """This process's own, if it has been made."""
        held = self._here().held
        return None if held is None else held[0]

    def put(self, thing: T) -> None:
        """Have this one be this process's own."""
        once = self._here()
        with once.lock:
            once.held = (thing,)

    def drop(self) -> T | None:
        """Let go of this process's own, and give it, if it has been made; it is made anew when it is needed."""
        once = self._here()
        with once.lock:
            held, once.held = once.held, None
        return None if held is None else held[0]

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), ())

    def _here(self) -> _Once[T]:
        pid = os.getpid()
        once = self._things.get(pid)
        if once is None:  # no lock, which a fork might leave taken: of two at once, one wins
            once = self._things.setdefault(pid, _Once())
        return once


class _Once(Generic[T]):
    __slots__ = ("held", "lock")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.held: tuple[T] | None = None
