"""How a blocking local runtime becomes an async stream: it produces in a thread, and any event loop reads its pieces.

The producer is a plain function. It is given `give`, to hand over a piece, and a flag that it polls: the flag is set as
soon as nobody reads any more (the generator is closed, the task is cancelled, the loop is gone, the program ends).
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from typing import Final, TypeVar

import anyio

from ..process.inside import Inside

T = TypeVar("T")
Producer = Callable[[Callable[[T], None], threading.Event], None]

AT_EXIT: Final = Inside(
    "Python",
    "threading",
    "_register_atexit",
    "a program that ends in the midst of an answer waits until it is generated, or for an engine without end",
)
INSIDES: Final[tuple[Inside, ...]] = (AT_EXIT,)

_running: set[threading.Event] = set()


def _end_all() -> None:
    for cancelled in list(_running):
        cancelled.set()


def before_threads_end(end: Callable[[], None]) -> None:
    """Have this called when the program ends, before Python waits for threads and processes; `atexit` is too late."""
    register = AT_EXIT.of(threading)
    if register is not None:
        register(end)


before_threads_end(_end_all)


class Threads:
    """A model's own threads: at most `count`, named, started when they are needed, and anew in a forked child."""

    __slots__ = ("_count", "_name", "_pools")

    def __init__(self, name: str, count: int) -> None:
        self._name, self._count = name, count
        self._pools: dict[int, ThreadPoolExecutor] = {}

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Start the work as soon as a thread is free."""
        pid = os.getpid()
        pool = self._pools.get(pid)
        if pool is None:  # no lock, which a fork might leave taken: of two new pools at once, one wins before it starts
            pool = self._pools.setdefault(pid, ThreadPoolExecutor(self._count, thread_name_prefix=self._name))
        return pool.submit(work)


async def pieces(threads: Threads, produce: Producer[T], *, patience: float = 10.0) -> AsyncGenerator[T]:
    """What `produce(give, cancelled)` gives, piece by piece; what it raises is raised here, after its pieces.

    Ending the generator early sets the flag and waits until the producer has stopped, for `patience` seconds at most:
    a producer that doesn't poll can't be stopped from outside.
    """
    loop = asyncio.get_running_loop()
    cancelled = threading.Event()
    arrived: deque[T] = deque()
    news = asyncio.Event()

    def wake(_: object = None) -> None:
        try:
            if loop.is_closed() or not news.is_set():
                loop.call_soon_threadsafe(news.set)
        except RuntimeError:  # the loop is closed: nobody will read this
            cancelled.set()

    def give(piece: T) -> None:
        arrived.append(piece)
        wake()

    context = contextvars.copy_context()
    job = threads.submit(lambda: context.run(produce, give, cancelled))
    _running.add(cancelled)
    job.add_done_callback(lambda _: _running.discard(cancelled))
    job.add_done_callback(wake)
    try:
        while True:
            news.clear()
            done = job.done()  # read before the pieces: what is given before the end is seen before the end
            while arrived:
                yield arrived.popleft()
            if done:
                job.result()
                return
            await news.wait()
    finally:
        cancelled.set()
        job.cancel()
        if not job.done():
            await until_ended(job, news, patience)


async def answering(
    threads: Threads, answer: Callable[[Callable[[T], None] | None, threading.Event], T | None], *, deltas: bool
) -> AsyncGenerator[T]:
    """What `answer(show, cancelled)` shows, and what it gives back in the end; without `deltas`, `show` is None."""

    def produce(give: Callable[[T], None], cancelled: threading.Event) -> None:
        last = answer(give if deltas else None, cancelled)
        if last is not None:
            give(last)

    async with aclosing(pieces(threads, produce)) as events:
        async for event in events:
            yield event


async def until_ended(job: Future[None], news: asyncio.Event, patience: float) -> None:
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
