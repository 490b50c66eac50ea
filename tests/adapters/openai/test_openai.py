"""`OpenAIModel` over a real loopback server: its answers, stops, options and connections."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pickle
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import pytest
from loopback import DONE, USED, Answer, Loopback, Script, body, chunk, error, saying, sse, streamed, whole
from openai_calls import HI, KEY, PARTIAL, ask, failed, failed_stream, heard, listen, model
from returns.result import Failure, Success

from modelport.adapters.http.http_transport import HttpTransport
from modelport.adapters.openai.model import OpenAIModel, translate
from modelport.adapters.process.secret import Env
from modelport.domain.capability import Capabilities
from modelport.domain.error import ErrorKind, ModelError, Sent
from modelport.domain.event import Finished, TextDelta
from modelport.domain.message import Message
from modelport.domain.options.option import OMIT
from modelport.domain.request import Request
from modelport.domain.response import FinishReason, Response
from modelport.domain.usage import Usage


def test_a_refused_connection_was_never_sent() -> None:
    with Loopback(whole()) as server:
        pass
    found, last = failed(server), failed_stream(server)
    assert (found.kind, found.sent) == (ErrorKind.CONNECTION, Sent.NO)
    assert last.error.kind == ErrorKind.CONNECTION


def test_the_key_is_in_no_message_and_no_repr() -> None:
    leaky = error(401, "invalid_api_key", f"Incorrect API key provided: {KEY}")
    with Loopback(leaky) as server:
        subject = model(server, extra_headers={"x-other": KEY})
        found = failed(server)
    assert KEY not in f"{subject!r} {subject} {found!r} {found}"
    assert "Incorrect API key provided: ***" in found.message


@pytest.mark.parametrize("key", [KEY + "é", KEY + "\n" + KEY])
def test_a_key_that_no_header_can_carry_is_an_error_without_it(key: str) -> None:
    with Loopback(whole()) as server:
        found = failed(server, api_key=key)
    assert found.kind == ErrorKind.INVALID_REQUEST
    assert found.sent == Sent.NO
    assert KEY not in f"{found!r}"


def test_a_key_that_was_read_from_a_file_has_its_line_break_taken_off() -> None:
    with Loopback(whole()) as server:
        ask(server, api_key=f" {KEY}\n")
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_missing_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with Loopback(whole()) as server:
        found, last = failed(server, api_key=None), failed_stream(server, api_key=None)
        assert (found.kind, found.sent) == (ErrorKind.AUTHENTICATION, Sent.NO)
        assert "OPENAI_API_KEY" in found.message
        assert last.error == found
        monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
        assert isinstance(ask(server, api_key=None), Response)
        assert server.requests[0].headers["authorization"] == "Bearer sk-from-the-environment"


def test_a_key_may_be_asked_for_at_each_call() -> None:
    keys = iter(["one", "two"])

    async def ask_for_it() -> str:
        return next(keys)

    with Loopback(whole()) as server:
        ask(server, api_key=ask_for_it)
        ask(server, api_key=lambda: next(keys))
        found = failed(server, api_key=lambda: next(keys))
    assert [seen.headers["authorization"] for seen in server.requests] == ["Bearer one", "Bearer two"]
    assert (found.kind, found.sent) == (ErrorKind.AUTHENTICATION, Sent.NO)


def test_an_answer_is_read_whole() -> None:
    with Loopback(whole("Hello!")) as server:
        found = ask(server)
    assert isinstance(found, Response)
    assert (found.content, found.finish_reason, found.model_id, found.response_id) == ("Hello!", "stop", "m-1", "c1")
    assert found.usage == Usage(7, 3)
    assert server.requests[0].path == "/v1/chat/completions"


@pytest.mark.parametrize("sizes", [(1,), (2, 5), (100,)])
def test_a_stream_comes_to_what_the_whole_answer_is(sizes: tuple[int, ...]) -> None:
    with Loopback(saying("Grüße, 안녕, 🙂!", sizes)) as server:
        found, events = ask(server), listen(server)
    assert isinstance(found, Response)
    assert events[-1] == Finished(found)
    assert server.requests[1].json["stream_options"] == {"include_usage": True}


def test_a_server_that_answers_whole_when_asked_for_a_stream_is_understood() -> None:
    with Loopback(whole("Hello!")) as server:
        events = listen(server)
    assert events[0] == TextDelta("Hello!")
    assert isinstance(events[-1], Finished)


def test_a_connection_that_breaks_after_the_finish_reason_breaks_nothing() -> None:
    for then in ("reset", "cut", "stall"):
        with Loopback(streamed(chunk({"content": "Hi"}), chunk(finish="stop"), then=then)) as server:
            events = listen(server, timeout=0.2)
        assert isinstance(events[-1], Finished), events
        assert events[-1].response.content == "Hi"


STOP = Request([Message("user", "hi")], ["이"])


@pytest.mark.parametrize("sizes", [(1,), (2,), (3,), (50,)])
def test_a_stop_is_enforced_where_the_server_ignores_it(sizes: tuple[int, ...]) -> None:
    with Loopback(saying("안녕, 친구. 이것은 비밀", sizes)) as server:
        found, events = ask(server, STOP), listen(server, STOP)
    assert isinstance(found, Response)
    assert (found.content, found.stopped_by, found.finish_reason) == ("안녕, 친구. ", "이", FinishReason.STOP)
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.response.message, last.response.stopped_by) == (found.message, "이")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "안녕, 친구. "
    assert server.requests[0].json["stop"] == ["이"]


def test_a_stop_over_chunk_borders_is_found() -> None:
    pieces = [chunk({"content": piece}) for piece in ("one ST", "O", "P two")]
    with Loopback(streamed(*pieces, chunk(finish="length"), DONE)) as server:
        events = listen(server, Request([Message("user", "hi")], ["STOP"]))
    assert events[0] == TextDelta("one ")
    assert isinstance(events[1], Finished)
    assert (events[1].response.content, events[1].response.finish_reason) == ("one ", "stop")


def test_a_model_that_rejects_stops_gets_none() -> None:
    def strict(seen: Any) -> Answer:
        if "stop" in seen.json:
            refusal = {"message": "Unsupported parameter: 'stop'", "param": "stop", "code": "unsupported_parameter"}
            return body({"error": refusal}, 400)
        return saying("one STOP two")(seen)

    request = Request([Message("user", "hi")], ["STOP"])
    with Loopback(strict) as server:
        found = ask(server, request, model_id="gpt-5-mini")
        refused = ask(server, request, model_id="my-own")
        declared = ask(server, request, model_id="my-own", capabilities=Capabilities(max_stops=0))
    assert isinstance(found, Response)
    assert (found.content, found.stopped_by) == ("one ", "STOP")
    assert isinstance(refused, ModelError)
    assert refused.kind == ErrorKind.UNSUPPORTED
    assert "max_stops=0" in refused.message
    assert isinstance(declared, Response)
    assert (declared.content, declared.stopped_by) == ("one ", "STOP")


def test_at_most_four_stops_are_sent_and_all_are_enforced() -> None:
    request = Request([Message("user", "hi")], ["1", "2", "3", "4", "five"])
    with Loopback(saying("one five two")) as server:
        found = ask(server, request)
    assert server.requests[0].json["stop"] == ["1", "2", "3", "4"]
    assert isinstance(found, Response)
    assert (found.content, found.stopped_by) == ("one ", "five")


def test_a_stop_drops_the_connection_at_once() -> None:
    endless = streamed(*[chunk({"content": "a STOP b"})] * 3, then="stall")
    with Loopback(endless) as server:
        events = listen(server, Request([Message("user", "hi")], ["STOP"]))
        assert server.until(lambda seen: seen.dropped == 1)
    assert isinstance(events[-1], Finished)


def test_closing_a_stream_drops_the_connection() -> None:
    async def main(server: Loopback) -> None:
        async with aclosing(model(server).stream(HI)) as stream:
            assert await anext(stream) == TextDelta("Hel")
        assert await asyncio.to_thread(server.until, lambda seen: seen.dropped == 1)

    with Loopback(streamed(*PARTIAL, then="stall")) as server:
        asyncio.run(main(server))


@pytest.mark.parametrize("answer", [Answer(0, then="stall"), streamed(*PARTIAL, then="stall")])
@pytest.mark.parametrize("how", ["generate", "stream"])
def test_cancelling_a_call_drops_the_connection(answer: Answer, how: str) -> None:
    async def main(server: Loopback) -> None:
        subject = model(server)
        task = asyncio.ensure_future(subject.generate(HI) if how == "generate" else heard(subject.stream(HI)))
        assert await asyncio.to_thread(server.until, lambda seen: seen.open == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.until, lambda seen: seen.dropped == 1)

    with Loopback(answer) as server:
        asyncio.run(main(server))


def test_one_model_serves_two_event_loops_one_after_the_other_and_at_once() -> None:
    with Loopback(saying("Hello!")) as server:
        subject = model(server)
        for _ in range(3):
            assert asyncio.run(subject.generate(HI)).unwrap().content == "Hello!"
        both = threading.Barrier(2)

        async def meet() -> str:
            await subject.generate(HI)
            await asyncio.to_thread(both.wait)
            return (await subject.generate(HI)).unwrap().content

        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda _: asyncio.run(meet()), range(2))) == ["Hello!"] * 2
    gc.collect()


def test_fifty_threads_call_one_model() -> None:
    with Loopback(saying("Hello!")) as server:
        subject = model(server)
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda at: subject(f"hi {at}").content, range(50)))
    assert answers == ["Hello!"] * 50
    assert len(server.requests) == 50


def test_a_connection_serves_the_next_call_after_a_stream() -> None:
    async def main(server: Loopback) -> None:
        subject = model(server)
        for _ in range(3):
            await heard(subject.stream(HI))
            await subject.generate(HI)

    with Loopback(saying("Hello!")) as server:
        asyncio.run(main(server))
    assert (len(server.requests), server.connections) == (6, 1)


def test_an_injected_client_is_used_without_its_retries() -> None:
    async def main(server: Loopback) -> ModelError:
        from openai import AsyncOpenAI

        async with AsyncOpenAI(api_key=KEY, base_url=server.url, max_retries=5) as client:
            return (await OpenAIModel("gpt-4o", client=client).generate(HI)).failure()

    with Loopback(error(500, None, f"no {KEY}")) as server:
        found = asyncio.run(main(server))
    assert (found.kind, found.message, len(server.requests)) == (ErrorKind.SERVER, "no ***", 1)


def test_options_meet_and_the_call_wins() -> None:
    with Loopback(whole()) as server:
        subject = model(server, temperature=0.2, seed=7, max_tokens=9)
        subject("hi", temperature=0.9, seed=OMIT, logit_bias={"1": 2}, extra_body={"guided": True})
        subject("hi", max_new_tokens=5, extra_headers={"x-a": "b"}, extra_query={"c": "d"}, timeout=3)
        model(server, "o3-mini", max_tokens=9)("hi")
    first, second, third = server.requests
    messages = [{"role": "user", "content": "hi"}]
    assert first.json == {
        "model": "gpt-4o",
        "messages": messages,
        "temperature": 0.9,
        "max_tokens": 9,
        "logit_bias": {"1": 2},
        "guided": True,
        "stream": False,
    }
    said = {"messages": messages, "stream": False}
    assert second.json == {"model": "gpt-4o", **said, "temperature": 0.2, "seed": 7, "max_tokens": 5}
    assert (second.headers["x-a"], second.path) == ("b", "/v1/chat/completions?c=d")
    assert third.json == {"model": "o3-mini", **said, "max_completion_tokens": 9}


def test_what_a_model_cannot_do_is_not_sent() -> None:
    with Loopback(whole()) as server:
        form = Request([Message("user", "hi")], response_format={"type": "json_object"})
        found = ask(server, form, capabilities=Capabilities())
        half = ask(server, Request([Message("user", "half \ud83d")]))
        huge = ask(server, Request([Message("user", "hi")], options={"metadata": {"a": object()}}))
    assert isinstance(found, ModelError)
    assert (found.kind, found.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert isinstance(half, ModelError)
    assert (half.kind, half.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)
    assert "messages[0]" in half.message
    assert isinstance(huge, ModelError)
    assert huge.kind == ErrorKind.INVALID_REQUEST
    assert server.requests == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model_id": ""}, "model_id"),
        ({"base_url": "localhost:8000"}, "localhost:8000"),
        ({"base_url": "http://h:99999"}, "base_url"),
        ({"base_url": "http://a", "api_base": "http://b"}, "api_base"),
        ({"base_url": "http://me:pw@h/v1"}, "api_key"),
        ({"base_url": "http://h/v1?key=x"}, "default_query"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "1"}, "timeout"),
        ({"api_key": b"x"}, r"Env\('NAME'\) or a function, not bytes"),
        ({"organization": 7}, "organization is text"),
        ({"base_model": 7}, "base_model is text"),
        ({"reasoning_name": True}, "reasoning_name is text"),
        ({"capabilities": {"tools": True}}, r"Capabilities\(\.\.\.\)"),
        ({"drop_options": 7}, "drop_options"),
        ({"drop_options": [7]}, "drop_options"),
        ({"flatten_messages_as_text": "yes"}, "True or False"),
        ({"custom_role_conversions": {"system": "boss"}}, "custom_role_conversions"),
        ({"requests_per_minute": 0}, "requests per minute"),
        ({"client_kwargs": [1]}, "client_kwargs is a dict"),
        ({"client_kwargs": {"default_headers": "x"}}, "default_headers"),
        ({"extra_headers": {"x": 1}}, "extra_headers: names and values are text"),
        ({"extra_body": "x"}, "extra_body is a dict"),
        ({"client_kwargs": {"max_retries": 3}}, "with_retry"),
        ({"client_kwargs": {"http_client": object()}}, r"http_client is for a client of the SDK.*client=openai\.Async"),
        ({"client_kwargs": {"no_such_argument": 1}}, "no_such_argument"),
        ({"client_kwargs": {"organization": 7}}, r"client_kwargs\['organization'\] is text"),
        ({"client_kwargs": {"base_url": "localhost:1"}}, r"client_kwargs\['base_url'\] is an address"),
        ({"transport": object()}, r"transport= takes an HttpTransport\(\.\.\.\), not object"),
        ({"transport": HttpTransport(), "client": object()}, "client= brings its own transport"),
        ({"api_key": "a", "client_kwargs": {"api_key": "b"}}, "api_key stands in client_kwargs too; keep one"),
        ({"max_retries": 3}, "with_retry"),
        ({"http_client": object()}, "'http_client' is not an option; use client_kwargs="),
        ({"azure_ad_token": "secret"}, "'azure_ad_token' is not an option; use client_kwargs="),
        ({"drop_options": ["stop"]}, "drop_options: 'stop' is not an option"),
        ({"client": object()}, "AsyncOpenAI"),
        ({"client": object(), "api_key": "x"}, "api_key"),
        ({"client": object(), "timeout": 5}, "client= brings its own timeout"),
        ({"temperature": float("nan")}, "temperature"),
        ({"stop": ["x"]}, "stop_sequences"),
    ],
)
def test_a_mistake_is_named_at_construction(fields: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        OpenAIModel(**{"model_id": "gpt-4o", **fields})


@pytest.mark.parametrize("package", ["aiohttp", "orjson"])
def test_a_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "modelport.adapters.http.pool", raising=False)
    with Loopback(whole()) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.sent, last.error) == (ErrorKind.MISSING_DEPENDENCY, Sent.NO, found)
    assert "pip install 'modelport[openai]'" in found.message


def test_models_are_values() -> None:
    import openai

    key = Env("A_KEY")
    one, two = (OpenAIModel("gpt-4o", api_key=key, client_kwargs={"default_query": {"v": "1"}}) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != OpenAIModel("gpt-4o", api_key="b")
    assert len({OpenAIModel("gpt-4o", timeout=openai.Timeout(5)) for _ in range(2)}) == 1
    assert pickle.loads(pickle.dumps(one)) == one


def test_the_table_covers_every_exception_of_the_transport_and_of_the_sdk() -> None:
    import aiohttp
    import httpx2
    import openai

    request = httpx2.Request("POST", "http://h")
    response = httpx2.Response(500, request=request)
    seen = 0
    for module in (aiohttp, openai, openai._exceptions, httpx2):
        for cls in list(vars(module).values()):
            every = aiohttp.ClientError if module is aiohttp else Exception
            if not (isinstance(cls, type) and issubclass(cls, every)) or cls.__name__.startswith("_"):
                continue
            exception = cls.__new__(cls)
            if module is aiohttp:
                held: dict[str, object] = {"_os_error": OSError("x"), "_certificate_error": ssl.CertificateError("x")}
                held |= {"status": 400, "request_info": None}
            else:
                held = {"response": response, "request": request, "body": None}
            exception.__dict__.update(held, message="x")
            assert isinstance(translate(exception), ModelError), cls
            seen += 1
    assert seen > 50


def test_what_the_table_does_not_know_is_a_bug_and_raised() -> None:
    with pytest.raises(KeyError):
        translate(KeyError("x"))
    assert isinstance(translate(json.JSONDecodeError("x", "", 0)), ModelError)


def test_scripts_may_change_from_call_to_call() -> None:
    script: list[Script] = [error(503), whole("second")]
    with Loopback(*script) as server:
        assert isinstance(asyncio.run(model(server).generate(HI)), Failure)
        assert isinstance(asyncio.run(model(server).generate(HI)), Success)


def test_events_without_choices_are_skipped() -> None:
    filters = sse({"id": "", "choices": [], "prompt_filter_results": []})
    with Loopback(streamed(filters, chunk({"content": "Hi"}), chunk(finish="stop"), USED, DONE)) as server:
        events = listen(server)
    assert events[0] == TextDelta("Hi")
    assert isinstance(events[1], Finished)
    assert events[1].response.usage == Usage(7, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a process with threads
def test_a_forked_child_makes_connections_of_its_own() -> None:
    with Loopback(saying("Hello!")) as server:
        subject = model(server)
        assert subject("hi").content == "Hello!"
        child = os.fork()
        if child == 0:
            os._exit(0 if subject("hi").content == "Hello!" else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert subject("hi").content == "Hello!"
    assert (len(server.requests), server.connections) == (3, 2)
