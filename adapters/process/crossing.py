"""How what is produced elsewhere, in a thread or on another event loop, is read as a stream on the reader's own loop.

A reader that leaves (its generator is closed, its task is cancelled, its loop is gone, the program ends) has the work
cancelled, and waits until it has ended.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from typing import TypeVar

import anyio

from .thread import Threads, before_threads_end

T = TypeVar("T")
Give = Callable[[T], None]
Begin = Callable[[Give[T]], tuple[Future[None], Callable[[], None]]]
Producer = Callable[[Give[T], threading.Event], None]

_running: set[threading.Event] = set()


def _end_all() -> None:
    for cancelled in list(_running):
        cancelled.set()


before_threads_end(_end_all)


async def crossed(begin: Begin[T], patience: float) -> AsyncGenerator[T]:
    """What is given, piece by piece, by work that `begin(give)` starts; what the work raises is raised after that.

    `begin` gives the work's end and what cancels it, from any thread. Ending the generator early cancels it, and waits
    for its end, for `patience` seconds at most.
    """
    loop = asyncio.get_running_loop()
    arrived: deque[T] = deque()
    news = asyncio.Event()

    def wake(_: object = None) -> None:
        try:
            if loop.is_closed() or not news.is_set():
                loop.call_soon_threadsafe(news.set)
        except RuntimeError:  # the loop is closed: nobody will read this
            cancel()

    def give(piece: T) -> None:
        arrived.append(piece)
        wake()

    done, cancel = begin(give)
    done.add_done_callback(wake)
    try:
        while True:
            news.clear()
            ended = done.done()  # read before the pieces: what is given before the end is seen before the end
            while arrived:
                yield arrived.popleft()
            if ended:
                done.result()
                return
            await news.wait()
    finally:
        if not done.done():
            cancel()
            await _until_ended(done, news, patience)


def pieces(threads: Threads, produce: Producer[T], *, patience: float = 10.0) -> AsyncGenerator[T]:
    """What `produce(give, cancelled)` gives in one of these threads, piece by piece; what it raises is raised here.

    The producer polls `cancelled`, which is set when nobody reads any more: it can't be stopped otherwise.
    """

    def begin(give: Give[T]) -> tuple[Future[None], Callable[[], None]]:
        context = contextvars.copy_context()
        cancelled = threading.Event()
        job = threads.submit(lambda: context.run(produce, give, cancelled))
        _running.add(cancelled)
        job.add_done_callback(lambda _: _running.discard(cancelled))

        def cancel() -> None:
            cancelled.set()
            job.cancel()

        return job, cancel

    return crossed(begin, patience)


async def _until_ended(job: Future[None], news: asyncio.Event, patience: float) -> None:
    """Wait until the job has ended, as `news` tells, whoever cancels the waiting; for `patience` at most."""
    again: asyncio.CancelledError | None = None
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    with anyio.CancelScope(shield=True):
        while True:
            news.clear()
            if job.done() or loop.time() >= end:
                break
            try:
                await asyncio.wait_for(news.wait(), end - loop.time())
            except TimeoutError:
                break
            except asyncio.CancelledError as error:
                again = error
    if again is not None:
        raise again
