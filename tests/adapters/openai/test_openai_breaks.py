"""What servers, keys and options did that once broke the OpenAI wire."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import attrs
import pytest
from loopback import DONE, Answer, Loopback, body, chunk, error, sse, streamed, whole
from openai_calls import HI, KEY, ask, failed, failed_stream, listen

from modelport.adapters.http.bounds import Bounds, TooLarge
from modelport.adapters.http.http_transport import HttpTransport
from modelport.adapters.http.post import Post
from modelport.adapters.http.reply import HttpxReply
from modelport.adapters.http.transport import Reply
from modelport.adapters.openai.model import OpenAIModel
from modelport.domain.error import ErrorKind, ModelError, Sent
from modelport.domain.event import Finished
from modelport.domain.request import Request
from modelport.domain.response import Response

JSON = {"content-type": "application/json"}
HI_THERE = chunk({"content": "Hi"}, finish="stop")


def test_a_client_of_azure_finds_the_deployment() -> None:
    async def main(server: Loopback) -> None:
        from openai import AsyncAzureOpenAI

        at = {"api_key": KEY, "azure_endpoint": server.url, "api_version": "1"}
        for more in ({}, {"azure_deployment": "mine"}):
            async with AsyncAzureOpenAI(**at, **more) as client:
                subject = OpenAIModel("gpt-4o", client=client)
                assert (await subject.generate(HI)).unwrap().content == "Hello!"
                assert isinstance([event async for event in subject.stream(HI)][-1], Finished)

    with Loopback(whole()) as server:
        asyncio.run(main(server))
    names = [seen.path.split("/deployments/")[1] for seen in server.requests]
    assert names == [f"{name}/chat/completions?api-version=1" for name in ("gpt-4o", "gpt-4o", "mine", "mine")]


def test_numbers_may_be_the_keys_of_an_option() -> None:
    with Loopback(whole()) as server:
        assert isinstance(ask(server, logit_bias={50256: -100}), Response)
    assert server.requests[0].json["logit_bias"] == {"50256": -100}


def test_headers_and_a_query_of_none_are_none() -> None:
    with Loopback(whole()) as server:
        assert isinstance(ask(server, extra_headers=None, extra_query=None, extra_body=None, timeout=None), Response)


@pytest.mark.parametrize("key", [None, "", b"bytes"])
def test_a_callable_that_gives_no_key_is_an_error_of_authentication(key: Any) -> None:
    with Loopback(whole()) as server:
        found, last = failed(server, api_key=lambda: key), failed_stream(server, api_key=lambda: key)
    assert (found.kind, found.sent, last.error) == (ErrorKind.AUTHENTICATION, Sent.NO, found)
    assert f"gave no key, but {type(key).__name__}" in found.message
    assert server.requests == []


def test_a_header_that_cannot_be_sent_is_not_quoted() -> None:
    with Loopback(whole()) as server:
        found = failed(server, extra_headers={"x-key": "hidden\n"})
    assert found.kind == ErrorKind.INVALID_REQUEST
    assert "Illegal header value" in found.message
    assert "hidden" not in found.message


@pytest.mark.parametrize("room", range(290 - len(KEY), 300))
def test_a_key_that_a_long_message_is_cut_in_is_not_shown(room: int) -> None:
    with Loopback(error(401, None, "x" * room + KEY + "y" * 60)) as server:
        assert KEY[:6] not in failed(server).message


def test_a_short_key_leaves_the_words_as_they_are() -> None:
    with Loopback(error(401, "some_code", "what a key: a")) as server:
        found = failed(server, api_key="a")
    assert (found.message, found.code) == ("what *** key: ***", "some_code")


def nested(deep: int) -> Any:
    value: Any = 1
    for _ in range(deep):
        value = {"a": value}
    return value


def test_an_answer_nested_without_end_is_malformed() -> None:
    half = b'{"choices":[{"message":{"content":"\\ud83d","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}}]}"
    with Loopback(Answer(200, JSON, half)) as server:
        assert failed(server).kind == failed_stream(server).error.kind == ErrorKind.MALFORMED_RESPONSE
    said = {"content": "x", "extra_content": nested(600)}
    with Loopback(body({"choices": [{"message": said, "finish_reason": "stop"}]})) as server:
        assert failed(server).kind == ErrorKind.MALFORMED_RESPONSE


def test_an_empty_finish_reason_is_none() -> None:
    with Loopback(streamed(chunk({"content": "Hi"}, finish=""), then="cut")) as server:
        assert failed_stream(server).error.kind == ErrorKind.INTERRUPTED
    with Loopback(streamed(HI_THERE, chunk(finish=""), DONE)) as server:
        last = listen(server)[-1]
    assert isinstance(last, Finished)
    assert last.response.finish_reason == "stop"


@pytest.mark.parametrize("more", [(b"data: [DONE] \n\n",), (b"data:\n\n", DONE), (b"data:  \n\n", DONE)])
def test_blanks_in_a_stream_mean_nothing(more: tuple[bytes, ...]) -> None:
    with Loopback(streamed(HI_THERE, *more)) as server:
        assert isinstance(listen(server)[-1], Finished)


def test_half_characters_end_alike_whole_and_streamed() -> None:
    half = json.loads('"\\ud83d"')
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": half}}
    said = {"reasoning": half, "content": half, "tool_calls": [call]}

    def answer(seen: Any) -> Answer:
        choice = {"delta" if seen.json.get("stream") else "message": said, "finish_reason": "stop"}
        whole = json.dumps({"choices": [choice]}).encode()
        return streamed(b"data: " + whole + b"\n\n", DONE) if seen.json.get("stream") else Answer(200, JSON, whole)

    with Loopback(answer) as server:
        found, last = ask(server), listen(server)[-1]
    assert isinstance(found, Response)
    assert (found.content, found.reasoning, found.tool_calls[0].arguments) == ("\ufffd",) * 3
    assert last == Finished(found)


@pytest.mark.parametrize("usage", [{}, None])
def test_usage_that_says_nothing_is_unknown_whole_and_streamed(usage: Any) -> None:
    def answer(seen: Any) -> Answer:
        if seen.json.get("stream"):
            return streamed(sse({"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}))
        return body({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage})

    with Loopback(answer) as server:
        found, last = ask(server), listen(server)[-1]
    assert isinstance(found, Response)
    assert found.usage is None
    assert last == Finished(found)


def test_an_error_beside_an_answer_is_an_error() -> None:
    choice = {"message": {"content": "hal"}, "delta": {"content": "hal"}, "finish_reason": "error"}
    said = {"choices": [choice], "error": {"message": "broke", "code": 502}}
    with Loopback(body(said), streamed(sse(said))) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.message) == (ErrorKind.SERVER, "broke")
    assert last.error == found


def test_the_first_of_several_answers_is_found_wherever_it_stands() -> None:
    choices = [
        {"index": at, "message": {"content": text}, "delta": {"content": text}, "finish_reason": "stop"}
        for at, text in ((1, "b"), (0, "a"))
    ]
    with Loopback(body({"choices": choices}), streamed(sse({"choices": choices}), DONE)) as server:
        found, last = ask(server), listen(server)[-1]
    assert isinstance(found, Response)
    assert found.content == "a"
    assert last == Finished(found)


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ({"content": "Hi", "function_call": {}, "tool_calls": []}, []),
        (
            {
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "function_call": {"name": "f", "arguments": "{}"},
            },
            ["f"],
        ),
    ],
)
def test_a_call_that_is_said_in_both_ways_is_one_and_an_empty_one_is_none(said: Any, names: list[str]) -> None:
    choice = {"message": said, "delta": said, "finish_reason": "stop"}
    with Loopback(body({"choices": [choice]}), streamed(sse({"choices": [choice]}), DONE)) as server:
        found, last = ask(server), listen(server)[-1]
    assert isinstance(found, Response)
    assert [call.name for call in found.tool_calls] == names
    assert last == Finished(found)


def test_an_id_that_comes_after_the_name_of_the_model_is_kept() -> None:
    first = sse({"id": "", "model": "m-1", "choices": []})
    with Loopback(whole("Hi"), streamed(first, HI_THERE, sse({"choices": [], "usage": {}}), DONE)) as server:
        found, last = ask(server), listen(server)[-1]
    assert isinstance(found, Response)
    assert isinstance(last, Finished)
    assert last.response.response_id == found.response_id == "c1"


def test_an_error_event_may_hold_plain_words() -> None:
    with Loopback(streamed(b"event: error\ndata: out of memory\n\n")) as server:
        found = failed_stream(server).error
    assert (found.kind, found.message) == (ErrorKind.SERVER, "out of memory")


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"extra_headers": {"x": 1}}, "extra_headers: names and values are text, not those of 'x'"),
        ({"extra_headers": "x"}, "extra_headers is a dict, not str"),
        ({"extra_query": 7}, "extra_query is a dict, not int"),
        ({"extra_body": [1]}, "extra_body is a dict, not list"),
        ({"timeout": "soon"}, "timeout is a positive number of seconds, or None, not 'soon'"),
        ({"timeout": -1}, "timeout is a positive number of seconds, or None, not -1"),
    ],
)
def test_an_argument_of_a_call_that_cannot_be_sent_is_an_error_and_nothing_is_raised(
    option: dict[str, Any], says: str
) -> None:
    request = Request(HI.messages, options=option)
    with Loopback(whole()) as server:
        found = ask(server, request)
    assert isinstance(found, ModelError)
    assert (found.kind, found.sent, found.message) == (ErrorKind.INVALID_REQUEST, Sent.NO, says)
    assert server.requests == []


def test_a_function_that_is_exhausted_is_an_error_rather_than_silence() -> None:
    with Loopback(whole()) as server:
        found = failed(server, api_key=iter(()).__next__)
    assert (found.kind, found.sent) == (ErrorKind.AUTHENTICATION, Sent.NO)


def test_a_proxy_that_needs_another_library_says_what_does() -> None:
    with Loopback(whole()) as server, pytest.MonkeyPatch.context() as environment:
        for name in ("NO_PROXY", "no_proxy"):
            environment.delenv(name, raising=False)
        environment.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.sent, last.error) == (ErrorKind.MISSING_DEPENDENCY, Sent.NO, found)
    assert "socksio" in found.message
    assert "modelport[openai]" not in found.message


def test_certificates_that_are_not_there_are_no_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    found = asyncio.run(OpenAIModel("m", base_url="https://127.0.0.1:9", api_key=KEY).generate(HI)).failure()
    assert (found.kind, found.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)
    assert found.message == "SSL_CERT_FILE: /no/such/file can't be read: No such file or directory"


def test_a_transport_of_ones_own_carries_the_calls() -> None:
    """Anything that sends a `Post`: here, one that asks for more than it is asked."""
    own = HttpTransport()

    class Marking:
        bounds = own.bounds
        close = own.close

        async def send(self, post: Post) -> Reply:
            return await own.send(attrs.evolve(post, headers={**post.headers, "x-mine": "yes"}))

    with Loopback(whole()) as server:
        subject = OpenAIModel("gpt-4o", base_url=server.url, api_key=KEY, transport=Marking())
        for _ in range(2):
            assert asyncio.run(subject.generate(HI)).unwrap().content == "Hello!"
    assert [seen.headers["x-mine"] for seen in server.requests] == ["yes", "yes"]
    assert server.connections == 2


def test_models_share_their_connections() -> None:
    async def main(url: str) -> None:
        for _ in range(3):
            await OpenAIModel("gpt-4o", base_url=url, api_key=KEY).generate(HI)

    with Loopback(whole()) as server:
        asyncio.run(main(server.url))
    assert (len(server.requests), server.connections) == (3, 1)


def test_a_client_that_is_closed_is_an_error_and_nothing_is_raised() -> None:
    openai = pytest.importorskip("openai")
    with Loopback(whole()) as server:
        client = openai.AsyncOpenAI(base_url=server.url, api_key=KEY)
        asyncio.run(client.close())
        found = asyncio.run(OpenAIModel("gpt-4o", client=client).generate(HI)).failure()
    assert (found.kind, found.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)
    assert found.message.startswith("the client is closed: one that is passed in serves one event loop")


def test_a_client_of_ones_own_is_used_with_its_settings_and_those_of_the_call() -> None:
    openai = pytest.importorskip("openai")

    async def main(url: str) -> Any:
        own: dict[str, Any] = {"default_headers": {"x-own": "yes"}, "default_query": {"own": "1"}, "max_retries": 5}
        async with openai.AsyncOpenAI(base_url=url, api_key=KEY, timeout=0.2, **own) as client:
            subject = OpenAIModel("gpt-4o", client=client)
            options = {"extra_headers": {"X-A": "b"}, "extra_query": {"c": "d", "e": [1, 2]}, "timeout": 30}
            await subject.generate(Request(HI.messages, options=options))
            return (await subject.generate(HI)).failure()

    with Loopback(whole(), Answer(0, then="stall")) as server:
        found = asyncio.run(main(server.url))
    first = server.requests[0]
    assert (first.headers["x-own"], first.headers["x-a"], first.headers["authorization"]) == (
        "yes",
        "b",
        f"Bearer {KEY}",
    )
    assert sorted(first.path.partition("?")[2].split("&")) == ["c=d", "e%5B%5D=1", "e%5B%5D=2", "own=1"]
    assert (found.kind, len(server.requests)) == (ErrorKind.TIMEOUT, 2)


def test_a_key_of_blanks_is_none() -> None:
    with Loopback(whole()) as server:
        found = failed(server, api_key=" \n")
    assert (found.kind, found.message, server.requests) == (ErrorKind.AUTHENTICATION, "api_key is empty", [])


def test_the_beginning_of_a_refusal_is_enough() -> None:
    bounds = Bounds(refusal=100)
    with Loopback(Answer(502, {"content-type": "text/plain"}, b"x" * 1000)) as server:
        found = failed(server, transport=HttpTransport(bounds=bounds))
    assert (found.kind, found.message) == (ErrorKind.SERVER, "x" * 100)


def test_an_answer_through_a_client_of_ones_own_is_bounded_too() -> None:
    httpx2 = pytest.importorskip("httpx2")

    async def main() -> None:
        async with httpx2.AsyncClient(
            transport=httpx2.MockTransport(lambda _: httpx2.Response(200, content=b"x" * 99))
        ) as it:
            reply = HttpxReply(await it.send(it.build_request("POST", "http://h"), stream=True))
            with pytest.raises(TooLarge):
                async for _ in reply.chunks(98):
                    pass
            await reply.close()

    asyncio.run(main())
