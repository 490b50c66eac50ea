"""The one background event loop on which synchronous callers run asynchronous models.

It starts on first use, lives in a daemon thread, and is made anew in a forked child, where the parent's thread is gone.
Running everything there, rather than in a loop per call, keeps connections and limiters in one place, and works inside a
loop that is already running (a notebook).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The background loop, running."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="modelport-loop", daemon=True).start()
        return _loop


def submit(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start work on the background loop. Cancelling the future cancels the work."""
    return asyncio.run_coroutine_threadsafe(work, loop())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do work on the background loop and wait for it; whatever interrupts the waiting (Ctrl-C) cancels the work.

    Raises RuntimeError on the background loop itself, which would wait for itself for ever: `await` there.
    """
    if threading.current_thread().name == "modelport-loop":
        work.close()
        raise RuntimeError(
            "a blocking call inside an asynchronous model would wait for ever; await model.generate(...)"
        )
    future = submit(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def _forget() -> None:
    global _loop, _lock
    _lock = threading.Lock()
    _loop = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
