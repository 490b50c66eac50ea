"""Calls through a client that was injected: in its threads, by its settings, and once each."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import pytest
from bedrock_wire import BEGIN, HI, KEYS, MODEL, error, heard, saying, session, streamed, text_delta, whole
from botocore.config import Config
from botocore.stub import Stubber
from loopback import Answer, Loopback, Seen, body

from modelport import Failed, TextDelta
from modelport.adapters import AmazonBedrockModel
from modelport.domain.error import ModelError
from modelport.domain.message import Message
from modelport.domain.request import Request


def client(server: Loopback, **config: Any) -> Any:
    address = f"http://127.0.0.1:{server.port}"
    return session().client("bedrock-runtime", endpoint_url=address, config=Config(**config), **KEYS)


def hooked(server: Loopback, event: str, hook: Callable[..., None]) -> AmazonBedrockModel:
    """A model whose calls run a hook, in their threads."""
    given = client(server)
    given.meta.events.register(f"{event}.bedrock-runtime.Converse", hook)
    return AmazonBedrockModel(MODEL, client=given)


def test_threads_are_named_and_as_many_as_the_client_has_connections_and_the_rest_waits() -> None:
    names: set[str] = set()
    before = set(threading.enumerate())

    def slow(seen: Seen) -> Answer:
        names.update(thread.name for thread in set(threading.enumerate()) - before)
        return Answer(headers={"content-type": "application/json"}, pieces=[whole().body], pause=0.01)

    async def main(made: AmazonBedrockModel) -> None:
        calls: list[Any] = [made.generate(HI) for _ in range(6)] + [heard(made.stream(HI)) for _ in range(6)]
        await asyncio.gather(*calls)

    with Loopback(slow) as server:
        asyncio.run(main(AmazonBedrockModel(MODEL, client=client(server, max_pool_connections=3))))
        assert len(server.requests) == 12
    assert names - {"loopback"} == {f"modelport-bedrock_{number}" for number in range(3)}


def test_each_thread_keeps_its_connection() -> None:
    def answer(seen: Seen) -> Answer:
        return Answer(headers={"content-type": "application/json"}, pieces=[whole().body], pause=0.01)

    async def main(made: AmazonBedrockModel) -> None:
        for result in await asyncio.gather(*(made.generate(HI) for _ in range(12))):
            assert result.unwrap().content == "Hello!"

    with Loopback(answer) as server:
        asyncio.run(main(AmazonBedrockModel(MODEL, client=client(server, max_pool_connections=3))))
        assert server.connections <= 3


def test_a_waiting_call_that_is_cancelled_is_never_sent() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        first = asyncio.ensure_future(made.generate(HI))
        assert await asyncio.to_thread(server.until, lambda it: it.open == 1)
        second = asyncio.ensure_future(made.generate(HI))
        await asyncio.sleep(0)
        second.cancel()
        assert (await first).failure().kind == "timeout"  # the client's own
        await asyncio.gather(second, return_exceptions=True)

    with Loopback(Answer(0, then="stall")) as server:
        asyncio.run(main(AmazonBedrockModel(MODEL, client=client(server, max_pool_connections=1, read_timeout=0.5))))
        assert len(server.requests) == 1


def test_a_call_sees_the_context_that_it_was_made_in() -> None:
    team: ContextVar[str] = ContextVar("team", default="nobody's")
    seen: list[str] = []
    with Loopback(whole()) as server:
        made = hooked(server, "before-sign", lambda **_: seen.append(team.get()))
        team.set("ours")
        asyncio.run(made.generate(HI)).unwrap()
    assert seen == ["ours"]


def test_a_stream_that_is_left_is_closed_after_its_next_event() -> None:
    async def main(made: AmazonBedrockModel) -> None:
        async with aclosing(made.stream(HI)) as stream:
            assert await anext(stream) == TextDelta("Hel")
        assert await asyncio.to_thread(server.until, lambda it: it.dropped == 1)

    with Loopback(streamed(BEGIN, text_delta("Hel"), *[text_delta("x")] * 500, pause=0.02)) as server:
        asyncio.run(main(AmazonBedrockModel(MODEL, client=client(server))))


def test_a_timeout_of_one_call_is_unsupported_since_the_client_has_its_own() -> None:
    with Loopback(whole()) as server:
        made = AmazonBedrockModel(MODEL, client=client(server))
        request = Request([Message("user", "hi")], options={"timeout": 5})
        found = asyncio.run(made.generate(request)).failure()
        last = asyncio.run(heard(made.stream(request)))[-1]
        assert (found.kind, found.sent, server.requests) == ("unsupported", "no", [])
    assert isinstance(last, Failed)
    assert last.error == found
    assert "Config(read_timeout=...)" in found.message


def test_a_connection_that_breaks_is_an_error_once() -> None:
    with Loopback(Answer(0, then="reset")) as server:
        given = client(server, retries={"total_max_attempts": 3, "mode": "standard"})
        found = asyncio.run(AmazonBedrockModel(MODEL, client=given).generate(HI)).failure()
        assert (found.kind, found.sent, len(server.requests)) == ("interrupted", "perhaps", 1)


def test_its_refusals_are_understood() -> None:
    with Loopback(error(429, "ThrottlingException", "slow down", retry_after="7")) as server:
        made = AmazonBedrockModel(MODEL, client=client(server))
        found = asyncio.run(made.generate(HI)).failure()
        server.script = [Answer(503, {"content-type": "text/html"}, b"<html>bad gateway</html>")]
        gateway = asyncio.run(made.generate(HI)).failure()
        server.script = [Answer(418)]
        silent = asyncio.run(made.generate(HI)).failure()
    assert (found.kind, found.code, found.status, found.message) == (
        "rate_limited",
        "ThrottlingException",
        429,
        "slow down",
    )
    assert (found.retry_after, found.request_id) == (7.0, "req-1")
    assert (gateway.kind, gateway.status, gateway.code) == ("overloaded", 503, None)
    assert (silent.kind, silent.message) == ("invalid_request", "HTTP status 418, and nothing else")


@pytest.mark.parametrize("answer", [body([]), body({"output": 5}), body({"usage": {"inputTokens": "many"}}), body({})])
def test_json_of_another_shape_is_malformed(answer: Answer) -> None:
    """The parser of botocore raises whatever comes of it."""
    with Loopback(answer) as server:
        found = asyncio.run(AmazonBedrockModel(MODEL, client=client(server)).generate(HI)).failure()
    assert (found.kind, found.sent) == ("malformed_response", "yes")


def test_whole_and_streamed_answers_are_the_same() -> None:
    with Loopback(saying("Hello there")) as server:
        made = AmazonBedrockModel(MODEL, client=client(server))
        whole_answer = asyncio.run(made.generate(HI)).unwrap()
        last: Any = asyncio.run(heard(made.stream(HI)))[-1]
    assert last.response == whole_answer
    assert (whole_answer.content, whole_answer.response_id) == ("Hello there", "req-1")


class Breaking:
    """A client of somebody's own, whose answers break."""

    def converse(self, **_: Any) -> Any:
        return json.loads("{")

    def converse_stream(self, **_: Any) -> Any:
        return {"stream": [{"throttlingException": {"message": "slow down"}}]}


def test_what_breaks_in_a_client_of_somebodys_own_is_an_error() -> None:
    made = AmazonBedrockModel(MODEL, client=Breaking())
    assert asyncio.run(made.generate(HI)).failure().kind == "malformed_response"
    last: Any = asyncio.run(heard(made.stream(HI)))[-1]
    assert (last.error.kind, last.error.message) == ("rate_limited", "slow down")


def test_a_client_that_botocore_stubs_answers_what_its_owner_says() -> None:
    given = session().client("bedrock-runtime", **KEYS)
    message = {"role": "assistant", "content": [{"text": "Stubbed."}]}
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    with Stubber(given) as stubber:
        stubber.add_response(
            "converse",
            {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}},
        )
        stubber.add_client_error("converse", "ThrottlingException", "slow down", 429)
        made = AmazonBedrockModel(MODEL, client=given)
        assert asyncio.run(made.generate(HI)).unwrap().content == "Stubbed."
        found: ModelError = asyncio.run(made.generate(HI)).failure()
    assert (found.kind, found.message) == ("rate_limited", "slow down")


def test_a_key_that_http_cant_carry_is_not_quoted() -> None:
    with Loopback(whole()) as server:
        address = f"http://127.0.0.1:{server.port}"
        keys = {**KEYS, "aws_session_token": "planted\nsecret-0123456789"}
        given = session().client("bedrock-runtime", endpoint_url=address, **keys)
        found = asyncio.run(AmazonBedrockModel(MODEL, client=given).generate(HI)).failure()
    assert "secret-0123456789" not in str(found)
    assert server.requests == []
