"""What can't be a value: a model's threads, and what has been loaded. It is loaded on first use, once in a process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from ..process.per_process import PerProcess
from ..process.thread import Threads

R = TypeVar("R")


class Runtime(Generic[R]):
    """Loads what answers by `load`, whoever asks at once, and again after it was closed; a failure isn't remembered."""

    __slots__ = ("_load", "_ready", "threads")

    def __init__(self, threads: Threads, load: Callable[[], R]) -> None:
        self.threads = threads
        self._load = load
        self._ready: PerProcess[R] = PerProcess()

    def ready(self) -> R:
        """What answers, loaded."""
        return self._ready.get(self._load)

    def put(self, ready: R) -> None:
        """Have this answer, which is loaded already."""
        self._ready.put(ready)

    def close(self) -> None:
        """Let go of it. Calls in progress end with what they have."""
        self._ready.drop()
