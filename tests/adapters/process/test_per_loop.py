"""What is kept for an event loop is closed with it, and when nobody wants it any more."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import weakref

import pytest
from loopback import Loopback, saying

from modelport import as_request
from modelport.adapters.process.per_loop import PerLoop


class Thing:
    """Takes many turns to close."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()

    async def close(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        self.gone.set()

    @property
    def closed(self) -> bool:
        return self.gone.is_set()


class Bound(Thing):
    """Holds its loop, as an SDK's client does."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.get_running_loop()


def test_a_loops_own_may_be_dropped_and_is_made_anew() -> None:
    kept: PerLoop[Thing] = PerLoop()

    async def main() -> None:
        await kept.drop()  # there is none
        first = await kept.get(Thing, Thing.close)
        await kept.drop()
        assert first.closed
        assert not (await kept.get(Thing, Thing.close)).closed

    asyncio.run(main())


def test_each_loop_has_its_own_and_closes_it_at_its_end() -> None:
    kept: PerLoop[Thing] = PerLoop()

    async def main() -> Thing:
        first = await kept.get(Thing, Thing.close)
        assert await kept.get(Thing, Thing.close) is first
        assert not first.closed
        return first

    one, two = asyncio.run(main()), asyncio.run(main())
    assert one is not two
    assert (one.closed, two.closed) == (True, True)


def test_what_is_dropped_as_its_loop_ends_is_closed_by_the_loop() -> None:
    async def main() -> Thing:
        kept: PerLoop[Thing] = PerLoop()
        return await kept.get(Thing, Thing.close)

    assert asyncio.run(main()).closed


def test_what_is_dropped_a_moment_before_its_loop_ends_is_closed_by_the_loop() -> None:
    async def main() -> Thing:
        kept: PerLoop[Thing] = PerLoop()
        thing = await kept.get(Thing, Thing.close)
        del kept
        for _ in range(5):
            await asyncio.sleep(0)
        return thing

    assert asyncio.run(main()).closed


def test_what_is_dropped_while_its_loop_goes_on_is_closed_soon() -> None:
    async def main() -> bool:
        kept: PerLoop[Thing] = PerLoop()
        thing = await kept.get(Thing, Thing.close)
        del kept
        return await asyncio.wait_for(thing.gone.wait(), 10)

    assert asyncio.run(main())


def test_what_is_dropped_after_its_loop_is_no_matter() -> None:
    kept: PerLoop[Thing] = PerLoop()
    thing = asyncio.run(kept.get(Thing, Thing.close))
    del kept
    assert thing.closed


def test_a_copy_is_empty() -> None:
    kept: PerLoop[Thing] = PerLoop()

    async def main() -> bool:
        first = await kept.get(Thing, Thing.close)
        return await pickle.loads(pickle.dumps(kept)).get(Thing, Thing.close) is first

    assert not asyncio.run(main())


def test_a_loop_that_was_closed_is_let_go() -> None:
    kept: PerLoop[Bound] = PerLoop()
    loops = []

    async def main() -> None:
        loops.append(weakref.ref((await kept.get(Bound, Bound.close)).loop))

    for _ in range(3):
        asyncio.run(main())
    gc.collect()
    assert [loop() is None for loop in loops] == [True, True, False]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a process with threads
def test_a_forked_child_has_its_own_also_in_the_loop_of_its_parent() -> None:
    kept: PerLoop[Thing] = PerLoop()
    loop = asyncio.new_event_loop()
    first = loop.run_until_complete(kept.get(Thing, Thing.close))
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if loop.run_until_complete(kept.get(Thing, Thing.close)) is not first else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert loop.run_until_complete(kept.get(Thing, Thing.close)) is first
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.mark.parametrize("name", ["openai", "huggingface"])
def test_a_model_made_in_a_loop_leaves_no_connection_open(name: str) -> None:
    """Pytest makes an error of every socket that is left to the garbage collector."""
    pytest.importorskip("huggingface_hub" if name == "huggingface" else name)
    from modelport.adapters import InferenceClientModel, OpenAIModel

    async def main(url: str) -> None:
        model = (OpenAIModel if name == "openai" else InferenceClientModel)("m", base_url=url, api_key="k")
        await asyncio.gather(*(model.generate(as_request("hi")) for _ in range(5)))

    with Loopback(saying("Hello!")) as server:
        asyncio.run(main(server.url))
        gc.collect()
        assert server.until(lambda seen: seen.connected == 0)
    assert len(server.requests) == 5


@pytest.mark.parametrize("name", ["openai", "huggingface"])
def test_a_model_that_is_dropped_closes_its_connections(name: str) -> None:
    pytest.importorskip("huggingface_hub" if name == "huggingface" else name)
    from modelport.adapters import InferenceClientModel, OpenAIModel

    with Loopback(saying("Hello!")) as server:
        (OpenAIModel if name == "openai" else InferenceClientModel)("m", base_url=server.url, api_key="k")("hi")
        assert server.until(lambda seen: seen.connected == 0)
    assert server.connections == 1
