"""The threads in which boto3's blocking calls run, and how they are awaited.

They are the model's own: named, bounded, started when no other is free, and gone when they had nothing to do for a
while. The one that was free last works next, while what it needs is still in the processor's cache. They never keep a
program alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

from .live_call import LiveCall

T = TypeVar("T")


class Threads:
    """At most `count` threads of this name, in each process. Others' work waits for its turn.

    One that had nothing to do for `idle` seconds ends.
    """

    __slots__ = ("_count", "_crews", "_idle", "_name")

    def __init__(self, name: str, count: int, idle: float = 30.0) -> None:
        self._name, self._count, self._idle = name, count, idle
        self._crews: dict[int, _Crew] = {}

    def start(self, job: Job) -> None:
        """Do it as soon as a thread is free."""
        pid = os.getpid()
        crew = self._crews.get(pid)
        if crew is None:  # no lock, which a fork might leave taken: of two at once, one wins
            crew = self._crews.setdefault(pid, _Crew(self._name, self._count, self._idle))
        crew.start(job)

    def __reduce__(self) -> tuple[type[Threads], tuple[str, int, float]]:
        return (type(self), (self._name, self._count, self._idle))


class Job:
    """Something to do in a thread, with a call to hang up, and whom to tell that it is done."""

    __slots__ = ("call", "context", "done", "error", "result", "told", "work")

    def __init__(self, call: LiveCall, work: Callable[[], Any], told: Callable[[], None]) -> None:
        self.call, self.work, self.told = call, work, told
        self.context = contextvars.copy_context()
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = False

    def run(self) -> None:
        """Do it, unless nobody waits for it any more."""
        if not self.call.hung_up:
            try:
                with self.call:
                    self.result = self.context.run(self.work)
            except BaseException as error:  # whoever waits raises it
                self.error = error
        self.done = True


class _Crew:
    """The threads of one process."""

    def __init__(self, name: str, count: int, idle: float) -> None:
        self._name, self._count, self.idle = name, count, idle
        self._lock = threading.Lock()
        self._free: list[_Worker] = []
        self._waiting: deque[Job] = deque()
        self._numbers = set(range(count))

    def start(self, job: Job) -> None:
        with self._lock:
            if self._free:
                worker = self._free.pop()
                worker.job = job
                worker.called.release()
                return
            if not self._numbers:
                self._waiting.append(job)
                return
            number = min(self._numbers)
            self._numbers.discard(number)
        worker = _Worker(self, number, job)
        try:
            threading.Thread(target=worker.work, name=f"{self._name}_{number}", daemon=True).start()
        except RuntimeError:  # the system has no more threads
            with self._lock:
                self._numbers.add(number)
                if len(self._numbers) == self._count:
                    raise
                self._waiting.append(job)  # those that there are will have to do

    def next(self, worker: _Worker) -> Job | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._free.append(worker)
            return None

    def leaves(self, worker: _Worker) -> bool:
        with self._lock:
            if worker not in self._free:
                return False  # it was called in the last moment
            self._free.remove(worker)
            self._numbers.add(worker.number)
            return True


class _Worker:
    __slots__ = ("called", "crew", "job", "number")

    def __init__(self, crew: _Crew, number: int, job: Job) -> None:
        self.crew, self.number = crew, number
        self.job: Job | None = job
        self.called = threading.Lock()
        self.called.acquire()

    def work(self) -> None:
        job = self.job
        while True:
            if job is not None:
                job.run()
                self.job = None
                following = self.crew.next(self)  # before it is told: the next call shall find this thread free
                job.told()
                job = following
            elif self.called.acquire(timeout=self.crew.idle):
                job = self.job
            elif self.crew.leaves(self):
                return


async def in_thread(threads: Threads, call: LiveCall, work: Callable[[], T]) -> T:
    """What the work gives. Cancelling it hangs up."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    def told() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
            loop.call_soon_threadsafe(end)

    job = Job(call, work, told)
    threads.start(job)
    try:
        await ended
    finally:
        if not job.done:
            call.hang_up()
    if job.error is not None:
        raise job.error
    result: T = job.result
    return result


async def chunks_in_thread(
    threads: Threads, call: LiveCall, work: Callable[[Callable[[Any], None]], None]
) -> AsyncGenerator[Any]:
    """What `work(give)` gives, piece by piece; what it raises is raised here, after its pieces.

    Ending the generator early hangs up.
    """
    loop = asyncio.get_running_loop()
    arrived: deque[Any] = deque()
    news = asyncio.Event()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(news.set)
        except RuntimeError:  # the loop is closed: nobody will read this
            call.hang_up()

    def give(piece: Any) -> None:
        arrived.append(piece)
        if not news.is_set():
            wake()

    job = Job(call, lambda: work(give), wake)
    threads.start(job)
    try:
        while True:
            news.clear()
            done = job.done  # read before the pieces: what is given before the end is seen before the end
            while arrived:
                yield arrived.popleft()
            if done:
                if job.error is not None:
                    raise job.error
                return
            await news.wait()
    finally:
        if not job.done:
            call.hang_up()
