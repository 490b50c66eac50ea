"""The threads in which MLX computes. They never end: what MLX leaves in a thread that ends can crash the program.

MLX keeps compiled functions for each thread, and lets go of them after Python has parted with the thread. If the
program ends in that moment, it is aborted. So a thread without work waits for some until there is no program any more.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Final, TypeVar

from ..process.fork import in_child

T = TypeVar("T")

_PATIENCE: Final = 10.0  # for those that still compute when the program ends

_work: SimpleQueue[Callable[[], None]] = SimpleQueue()
_state = threading.Condition()
_idle = 0
_busy = 0


def submit(work: Callable[[], T]) -> Future[T]:
    """Start the work at once, in a thread that has none, or in a new one."""
    global _idle, _busy
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    with _state:
        _busy += 1
        if _idle:
            _idle -= 1
        else:
            threading.Thread(target=_serve, name="modelport-mlx", daemon=True).start()
    _work.put(run)
    return future


def _serve() -> None:
    global _idle, _busy
    while True:
        _work.get()()
        with _state:
            _idle, _busy = _idle + 1, _busy - 1
            _state.notify_all()


def _settle() -> None:
    with _state:
        _state.wait_for(lambda: not _busy, _PATIENCE)


@in_child
def _forget() -> None:
    """A forked child has none of these threads, so that it would wait for work that nobody does."""
    global _state, _idle, _busy
    _state, _idle, _busy = threading.Condition(), 0, 0


atexit.register(_settle)
