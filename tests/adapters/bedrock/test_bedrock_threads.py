"""The threads of `AmazonBedrockModel`, and the moments between them: who is hung up, and who isn't."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest
from bedrock_wire import HI, KEYS, MODEL, session, whole
from botocore.config import Config
from loopback import Answer, Loopback, Seen

from modelport.adapters import AmazonBedrockModel
from modelport.adapters.bedrock.live_call import LiveCall
from modelport.adapters.bedrock.threads import Threads, in_thread


def hooked(server: Loopback, event: str, hook: Callable[..., None], **fields: Any) -> AmazonBedrockModel:
    """A model whose calls run a hook, in their threads."""
    client = session().client("bedrock-runtime", endpoint_url=f"http://127.0.0.1:{server.port}", **KEYS)
    client.meta.events.register(f"{event}.bedrock-runtime.Converse", hook)
    return AmazonBedrockModel(MODEL, client=client, **fields)


def test_a_thread_that_has_nothing_to_do_ends_and_another_takes_its_place() -> None:
    threads = Threads("idle", 1, idle=0.01)
    for _ in range(3):
        worker = asyncio.run(in_thread(threads, LiveCall(), threading.current_thread))
        assert worker.name == "idle_0"
        worker.join(10)
        assert not worker.is_alive()


def test_calls_that_follow_each_other_share_a_thread() -> None:
    async def main() -> set[threading.Thread]:
        return {await in_thread(threads, LiveCall(), threading.current_thread) for _ in range(200)}

    threads = Threads("one", 8)
    assert len(asyncio.run(main())) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere such a size is refused")
def test_where_the_system_has_no_more_threads_a_call_waits_for_one_of_those_that_it_has() -> None:
    threads, begun, go_on = Threads("few", 8), threading.Event(), threading.Event()

    def work() -> threading.Thread:
        begun.set()
        go_on.wait(10)
        return threading.current_thread()

    async def main() -> list[str]:
        first = asyncio.ensure_future(in_thread(threads, LiveCall(), work))
        await asyncio.to_thread(begun.wait, 10)
        ordinary = threading.stack_size(2**46)  # more than there is
        try:
            second = asyncio.ensure_future(in_thread(threads, LiveCall(), work))
            await asyncio.sleep(0)
        finally:
            threading.stack_size(ordinary)
        go_on.set()
        return [thread.name for thread in await asyncio.gather(first, second)]

    assert asyncio.run(main()) == ["few_0", "few_0"]


def test_a_call_sees_the_context_that_it_was_made_in() -> None:
    team: ContextVar[str] = ContextVar("team", default="nobody's")
    seen: list[str] = []
    with Loopback(whole()) as server:
        made = hooked(server, "before-sign", lambda **_: seen.append(team.get()))
        team.set("ours")
        asyncio.run(made.generate(HI)).unwrap()
    assert seen == ["ours"]


def test_a_call_that_is_cancelled_before_it_has_a_connection_is_never_sent() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    def wait(**_: Any) -> None:
        begun.set()
        cancelled.wait(10)

    async def main(made: AmazonBedrockModel) -> None:
        first = asyncio.ensure_future(made.generate(HI))
        await asyncio.to_thread(begun.wait, 10)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        cancelled.set()
        assert (await made.generate(HI)).unwrap().content == "Hello!"  # it waits for the only thread

    with Loopback(whole()) as server:
        asyncio.run(main(hooked(server, "before-sign", wait, max_concurrency=1)))
        assert len(server.requests) == 1


def test_a_call_that_is_cancelled_in_the_tls_handshake_closes_its_connection() -> None:
    greeted, gone = threading.Event(), threading.Event()

    def serve() -> None:
        with listening.accept()[0] as connection:
            while connection.recv(65536):
                greeted.set()
            gone.set()

    async def main(made: AmazonBedrockModel) -> None:
        task = asyncio.ensure_future(made.generate(HI))
        await asyncio.to_thread(greeted.wait, 10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.to_thread(gone.wait, 3)  # of 5 seconds that connecting may take

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        place = f"https://127.0.0.1:{listening.getsockname()[1]}"
        asyncio.run(main(AmazonBedrockModel(MODEL, endpoint_url=place, session=session(), **KEYS)))
        thread.join()


def test_hanging_up_spares_the_connection_that_serves_another_call_by_now() -> None:
    read, asked, cancelled = threading.Event(), threading.Event(), threading.Event()

    def wait(**_: Any) -> None:
        if not read.is_set():
            read.set()
            cancelled.wait(10)

    def second(seen: Seen) -> Answer:
        asked.set()
        cancelled.wait(10)
        return whole("Mine.")

    async def main(made: AmazonBedrockModel) -> None:
        first = asyncio.ensure_future(made.generate(HI))
        await asyncio.to_thread(read.wait, 10)  # its connection is free, and it isn't over
        other = asyncio.ensure_future(made.generate(HI))
        await asyncio.to_thread(asked.wait, 10)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        cancelled.set()
        assert (await other).unwrap().content == "Mine."

    with Loopback(whole(), second) as server:
        asyncio.run(main(hooked(server, "after-call", wait)))
        assert server.connections == 1


def test_each_thread_keeps_its_connection_though_the_client_had_fewer() -> None:
    together = threading.Barrier(12)

    def answer(seen: Seen) -> Answer:
        return Answer(headers={"content-type": "application/json"}, pieces=[whole().body], pause=0.01)

    async def main(made: AmazonBedrockModel) -> None:
        for _ in range(3):
            for result in await asyncio.gather(*(made.generate(HI) for _ in range(12))):
                assert result.unwrap().content == "Hello!"

    with Loopback(answer) as server:
        asyncio.run(main(hooked(server, "before-sign", lambda **_: together.wait(10), max_concurrency=12)))
        assert server.connections <= 12


def test_a_call_through_a_proxy_that_the_client_has_used_is_hung_up_too() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        task = asyncio.ensure_future(made.generate(HI))
        assert await asyncio.to_thread(server.until, lambda it: it.open == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.to_thread(server.until, lambda it: it.open == 0)

    with Loopback(whole(), Answer(0, then="stall")) as server:
        config = Config(proxies={"http": f"http://127.0.0.1:{server.port}"})
        client = session().client("bedrock-runtime", endpoint_url="http://bedrock.invalid", config=config, **KEYS)
        client.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "hi"}]}])
        asyncio.run(main(AmazonBedrockModel(MODEL, client=client)))
        assert server.requests[-1].path.startswith("http://bedrock.invalid/model/")
