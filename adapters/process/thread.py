"""Threads: a model's own, and one that nobody waits for when the program ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from .inside import Inside
from .per_process import PerProcess

T = TypeVar("T")

AT_EXIT: Final = Inside(
    "Python",
    "threading",
    "_register_atexit",
    "a program that ends in the midst of an answer waits until it is generated, or for an engine without end",
)
INSIDES: Final[tuple[Inside, ...]] = (AT_EXIT,)


def before_threads_end(end: Callable[[], None]) -> None:
    """Have this called when the program ends, before Python waits for threads and processes; `atexit` is too late."""
    register = AT_EXIT.of(threading)
    if register is not None:
        register(end)


class Threads:
    """A model's own threads: at most `count`, named, started when they are needed, and anew in a forked child."""

    __slots__ = ("_count", "_name", "_pool")

    def __init__(self, name: str, count: int) -> None:
        self._name, self._count = name, count
        self._pool: PerProcess[ThreadPoolExecutor] = PerProcess()

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Start the work as soon as a thread is free."""
        return self._pool.get(lambda: ThreadPoolExecutor(self._count, thread_name_prefix=self._name)).submit(work)


def apart(work: Callable[[], T], name: str) -> Future[T]:
    """Done at once in a thread of its own, which ends with the program, whatever it does. It can't be cancelled."""
    outcome: Future[T] = Future()
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # whoever waits must hear of it
            outcome.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return outcome
