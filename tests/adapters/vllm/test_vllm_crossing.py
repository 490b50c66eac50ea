"""adapters/vllm_engine without vLLM: what is given on its loop is read on any other, and ends with its reader."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import multiprocessing.process
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest

from modelport.adapters.process.inside import LibraryChanged
from modelport.adapters.vllm import sdk as vllm_sdk
from modelport.adapters.vllm.engine import Closed, Engine, Engines


class Client:
    """Starts nothing, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.over = error, 0
        manager = SimpleNamespace(processes=[], _finalizer=None)
        core = SimpleNamespace(resources=SimpleNamespace(engine_manager=manager, ctx=None), _finalizer=None)
        self.llm = SimpleNamespace(errored=False, shutdown=lambda: None, engine_core=core)

    def start(self) -> Any:
        if self.error:
            raise self.error
        return self.llm

    def why(self) -> str:
        return ""

    def ended(self) -> None:
        self.over += 1


@pytest.fixture
def engine() -> Any:
    made = Engine.start(Client())
    made.started.result(10)
    yield made
    made.close()


async def counts(give: Callable[[int], None]) -> None:
    for number in range(5):
        give(number)
        await asyncio.sleep(0)


async def read(engine: Engine, work: Any) -> list[Any]:
    async with aclosing(engine.pieces(work)) as pieces:
        return [piece async for piece in pieces]


def test_pieces_come_in_their_order_on_every_loop_and_thread(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(lambda: asyncio.run(read(engine, counts))) for _ in range(20)]
        assert [job.result(10) for job in jobs] == [[0, 1, 2, 3, 4]] * 20


def test_what_the_work_raises_comes_after_its_pieces(engine: Engine) -> None:
    async def work(give: Callable[[int], None]) -> None:
        give(1)
        raise OSError("broken")

    async def main() -> list[int]:
        seen: list[int] = []
        with pytest.raises(OSError, match="broken"):
            async for piece in engine.pieces(work):
                seen.append(piece)  # noqa: PERF401 (it ends by raising)
        return seen

    assert asyncio.run(main()) == [1]


def endless(over: threading.Event, begun: threading.Event | None = None) -> Any:
    async def work(give: Callable[[int], None]) -> None:
        try:
            give(1)
            if begun is not None:
                begun.set()
            await asyncio.Event().wait()
        finally:
            over.set()

    return work


def test_a_reader_that_leaves_ends_the_work_and_waits_for_it(engine: Engine) -> None:
    over = threading.Event()

    async def main() -> bool:
        async with aclosing(engine.pieces(endless(over))) as pieces:
            assert await anext(pieces) == 1
        return over.is_set()

    assert asyncio.run(main())


def test_a_cancelled_reader_ends_the_work_and_the_cancellation_goes_through(engine: Engine) -> None:
    over, begun = threading.Event(), threading.Event()

    async def main() -> bool:
        reading = asyncio.create_task(read(engine, endless(over, begun)))
        assert await asyncio.to_thread(begun.wait, 60)
        reading.cancel()
        (outcome,) = await asyncio.gather(reading, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        return over.is_set()

    assert asyncio.run(main())


# Python may complain of a generator whose loop is gone: whoever closes a loop under a reader hears of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_is_closed_under_a_reader_ends_the_work_at_its_next_piece(engine: Engine) -> None:
    over = threading.Event()
    go_on = threading.Event()

    async def work(give: Callable[[int], None]) -> None:
        try:
            give(1)
            while True:
                await asyncio.sleep(0.01)
                if go_on.is_set():
                    give(2)
        finally:
            over.set()

    loop = asyncio.new_event_loop()
    pieces = engine.pieces(work)
    assert loop.run_until_complete(anext(pieces)) == 1
    loop.close()
    go_on.set()
    assert over.wait(10)
    del pieces
    gc.collect()


def test_closing_ends_what_runs_and_refuses_what_comes_later() -> None:
    client = Client()
    engine, over, begun = Engine.start(client), threading.Event(), threading.Event()
    engine.started.result(10)

    async def main() -> None:
        reading = asyncio.create_task(read(engine, endless(over, begun)))
        assert await asyncio.to_thread(begun.wait, 60)
        await asyncio.to_thread(engine.close)
        with pytest.raises(Closed):
            await reading
        with pytest.raises(Closed):
            await read(engine, counts)

    asyncio.run(main())
    assert over.is_set()
    assert (engine.dead, engine.ended, client.over) == (True, True, 1)
    engine.close()  # once more is nothing


def test_what_is_made_of_an_engine_is_made_once_though_two_threads_ask_at_once(engine: Engine) -> None:
    both, made = threading.Barrier(2), list[object]()

    def make(_: Engine) -> object:
        made.append(object())
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.2)  # for the other, which should not come
        return made[-1]

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(engine.once, (make, make))
    assert [first] == [second] == made


def test_a_start_that_fails_is_not_remembered_and_a_dead_engine_is_replaced() -> None:
    clients = [Client(OSError("no device")), Client(), Client()]
    left = iter(clients)
    engines = Engines(lambda: next(left))
    with pytest.raises(OSError, match="no device"):
        engines.engine().started.result(10)
    second = engines.engine()
    assert second.started.result(10) is clients[1].llm
    assert engines.engine() is second
    clients[1].llm.errored = True
    third = engines.engine()
    assert third.started.result(10) is clients[2].llm
    engines.close()
    assert third.ended
    engines.close()


def left_alone_and_let_go(llm: Any) -> None:
    vllm_sdk.disarm(llm)
    vllm_sdk.close_sockets(llm)


@pytest.mark.parametrize(
    ("path", "name", "lost"),
    [
        ((), "engine_core", "an engine's processes may outlive"),
        (("engine_core",), "resources", "an engine's processes may outlive"),
        (("engine_core", "resources"), "engine_manager", "an engine's processes may outlive"),
        (("engine_core", "resources", "engine_manager"), "processes", "an engine's processes may outlive"),
        (("engine_core", "resources"), "ctx", "the sockets of an engine that has ended stay open"),
        (("engine_core",), "_finalizer", "a forked child that ends may end its parent's engine"),
        (("engine_core", "resources", "engine_manager"), "_finalizer", "a forked child that ends"),
    ],
)
def test_what_an_engine_no_longer_tells_of_itself_is_missed_aloud(path: tuple[str, ...], name: str, lost: str) -> None:
    llm = Client().llm
    delattr(functools.reduce(getattr, path, llm), name)
    with pytest.warns(LibraryChanged, match=rf"has no \S+\.{name} any more: {lost}"):
        left_alone_and_let_go(llm)


def test_a_forked_child_is_told_when_python_no_longer_lists_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(multiprocessing.process, "_children")
    with pytest.warns(LibraryChanged, match=r"Python \S+ has no multiprocessing.process._children any more"):
        vllm_sdk.disarm(Client().llm)


def test_an_engine_ends_whatever_a_warning_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()

    def shutdown() -> None:
        raise LibraryChanged("as an error")

    client.llm.shutdown = shutdown
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    engine = Engine.start(client)
    engine.started.result(10)
    engine.close()
    assert (engine.ended, client.over) == (True, 1)
