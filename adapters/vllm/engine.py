"""A vLLM engine lives on one event loop, in a thread of its own, and answers calls from any other loop or thread.

It starts on first use and again after it has died or was closed; a forked child starts its own. What calls give is read
on the caller's loop; a call that nobody reads any more is cancelled on the engine's. When the program ends, so does the
engine, and its processes with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import attrs

from ..process.crossing import Give, crossed
from ..process.fork import in_child
from ..process.per_process import PerProcess
from ..process.thread import apart, before_threads_end
from . import sdk as vllm_sdk

T = TypeVar("T")
Work = Callable[[Give[T]], Coroutine[Any, Any, None]]

_PATIENCE: Final = 10.0  # seconds for what was told to end, and has no reason not to
_CLOSING: Final = 30.0  # seconds for the engine's processes to end; vLLM kills those that don't


class Closed(Exception):
    """The engine was closed while it answered."""


class Client(Protocol):
    """What starts an engine: `start` runs in the engine's thread and gives vLLM's `AsyncLLM`; `ended` cleans up."""

    def start(self) -> Any:
        """The running engine. May take minutes; what it raises is what the callers get."""
        ...

    def why(self) -> str:
        """What the engine's processes said when they failed; empty where they didn't say."""
        ...

    def ended(self) -> None:
        """The engine is gone."""
        ...


@attrs.define(eq=False)
class Engine:
    """One engine, from its start to its end."""

    client: Client
    started: Future[Any] = attrs.field(factory=Future)
    _loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.new_event_loop)
    _calls: dict[Future[None], list[asyncio.Task[None]]] = attrs.field(factory=dict)
    _ended: threading.Event = attrs.field(factory=threading.Event)
    closing: bool = False
    _made: Any = None
    _making: threading.Lock = attrs.field(factory=threading.Lock)  # no fork leaves it taken: a child has other engines

    @classmethod
    def start(cls, client: Client) -> Engine:
        """An engine that starts; `started` has it when it is ready."""
        engine = cls(client)
        engine.started.set_running_or_notify_cancel()  # a caller that gives up must not cancel it for the others
        _alive.add(engine)
        apart(engine._serve, "modelport-vllm")
        return engine

    @property
    def dead(self) -> bool:
        """Whether it answers no more calls."""
        if self.closing or self.ended:
            return True
        if not self.started.done():
            return False
        return self.started.exception() is not None or bool(self.started.result().errored)

    @property
    def ended(self) -> bool:
        """Whether nothing is left of it."""
        return self._ended.is_set()

    def once(self, make: Callable[[Engine], T]) -> T:
        """What is made of it when it has started: once, whichever threads ask at once."""
        with self._making:
            if self._made is None:
                self._made = make(self)
            made: T = self._made
        return made

    def pieces(self, work: Work[T]) -> AsyncGenerator[T]:
        """What `work(give)` gives on the engine's loop, piece by piece; what it raises is raised here.

        Ending the generator cancels the work and waits until it has ended.
        """

        def begin(give: Give[T]) -> tuple[Future[None], Callable[[], None]]:
            done: Future[None] = Future()
            begun: list[asyncio.Task[None]] = []

            def start() -> None:
                if self.closing:
                    done.set_exception(Closed())
                    return
                begun.append(self._loop.create_task(work(give)))
                begun[0].add_done_callback(partial(_settle, done))

            def cancel() -> None:
                for task in begun:
                    task.cancel()

            self._calls[done] = begun
            done.add_done_callback(self._calls.pop)
            self._call_soon(start, done)
            return done, lambda: self._call_soon(cancel, done)

        return crossed(begin, _PATIENCE)

    def _call_soon(self, function: Callable[[], object], done: Future[None]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop is closed
            _fail(done)

    def close(self, patience: float = _CLOSING) -> None:
        """End it and wait until its processes are gone. Calls in progress raise `Closed`."""
        if not self.closing:
            self.closing = True
            with contextlib.suppress(RuntimeError):  # it is closed already
                self._loop.call_soon_threadsafe(self._loop.stop)
        self._ended.wait(patience)

    def _serve(self) -> None:
        """The thread: the loop runs until it is stopped, and then everything on it ends."""
        try:
            llm = self._loop.run_until_complete(self._start())
        except BaseException as error:
            self.started.set_exception(_frameless(error))
            self._over()
            return
        self.started.set_result(llm)
        if not self.closing:
            self._loop.run_forever()
        try:
            self._loop.run_until_complete(self._finish(llm))
        finally:
            self._over()

    async def _start(self) -> Any:
        return self.client.start()  # on the loop, because vLLM's sockets belong to the one that they are made on

    async def _finish(self, llm: Any) -> None:
        await _cancelled({task for tasks in list(self._calls.values()) for task in tasks})
        await _cancelled(asyncio.all_tasks() - {asyncio.current_task()})  # vLLM's own
        _shut_down(llm)
        vllm_sdk.close_sockets(llm)

    def _over(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
        for done in list(self._calls):  # they came too late for the loop
            _fail(done)
        self._made = None
        self.client.ended()
        _alive.discard(self)
        self._ended.set()


class Engines:
    """The engine of a model: one in each process, made when it is needed, and again after its end."""

    __slots__ = ("_client", "_engine")

    def __init__(self, client: Callable[[], Client]) -> None:
        self._client = client
        self._engine: PerProcess[Engine] = PerProcess()

    def engine(self) -> Engine:
        """The engine, which may only just be starting."""
        return self._engine.get(lambda: Engine.start(self._client()), _over)

    def close(self) -> None:
        """End the engine of this process, if there is one."""
        engine = self._engine.drop()
        if engine is not None:
            engine.close()


def _over(engine: Engine) -> bool:
    """Whether another must be started; what is left of this one is ended meanwhile."""
    if engine.dead and not engine.closing:
        apart(engine.close, "modelport-vllm-end")
    return engine.dead


async def _cancelled(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_PATIENCE)


def _settle(done: Future[None], task: asyncio.Task[None]) -> None:
    if task.cancelled():
        _fail(done)  # who cancelled it doesn't read this
    elif (error := task.exception()) is not None:
        done.set_exception(error)
    else:
        done.set_result(None)


def _fail(done: Future[None]) -> None:
    with contextlib.suppress(InvalidStateError):
        done.set_exception(Closed())


_alive: set[Engine] = set()
_parents: list[Engine] = []


def _end_all() -> None:
    """The program ends. Python would wait for the engines' processes, which nobody would tell to end."""
    engines = list(_alive)
    end = time.monotonic() + _CLOSING
    for engine in engines:
        engine.close(0)
    for engine in engines:
        while not engine.ended and time.monotonic() < end:
            if not engine.started.done():
                vllm_sdk.kill_starting()  # it would start for a minute more, and only then end
            engine.close(0.2)


@in_child
def _forget() -> None:
    """A forked child has its parent's engines in its memory: it must neither use them nor end their processes."""
    for engine in list(_alive):
        _parents.append(engine)  # kept, because vLLM ends an engine that is collected
        if engine.started.done() and engine.started.exception() is None:
            llm = engine.started.result()
            vllm_sdk.disarm(llm)
            llm.shutdown = _nothing
    _alive.clear()


def _frameless(error: BaseException) -> BaseException:
    """The same error without its frames, which hold the sockets of an engine that didn't start."""
    link: BaseException | None = error
    while link is not None and link.__traceback__ is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _shut_down(llm: Any) -> None:
    processes = vllm_sdk.processes(llm)
    llm.shutdown()
    for process in processes:
        process.join(_PATIENCE)
    llm.shutdown = _nothing  # which is called once more when it is collected, perhaps while Python ends


def _nothing(timeout: float | None = None) -> None:
    pass


before_threads_end(_end_all)
