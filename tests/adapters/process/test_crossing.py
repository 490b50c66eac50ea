"""A blocking producer in a thread is an async stream: in order, cancellable, honest about what it raises."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import anyio
import pytest

from modelport.adapters.process.crossing import pieces
from modelport.adapters.process.inside import LibraryChanged
from modelport.adapters.process.thread import Threads, before_threads_end

Give = Callable[[int], None]


def count_to(n: int) -> Callable[[Give, threading.Event], None]:
    def produce(give: Give, cancelled: threading.Event) -> None:
        for i in range(n):
            give(i)

    return produce


class Endless:
    """Produces until it is told to stop, and says that it has."""

    def __init__(self) -> None:
        self.started, self.stopped = threading.Event(), threading.Event()

    def __call__(self, give: Give, cancelled: threading.Event) -> None:
        self.started.set()
        give(0)
        cancelled.wait(30)
        self.stopped.set()


async def listed(threads: Threads, n: int) -> list[int]:
    return [piece async for piece in pieces(threads, count_to(n))]


def test_every_piece_arrives_in_order() -> None:
    assert asyncio.run(listed(Threads("t", 1), 5000)) == list(range(5000))


def test_no_piece_is_no_trouble() -> None:
    assert asyncio.run(listed(Threads("t", 1), 0)) == []


def test_what_the_producer_raises_comes_after_its_pieces() -> None:
    def produce(give: Give, cancelled: threading.Event) -> None:
        give(1)
        raise OSError("broken")

    async def main() -> list[int]:
        stream = pieces(Threads("t", 1), produce)
        seen = [await anext(stream)]
        with pytest.raises(OSError, match="broken"):
            await anext(stream)
        return seen

    assert asyncio.run(main()) == [1]


def test_closing_stops_the_producer_before_close_returns() -> None:
    endless = Endless()

    async def main() -> None:
        stream = pieces(Threads("t", 1), endless)
        assert await anext(stream) == 0
        await stream.aclose()
        assert endless.stopped.is_set()

    asyncio.run(main())


def test_cancelling_the_reader_stops_the_producer_and_is_not_swallowed() -> None:
    endless = Endless()

    async def read() -> None:
        async for _ in pieces(Threads("t", 1), endless):
            pass

    async def main() -> None:
        task = asyncio.create_task(read())
        await asyncio.to_thread(endless.started.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert endless.stopped.is_set()

    asyncio.run(main())


def test_a_cancelled_scope_waits_for_the_producer_too() -> None:
    endless = Endless()

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async for _ in pieces(Threads("t", 1), endless):
                scope.cancel()
        assert scope.cancelled_caught
        assert endless.stopped.is_set()

    asyncio.run(main())


def test_cancelling_twice_still_waits_for_the_producer() -> None:
    asked, stopped, go_on = threading.Event(), threading.Event(), threading.Event()

    def produce(give: Give, cancelled: threading.Event) -> None:
        give(0)
        cancelled.wait(30)
        asked.set()
        go_on.wait(30)
        stopped.set()

    async def read() -> None:
        async for _ in pieces(Threads("t", 1), produce):
            pass

    async def main() -> None:
        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.to_thread(asked.wait, 30)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stopped.is_set()

    asyncio.run(main())


def test_a_producer_that_does_not_poll_is_left_after_the_patience() -> None:
    release = threading.Event()

    def produce(give: Give, cancelled: threading.Event) -> None:
        give(0)
        release.wait(30)

    async def main() -> None:
        stream = pieces(Threads("t", 1), produce, patience=0.01)
        assert await anext(stream) == 0
        await stream.aclose()

    asyncio.run(main())
    release.set()


def test_one_that_waits_for_a_thread_and_is_closed_never_runs() -> None:
    threads, endless, ran = Threads("t", 1), Endless(), threading.Event()

    def second(give: Give, cancelled: threading.Event) -> None:
        ran.set()

    async def read() -> None:
        async for _ in pieces(threads, second):
            pass

    async def main() -> None:
        first = pieces(threads, endless)
        await anext(first)
        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await first.aclose()
        assert await listed(threads, 3) == [0, 1, 2]

    asyncio.run(main())
    assert not ran.is_set()


def test_several_at_once_from_several_loops() -> None:
    threads = Threads("t", 3)
    results: list[list[list[int]]] = []

    async def main() -> None:
        results.append(await asyncio.gather(*(listed(threads, 200) for _ in range(5))))

    loops = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join(60)
    assert results == [[list(range(200))] * 5] * 4


def test_the_loop_goes_on_while_the_producer_works() -> None:
    go_on = threading.Event()

    def produce(give: Give, cancelled: threading.Event) -> None:
        assert go_on.wait(30)
        give(1)

    async def main() -> list[int]:
        asyncio.get_running_loop().call_soon(go_on.set)
        return [piece async for piece in pieces(Threads("t", 1), produce)]

    assert asyncio.run(main()) == [1]


def test_a_loop_that_closes_under_the_reader_stops_the_producer() -> None:
    told = threading.Event()

    def produce(give: Give, cancelled: threading.Event) -> None:
        while not cancelled.is_set():
            give(0)
        told.set()

    loop = asyncio.new_event_loop()
    stream = pieces(Threads("t", 1), produce)
    loop.run_until_complete(anext(stream))
    loop.close()
    assert told.wait(30)
    del stream
    gc.collect()


def test_threads_are_named_and_no_more_than_asked_for() -> None:
    names: set[str] = set()

    def produce(give: Give, cancelled: threading.Event) -> None:
        names.add(threading.current_thread().name)
        give(0)

    async def read(threads: Threads) -> None:
        async for _ in pieces(threads, produce):
            pass

    async def main() -> None:
        threads = Threads("mine", 2)
        await asyncio.gather(*(read(threads) for _ in range(20)))

    asyncio.run(main())
    assert names <= {"mine_0", "mine_1"}


def test_the_reader_s_context_is_the_producer_s() -> None:
    who = contextvars.ContextVar("who", default="nobody")

    def produce(give: Callable[[str], None], cancelled: threading.Event) -> None:
        give(who.get())

    async def main() -> list[str]:
        who.set("me")
        return [piece async for piece in pieces(Threads("t", 1), produce)]

    assert asyncio.run(main()) == ["me"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_makes_threads_of_its_own() -> None:
    threads = Threads("t", 1)
    asyncio.run(listed(threads, 3))
    pid = os.fork()
    if pid == 0:
        os._exit(0 if asyncio.run(listed(threads, 3)) == [0, 1, 2] else 1)
    assert os.waitpid(pid, 0)[1] == 0


LEAVES = """
import asyncio, threading
from modelport.adapters.process.crossing import pieces
from modelport.adapters.process.thread import Threads

def produce(give, cancelled):
    give(0)
    cancelled.wait(60)

async def read():
    async for _ in pieces(Threads("t", 1), produce):
        begun.set()

begun = threading.Event()
threading.Thread(target=lambda: asyncio.run(read()), daemon=True).start()
begun.wait(30)
"""


def test_a_program_that_ends_with_a_stream_open_does_not_wait_for_its_answer() -> None:
    subprocess.run([sys.executable, "-c", LEAVES], check=True, capture_output=True, timeout=20)


def test_where_python_no_longer_tells_of_its_end_before_it_waits_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(threading, "_register_atexit")
    with pytest.warns(LibraryChanged, match=r"Python 3\S+ has no threading._register_atexit any more: a program that"):
        before_threads_end(lambda: None)
