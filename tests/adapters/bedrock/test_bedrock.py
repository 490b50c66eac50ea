"""`AmazonBedrockModel` over real connections: its calls, their ends, and what it leaves behind."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import subprocess
import sys
import threading
from contextlib import aclosing
from functools import partial
from typing import Any

import pytest
from bedrock_tls import secured
from bedrock_wire import (
    ACCESS,
    BEGIN,
    HI,
    KEYS,
    MODEL,
    STREAM,
    ask,
    ending,
    heard,
    model,
    saying,
    session,
    streamed,
    text_delta,
    whole,
)
from botocore.config import Config
from held_loop import held, in_silence
from laws import Case
from loopback import Answer, Loopback, Script, Seen
from paths import WIRES

from modelport import Finished, TextDelta
from modelport.adapters import AmazonBedrockModel, AmazonBedrockServerModel
from modelport.domain.message import Message, Text
from modelport.domain.request import Request
from modelport.domain.response import Response


def test_the_snippet_of_the_page_works() -> None:
    made = AmazonBedrockModel(model_id=os.environ.get("AMAZON_BEDROCK_MODEL_ID", MODEL))
    assert (made.model_id, made.provider) == (MODEL, "bedrock")
    assert AmazonBedrockServerModel is AmazonBedrockModel


def test_a_call_is_one_signed_request_to_the_models_path() -> None:
    with Loopback(whole()) as server:
        found = ask(server, model_id="arn:aws:bedrock:us-east-1:123456789012:inference-profile/x")
    assert isinstance(found, Response)
    (seen,) = server.requests
    assert seen.path == "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fx/converse"
    assert seen.headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/")
    assert "/us-east-1/bedrock/aws4_request" in seen.headers["authorization"]


def test_options_of_the_constructor_meet_those_of_the_call() -> None:
    with Loopback(whole()) as server:
        ask(server, Request([Message("user", "hi")], options={"temperature": 0.9}), temperature=0.1, maxTokens=5)
        assert server.requests[-1].json["inferenceConfig"] == {"temperature": 0.9, "maxTokens": 5}


def test_roles_are_exchanged_where_that_was_asked() -> None:
    with Loopback(whole()) as server:
        said = Request([Message("system", "Be brief."), Message("assistant", "Yes.")])
        ask(server, said, custom_role_conversions={"system": "user"})
        assert server.requests[-1].json["messages"] == [
            {"role": "user", "content": [{"text": "Be brief."}]},
            {"role": "assistant", "content": [{"text": "Yes."}]},
        ]


def test_content_is_flattened_where_that_was_asked() -> None:
    with Loopback(whole()) as server:
        ask(server, Request([Message("user", [Text("hi"), Text("there")])]), flatten_messages_as_text=True)
        assert server.requests[-1].json["messages"] == [{"role": "user", "content": [{"text": "hi\nthere"}]}]


# Connections


def test_fifty_calls_are_made_at_once() -> None:
    """In the loop's own pool of threads there would be as many as it has threads."""

    async def main(server: Loopback) -> None:
        made = model(server)
        await made.generate(HI)
        calls = [asyncio.create_task(made.generate(HI)) for _ in range(50)]
        assert await asyncio.to_thread(server.until, lambda seen: seen.open == 50)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    with Loopback(whole(), Answer(0, then="stall")) as server:
        asyncio.run(main(server))


def test_calls_need_no_threads() -> None:
    before = set(threading.enumerate())
    names: set[str] = set()

    def look(seen: Seen) -> Answer:
        names.update(thread.name for thread in set(threading.enumerate()) - before)
        return Answer(headers={"content-type": "application/json"}, pieces=[whole().body], pause=0.01)

    async def main(made: AmazonBedrockModel) -> None:
        (await made.generate(HI)).unwrap()  # the first one asks botocore
        names.clear()
        calls: list[Any] = [made.generate(HI) for _ in range(6)] + [heard(made.stream(HI)) for _ in range(6)]
        await asyncio.gather(*calls)

    with Loopback(look) as server:
        asyncio.run(main(model(server)))
        assert len(server.requests) == 13
    assert names == {"loopback"}


class SlowSession:
    """A session that takes its time to make a client."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def client(self, *args: Any, **kwargs: Any) -> Any:
        self.begun.set()
        self.go_on.wait(10)
        return session().client(*args, **kwargs)

    def get_credentials(self) -> Any:
        return session().get_credentials()


def test_a_call_that_is_cancelled_before_it_is_signed_is_never_sent() -> None:
    slow = SlowSession()

    async def main(made: AmazonBedrockModel) -> None:
        first = asyncio.ensure_future(made.generate(HI))
        await asyncio.to_thread(slow.begun.wait, 10)  # the loop goes on meanwhile
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        slow.go_on.set()
        assert (await made.generate(HI)).unwrap().content == "Hello!"

    with Loopback(whole()) as server:
        asyncio.run(main(model(server, session=slow)))
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


def test_a_cancelled_call_through_a_proxy_closes_its_connection() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        task = asyncio.ensure_future(made.generate(HI))
        assert await asyncio.to_thread(server.until, lambda it: it.open == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await asyncio.to_thread(server.until, lambda it: it.open == 0)

    with Loopback(Answer(0, then="stall")) as server:
        config = Config(proxies={"http": f"127.0.0.1:{server.port}"})
        asyncio.run(main(model(server, endpoint_url="http://bedrock.invalid", client_kwargs={"config": config})))
        assert server.requests[-1].path.startswith("http://bedrock.invalid/model/")


def half(seen: Seen, **headers: str) -> Answer:
    """Of a known length, and only the first half of it."""
    if seen.path.endswith("/converse-stream"):
        return Answer(200, {**STREAM, **headers}, (BEGIN + text_delta("Hello")) * 2, then="stall")
    return Answer(200, {"content-type": "application/json", **headers}, whole().body, then="stall")


STALLS: list[Script] = [
    Answer(0, then="stall"),
    half,
    partial(half, connection="close"),
    streamed(BEGIN, text_delta("Hello"), then="stall"),
]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "over TLS"])
@pytest.mark.parametrize(
    "answer", STALLS, ids=["before its answer", "in a whole answer", "in the last answer", "in a stream"]
)
def test_a_cancelled_call_closes_its_connection_wherever_it_stands(answer: Script, secure: bool) -> None:
    async def main(made: AmazonBedrockModel) -> None:
        case = Case(made, lambda: server.open, lambda: len(server.requests))
        for call in (made.generate(HI), heard(made.stream(HI))):
            task: asyncio.Task[Any] = asyncio.ensure_future(call)
            await case.until_open(1)
            task.cancel()
            outcomes = await asyncio.gather(task, return_exceptions=True)
            assert isinstance(outcomes[0], asyncio.CancelledError)
            await case.until_open(0)

    with Loopback(answer) as server, secured(server, secure) as place:
        asyncio.run(main(model(server, **place)))
        assert server.dropped == 2


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "over TLS"])
def test_a_closed_stream_closes_its_connection_and_the_next_call_goes_well(secure: bool) -> None:
    async def main(made: AmazonBedrockModel) -> None:
        async with aclosing(made.stream(HI)) as stream:
            assert await anext(stream) == TextDelta("Hello")
        assert await asyncio.to_thread(server.until, lambda it: it.dropped == 1)
        server.script = [whole("again")]
        assert (await made.generate(HI)).unwrap().content == "again"

    with Loopback(streamed(BEGIN, text_delta("Hello"), then="stall")) as server, secured(server, secure) as place:
        asyncio.run(main(model(server, **place)))


def test_a_stream_without_chunks_is_heard_as_it_comes() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        async with aclosing(made.stream(HI)) as stream:
            assert await anext(stream) == TextDelta("Hello")
        assert await asyncio.to_thread(server.until, lambda it: it.dropped == 1)

    with Loopback(half) as server:
        asyncio.run(main(model(server, timeout=5)))


def test_a_stop_that_was_found_closes_the_connection() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        events = await heard(made.stream(Request([Message("user", "hi")], ["llo"])))
        assert events[:1] == [TextDelta("He")]
        assert await asyncio.to_thread(server.until, lambda it: it.dropped == 1)

    with Loopback(streamed(BEGIN, text_delta("Hello"), then="stall")) as server:
        asyncio.run(main(model(server)))


def test_a_connection_serves_the_next_call() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        for _ in range(3):
            await made.generate(HI)
            await heard(made.stream(HI))

    said = streamed(BEGIN, text_delta("Hi"), *ending(), pause=0.01)  # its end comes a little after its last event
    with Loopback(whole(), said, whole(), said, whole(), said) as server:
        held(main(model(server)))  # however late that is, it isn't too late
        assert (server.connections, len(server.requests)) == (1, 6)


def test_a_stream_that_doesnt_end_after_its_last_event_is_not_waited_for() -> None:
    with Loopback(streamed(BEGIN, text_delta("Hi"), *ending(), then="stall")) as server:
        events = held(in_silence(server, heard(model(server).stream(HI)), seconds=1.0))
        assert events[-1].response.usage is not None  # type: ignore[union-attr]
        assert server.until(lambda it: it.open == 0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_connections_of_its_own() -> None:
    with Loopback(saying("Hello")) as server:
        made = model(server)
        assert asyncio.run(made.generate(HI)).unwrap().content == "Hello"
        child = os.fork()
        if child == 0:
            good = asyncio.run(made.generate(HI)).unwrap().content == "Hello"
            os._exit(0 if good else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert asyncio.run(made.generate(HI)).unwrap().content == "Hello"
        assert server.connections == 3  # one for each event loop


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "over TLS"])
def test_calls_that_are_cancelled_never_disturb_others(secure: bool) -> None:
    """Their connections may have been meant to serve others."""
    chance = random.Random(7)

    async def main(made: AmazonBedrockModel) -> tuple[list[str], int]:
        async def one(stream: bool) -> str:
            if not stream:
                return (await made.generate(HI)).unwrap().content
            last = (await heard(made.stream(HI)))[-1]
            assert isinstance(last, Finished), last
            return last.response.content

        tasks = [asyncio.ensure_future(one(chance.random() < 0.5)) for _ in range(100)]
        for task in tasks:
            if chance.random() < 0.5:
                await asyncio.sleep(chance.random() / 250)
                task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        cancelled = sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        return [str(outcome) for outcome in outcomes if not isinstance(outcome, asyncio.CancelledError)], cancelled

    with Loopback(saying("Hello there")) as server, secured(server, secure) as place:
        good, cancelled = asyncio.run(main(model(server, **place)))
        assert server.until(lambda it: it.open == 0)
    assert set(good) == {"Hello there"}
    assert len(good) + cancelled == 100


def test_a_program_that_ends_with_a_stream_open_doesnt_wait_for_it() -> None:
    code = """
import asyncio, sys
from bedrock_wire import *
async def main(url):
    made = AmazonBedrockModel(MODEL, endpoint_url=url, **KEYS)
    global kept
    kept = made.stream(HI)
    print(await anext(kept))
    asyncio.ensure_future(made.generate(HI))
    await asyncio.sleep(0)
asyncio.run(main(sys.argv[1]))
"""
    with Loopback(streamed(BEGIN, text_delta("Hello"), then="stall")) as server:
        done = subprocess.run(
            [sys.executable, "-c", code, f"http://127.0.0.1:{server.port}"],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=WIRES,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "TextDelta(text='Hello')\n", "")
        assert server.until(lambda it: it.open == 0)


def test_without_boto3_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['boto3'] = None\n"
        "from modelport.adapters import AmazonBedrockModel\n"
        "from modelport import blocking, as_request\n"
        "error = blocking(AmazonBedrockModel('x')).generate(as_request('hi')).failure()\n"
        "print(error.kind, error.sent, error.message)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("missing_dependency no")
    assert "pip install 'modelport[bedrock]'" in done.stdout


def test_the_module_imports_neither_boto3_nor_the_wires_json() -> None:
    code = "import sys, modelport.adapters.bedrock.model; print({'boto3', 'botocore', 'orjson'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
