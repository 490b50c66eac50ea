"""The one background event loop on which synchronous callers run asynchronous models.

It starts on first use, lives in a daemon thread, and is made anew in a forked child, where the parent's thread is gone.
Running everything there, rather than in a loop per call, keeps connections and limiters in one place, and works inside
a loop that is already running (a notebook).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import sys
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from .fork import in_child

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_thread: threading.Thread | None = None


def loop() -> asyncio.AbstractEventLoop:
    """The background loop, running."""
    global _loop, _thread
    with _lock:
        if _loop is None:
            made = asyncio.new_event_loop()
            _thread = threading.Thread(target=_serve, args=(made,), name="modelport-loop", daemon=True)
            _thread.start()
            _loop = made
        return _loop


def _serve(made: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            made.run_forever()
        except (SystemExit, KeyboardInterrupt):
            # A model has raised it: its caller gets it, and everybody else's calls go on.
            continue


def submit(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start work on the background loop, to be waited for. Cancelling the future cancels the work.

    Raises RuntimeError on the background loop itself, which would wait for itself for ever: `await` there.
    """
    if threading.current_thread() is _thread:
        work.close()
        raise RuntimeError(
            "a blocking call inside an asynchronous model would wait for ever; await model.generate(...)"
        )
    return asyncio.run_coroutine_threadsafe(work, loop())


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do work on the background loop and wait for it; whatever interrupts the waiting (Ctrl-C) cancels the work."""
    future = submit(work)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def is_gone(where: asyncio.AbstractEventLoop) -> bool:
    """Whether this loop was the background loop before a fork: nothing runs on it here."""
    return where is not _loop


def end(work: concurrent.futures.Future[Any], where: asyncio.AbstractEventLoop) -> bool:
    """Cancel work that was submitted to this loop; say whether its end may be waited for.

    It may not where the waiting would last for ever: on the loop itself (a garbage collection runs on any thread), in a
    forked child, and while the interpreter shuts down. Work that hasn't begun is let begin, so that it always ends.
    """
    if is_gone(where) or sys.is_finalizing():
        return False
    where.call_soon_threadsafe(where.call_soon, work.cancel)
    return threading.current_thread() is not _thread


@in_child
def _forget() -> None:
    global _loop, _lock, _thread
    _lock = threading.Lock()
    _loop = _thread = None
