"""`InferenceClientModel` over a real loopback server: its answers, stops, options and connections."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from huggingface_calls import HI, TOKEN, ask, failed, failed_stream, heard, listen, model
from loopback import DONE, Answer, Loopback, body, chunk, error, saying, streamed, whole
from openai_calls import PARTIAL

from modelport import compose, with_retry
from modelport.adapters.http.bounds import Bounds
from modelport.adapters.http.http_transport import HttpTransport
from modelport.adapters.huggingface.model import DEFAULT, InferenceClientModel
from modelport.adapters.process.secret import Env
from modelport.domain.capability import Capabilities
from modelport.domain.error import ErrorKind, ModelError, Sent
from modelport.domain.event import Finished, ReasoningDelta, TextDelta
from modelport.domain.message import Image, Message, Text, ToolCall, ToolResult
from modelport.domain.options.option import OMIT
from modelport.domain.request import Request
from modelport.domain.response import Response
from modelport.domain.response_format import JsonObject, JsonSchema, Regex
from modelport.domain.tool import Tool
from modelport.domain.usage import Usage

pytest.importorskip("huggingface_hub")

SAYS = Request([Message("user", "hi")], ["STOP"])


def test_an_answer_is_read_whole() -> None:
    with Loopback(whole("Hello!")) as server:
        found = ask(server)
    assert isinstance(found, Response)
    assert (found.content, found.finish_reason, found.model_id, found.response_id) == ("Hello!", "stop", "m-1", "c1")
    assert found.usage == Usage(7, 3)
    messages = [{"role": "user", "content": "hi"}]
    assert server.requests[0].json == {"model": "org/name", "messages": messages, "stream": False}
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("sizes", [(1,), (2, 5), (100,)])
def test_a_stream_comes_to_what_the_whole_answer_is(sizes: tuple[int, ...]) -> None:
    with Loopback(saying("Grüße, 안녕, 🙂!", sizes)) as server:
        found, events = ask(server), listen(server)
    assert isinstance(found, Response)
    assert isinstance(events[-1], Finished)
    assert events[-1].response.message == found.message
    assert events[-1].response.usage == found.usage
    assert server.requests[1].json["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/v1?region=eu"])
def test_an_endpoint_is_found_by_any_of_its_addresses(ending: str) -> None:
    with Loopback(whole()) as server:
        base = server.url.removesuffix("/v1") + ending
        InferenceClientModel("org/name", base_url=base, token=TOKEN)("hi")
        InferenceClientModel(base, token=TOKEN)("hi")
    path = "/v1/chat/completions" + ("?region=eu" if "?" in ending else "")
    assert [seen.path for seen in server.requests] == [path] * 2
    assert [seen.json["model"] for seen in server.requests] == ["org/name", "dummy"]  # as the SDK calls it


def test_a_model_that_is_not_named_is_the_default() -> None:
    with Loopback(whole()) as server:
        InferenceClientModel(base_url=server.url, token=TOKEN, requests_per_minute=6_000_000)("hi")
    assert server.requests[0].json["model"] == DEFAULT == "Qwen/Qwen3-Next-80B-A3B-Thinking"


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_a_server_that_answers_whole_when_asked_for_a_stream_is_understood(kind: str) -> None:
    with Loopback(Answer(headers={"content-type": kind}, body=whole("Hello!").body)) as server:
        events = listen(server)
    assert events[0] == TextDelta("Hello!")
    assert isinstance(events[-1], Finished)


def test_a_connection_that_breaks_after_the_finish_reason_breaks_nothing() -> None:
    for then in ("reset", "cut", "stall"):
        with Loopback(streamed(chunk({"content": "Hi"}), chunk(finish="stop"), then=then)) as server:
            events = listen(server, timeout=0.2 if then == "stall" else 60.0)
        assert isinstance(events[-1], Finished), events
        assert events[-1].response.content == "Hi"


@pytest.mark.parametrize("sizes", [(1,), (2,), (50,)])
def test_a_stop_is_enforced_where_the_server_ignores_it(sizes: tuple[int, ...]) -> None:
    with Loopback(saying("one STOP two", sizes)) as server:
        found, events = ask(server, SAYS), listen(server, SAYS)
    assert isinstance(found, Response)
    assert (found.content, found.stopped_by, found.finish_reason) == ("one ", "STOP", "stop")
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.response.message, last.response.stopped_by) == (found.message, "STOP")
    assert server.requests[0].json["stop"] == ["STOP"]


def test_at_most_four_stops_are_sent_and_all_are_enforced() -> None:
    request = Request([Message("user", "hi")], ["1", "2", "3", "4", "five"])
    with Loopback(saying("one five two")) as server:
        found = ask(server, request)
        ask(server, request, capabilities=Capabilities(max_stops=None))
    assert [seen.json["stop"] for seen in server.requests] == [["1", "2", "3", "4"], ["1", "2", "3", "4", "five"]]
    assert isinstance(found, Response)
    assert (found.content, found.stopped_by) == ("one ", "five")


def test_a_stop_drops_the_connection_at_once() -> None:
    with Loopback(streamed(*[chunk({"content": "a STOP b"})] * 3, then="stall")) as server:
        events = listen(server, SAYS)
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


def test_an_injected_client_is_used_as_it_is() -> None:
    async def main(server: Loopback) -> list[object]:
        from huggingface_hub import AsyncInferenceClient

        settings: dict[str, Any] = {"headers": {"x-mine": "yes"}, "cookies": {"a": "b"}, "bill_to": "acme"}
        async with AsyncInferenceClient(base_url=server.url, token=TOKEN, timeout=0.3, **settings) as client:
            subject = InferenceClientModel("org/name", client=client)
            answer = (await subject.generate(HI)).unwrap().content
            events = await heard(subject.stream(HI))
            return [answer, isinstance(events[-1], Finished), (await subject.generate(HI)).failure().kind]

    with Loopback(saying("Hello!"), saying("Hello!"), Answer(0, then="stall")) as server:
        assert asyncio.run(main(server)) == ["Hello!", True, "timeout"]
    headers = server.requests[0].headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert (headers["x-mine"], headers["cookie"], headers["x-hf-bill-to"]) == ("yes", "a=b", "acme")


def test_a_client_of_somebody_else_is_left_open() -> None:
    from huggingface_hub import AsyncInferenceClient

    async def main(server: Loopback) -> str:
        async with AsyncInferenceClient(base_url=server.url, token=TOKEN) as client:
            for _ in range(2):
                subject = InferenceClientModel("org/name", client=client)
                (await subject.generate(HI)).unwrap()
                await subject.transport.close()
            said = await client.chat_completion([{"role": "user", "content": "hi"}], model="org/name")
            return str(said.choices[0].message.content)

    with Loopback(whole("Hello!")) as server:
        assert asyncio.run(main(server)) == "Hello!"


def test_an_injected_client_is_sent_nowhere_else_either() -> None:
    async def main(server: Loopback) -> ModelError:
        from huggingface_hub import AsyncInferenceClient

        async with AsyncInferenceClient(base_url=server.url, token=TOKEN) as client:
            return (await InferenceClientModel("org/name", client=client).generate(HI)).failure()

    with Loopback(whole()) as other, Loopback(Answer(307, {"location": f"{other.url}/chat/completions"})) as server:
        assert asyncio.run(main(server)).status == 307
    assert other.requests == []


def test_a_transport_brings_its_own_bounds() -> None:
    with Loopback(whole("Hello!")) as server:
        found = failed(server, transport=HttpTransport(bounds=Bounds(answer=20)))
    assert (found.kind, found.message.partition("; ")[0]) == (
        ErrorKind.MALFORMED_RESPONSE,
        "the answer is larger than 20 bytes",
    )


def test_an_address_is_quoted_where_it_is_not_yet() -> None:
    with Loopback(whole()) as server:
        base = server.url.removesuffix("/v1")
        for path in ("/a b/ü", "/a%20b/%C3%BC"):
            InferenceClientModel("m", base_url=base + path + "?of=ü b", token=TOKEN)("hi")
    assert [seen.path for seen in server.requests] == ["/a%20b/%C3%BC/v1/chat/completions?of=%C3%BC%20b"] * 2


def test_options_meet_and_the_call_wins() -> None:
    with Loopback(whole()) as server:
        subject = model(server, temperature=0.2, seed=7, max_tokens=9)
        subject("hi", temperature=0.9, seed=OMIT, logit_bias={50256: 2}, extra_body={"guided": True}, top_p=None)
        subject("hi", max_new_tokens=5, extra_headers={"X-A": Env("HOME")}, timeout=3)
    first, second = server.requests
    messages = [{"role": "user", "content": "hi"}]
    assert first.json == {
        "model": "org/name",
        "messages": messages,
        "temperature": 0.9,
        "max_tokens": 9,
        "logit_bias": {"50256": 2},
        "guided": True,
        "top_p": None,
        "stream": False,
    }
    said = {"messages": messages, "stream": False}
    assert second.json == {"model": "org/name", **said, "temperature": 0.2, "seed": 7, "max_tokens": 5}
    assert second.headers["x-a"] == os.environ["HOME"]


def test_a_query_goes_into_the_address_beside_the_one_that_stands_there() -> None:
    with Loopback(saying("Hello!")) as server:
        subject = model(server, extra_query={"tier": "fast"})
        subject("hi")
        InferenceClientModel("m", base_url=server.url + "?region=eu", token=TOKEN)("hi", extra_query={"a": Env("HOME")})
    one, two = server.requests
    assert one.path == "/v1/chat/completions?tier=fast"
    assert two.path.startswith("/v1/chat/completions?region=eu&a=")
    assert one.json == {"model": "org/name", "messages": [{"role": "user", "content": "hi"}], "stream": False}


def test_a_header_of_none_is_not_sent() -> None:
    with Loopback(whole()) as server:
        model(server, headers={"authorization": None})("hi")
    assert "authorization" not in server.requests[0].headers


def test_headers_cookies_and_the_bill_go_along() -> None:
    with Loopback(whole()) as server:
        model(server, bill_to="acme", headers={"X-Mine": "yes"}, cookies={"a": "b", "c": "d"})("hi")
        model(server, client_kwargs={"headers": {"X-Mine": "yes"}, "cookies": {"a": "b"}})("hi")
    one, two = (seen.headers for seen in server.requests)
    assert (one["x-hf-bill-to"], one["x-mine"], one["cookie"]) == ("acme", "yes", "a=b; c=d")
    assert (two["x-mine"], two["cookie"]) == ("yes", "a=b")


def test_what_one_call_says_is_not_said_by_the_next() -> None:
    schema = JsonSchema({"type": "object"}, "any")
    with Loopback(whole()) as server:
        subject = model(server)
        for _ in range(2):
            subject("hi", extra_headers={"x-once": "yes"})
            subject("hi", response_format=schema)
            subject("hi")
    assert ["x-once" in seen.headers for seen in server.requests] == [True, False, False] * 2
    kinds = [seen.json.get("response_format", {}).get("type") for seen in server.requests]
    assert kinds == [None, "json_schema", None] * 2


def test_a_server_of_ones_own_is_asked_as_every_other_however_its_address_is_said() -> None:
    from huggingface_hub import AsyncInferenceClient

    schema = JsonSchema({"type": "object"}, "any")
    with Loopback(whole()) as server:
        InferenceClientModel(server.url, token=TOKEN)("hi", response_format=schema)
        client = AsyncInferenceClient(base_url=server.url, token=TOKEN)
        InferenceClientModel("org/name", client=client)("hi", response_format=schema)
        tgi = {"response_format": {"type": "json_object", "value": {"type": "object"}}}
        model(server)("hi", extra_body=tgi)
    assert [seen.json["response_format"]["type"] for seen in server.requests] == ["json_schema"] * 2 + ["json_object"]


def test_a_token_is_read_from_its_variable_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(whole()) as server:
        subject = model(server, token=Env("ROTATED"))
        for text in ("hf_one", "hf_two", "hf_two"):
            monkeypatch.setenv("ROTATED", text)
            subject("hi")
    told = [seen.headers["authorization"] for seen in server.requests]
    assert told == ["Bearer hf_one", "Bearer hf_two", "Bearer hf_two"]


def test_a_header_is_read_from_its_variable_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(whole()) as server:
        subject = model(server, headers={"x-key": Env("ROTATED")})
        for text in ("one", "two"):
            monkeypatch.setenv("ROTATED", text)
            subject("hi")
    assert [seen.headers["x-key"] for seen in server.requests] == ["one", "two"]


def test_tools_and_their_history_go_out_and_calls_come_in() -> None:
    schema = {"type": "object", "properties": {"city": {"type": ["string", "null"], "default": None}}}
    call = {"id": "c9", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bern"}'}}
    history = [
        Message("user", "weather?"),
        Message("assistant", ToolCall("c1", "weather", "{}")),
        Message("tool", ToolResult("c1", "rain")),
    ]
    with Loopback(whole(None, tool_calls=[call], finish="tool_calls")) as server:
        found = ask(server, Request(history, tools=[Tool("weather", "Tells.", schema)], tool_choice="weather"))
    assert isinstance(found, Response)
    assert [(call.id, call.name, call.input) for call in found.tool_calls] == [("c9", "weather", {"city": "Bern"})]
    sent = server.requests[0].json
    assert sent["tools"][0]["function"]["parameters"] == schema  # the SDK by hand would take the null out
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool"]


def test_a_schema_goes_out_as_it_is_and_other_forms_are_not_sent() -> None:
    schema = {"type": "object", "properties": {"end": {"const": None}}}
    says = [Message("user", "hi")]
    with Loopback(whole()) as server:
        ask(server, Request(says, response_format=JsonSchema(schema, "ends")))
        ask(server, Request(says, response_format=JsonObject()))
        found = ask(server, Request(says, response_format=Regex("a+")))
        sealed = ask(server, Request(says, response_format=JsonSchema({"const": object()})))
    one, two = (seen.json["response_format"] for seen in server.requests)
    assert one == {"type": "json_schema", "json_schema": {"name": "ends", "schema": schema, "strict": True}}
    assert two == {"type": "json_object"}
    assert isinstance(found, ModelError)
    assert (found.kind, found.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert isinstance(sealed, ModelError)
    assert (sealed.kind, sealed.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)


def test_an_image_goes_out_with_its_own_media_type() -> None:
    picture = Image(data=b"\xff\xd8\xff\xe0", media_type="image/jpeg")
    with Loopback(whole()) as server:
        ask(server, Request([Message("user", [picture])]))
    (part,) = server.requests[0].json["messages"][0]["content"]
    assert part == {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/4A=="}}


def test_reasoning_arrives_whole_and_streamed() -> None:
    pieces = [chunk({"reasoning": "Two and "}), chunk({"reasoning": "two."}), chunk({"content": "Four."}, "stop"), DONE]
    with Loopback(whole("Four.", reasoning_content="Two and two."), streamed(*pieces)) as server:
        found, events = ask(server), listen(server)
    assert isinstance(found, Response)
    assert (found.reasoning, found.content) == ("Two and two.", "Four.")
    assert events[:2] == [ReasoningDelta("Two and "), ReasoningDelta("two.")]
    assert isinstance(events[-1], Finished)
    assert events[-1].response.message == found.message


def test_roles_are_exchanged_and_content_is_flattened() -> None:
    says = Request([Message("system", "Be brief."), Message("user", [Text("one"), Text("two")])])
    with Loopback(whole()) as server:
        ask(server, says, custom_role_conversions={"system": "user"}, flatten_messages_as_text=True)
        found = ask(server, Request([Message("user", [Image(data=b"x")])]), flatten_messages_as_text=True)
    assert server.requests[0].json["messages"] == [{"role": "user", "content": "Be brief.\none\ntwo"}]
    assert isinstance(found, ModelError)
    assert (found.kind, found.sent, len(server.requests)) == (ErrorKind.UNSUPPORTED, Sent.NO, 1)


def test_what_a_model_cannot_do_is_not_sent() -> None:
    with Loopback(whole()) as server:
        tools = ask(server, Request([Message("user", "hi")], tools=[Tool("t")]), capabilities=Capabilities())
        half = ask(server, Request([Message("user", "half \ud83d")]))
        huge = ask(server, Request([Message("user", "hi")], options={"metadata": {"a": object()}}))
    assert [found.kind for found in (tools, half, huge) if isinstance(found, ModelError)] == [
        ErrorKind.UNSUPPORTED,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.INVALID_REQUEST,
    ]
    assert server.requests == []


def test_a_refused_stop_says_what_to_declare() -> None:
    refusal = {"message": "Unsupported parameter: 'stop'", "param": "stop", "code": "unsupported_parameter"}
    with Loopback(body({"error": refusal}, 400)) as server:
        found = failed(server)
    assert found.kind == ErrorKind.UNSUPPORTED
    assert "max_stops=0" in found.message


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model_id": ""}, "model_id"),
        ({"base_url": "localhost:8000"}, "base_url"),
        ({"base_url": 7}, "base_url"),
        ({"base_url": "HTTP://127.0.0.1:8080"}, "base_url"),  # to the SDK the name of a model, which the router serves
        ({"base_url": "http://me:pw@h/v1"}, "token="),
        ({"model_id": "http://h/v1?api_key=pw"}, "token="),
        ({"extra_headers": [1]}, "extra_headers"),
        ({"base_url": "http://h", "provider": "novita"}, "novita"),
        ({"model_id": "http://h", "provider": "novita"}, "novita"),
        ({"model_id": "http://h", "base_url": "http://i"}, "two addresses"),
        ({"token": "a", "api_key": "b"}, "keep one"),
        ({"token": True}, "token"),
        ({"token": ""}, "stored login"),
        ({"api_key": " "}, "stored login"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "5"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"provider": 7}, "provider is text"),
        ({"bill_to": 7}, "bill_to is text"),
        ({"headers": [("a", "b")]}, "headers is a dict"),
        ({"headers": {1: "a"}}, "headers: names and values"),
        ({"headers": {"a": 1}}, "headers: names and values"),
        ({"cookies": "a=b"}, "cookies is a dict"),
        ({"cookies": {"a": 1}}, "cookies: names and values"),
        ({"client_kwargs": ["x"]}, "client_kwargs is a dict"),
        ({"client_kwargs": {"headers": "x"}}, "headers is a dict"),
        ({"capabilities": {"tools": True}}, "capabilities is"),
        ({"flatten_messages_as_text": "no"}, "flatten_messages_as_text is"),
        ({"client_kwargs": {"token": "x"}}, "token"),
        ({"client_kwargs": {"headers": {}}, "headers": {"a": "b"}}, "headers"),
        ({"client_kwargs": {"trust_env": True}}, "client_kwargs: 'trust_env' is no argument"),
        ({"transport": object()}, "HttpTransport"),
        ({"client": object(), "transport": HttpTransport()}, "leave them out"),
        ({"client": object()}, "AsyncInferenceClient"),
        ({"client": object(), "token": "x"}, "token"),
        ({"custom_role_conversions": {"system": "nobody"}}, "nobody"),
        ({"requests_per_minute": 0}, "must be"),
        ({"temperature": float("nan")}, "temperature"),
        ({"stop": ["x"]}, "stop_sequences"),
    ],
)
def test_a_mistake_is_named_at_construction(fields: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says):
        InferenceClientModel(**{"model_id": "org/name", **fields})


def test_a_client_of_another_model_or_of_the_other_kind_is_a_mistake() -> None:
    from huggingface_hub import AsyncInferenceClient, InferenceClient

    with pytest.raises(ValueError, match="org/other"):
        InferenceClientModel("org/name", client=AsyncInferenceClient("org/other", token="x"))
    with pytest.raises(TypeError, match="AsyncInferenceClient"):
        InferenceClientModel("org/name", client=InferenceClient(token="x"))


@pytest.mark.parametrize("package", ["aiohttp", "huggingface_hub", "orjson"])
def test_a_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "modelport.adapters.http.pool", raising=False)
    with Loopback(whole()) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.sent, last.error) == (ErrorKind.MISSING_DEPENDENCY, Sent.NO, found)
    assert "pip install 'modelport[huggingface]'" in found.message


def test_models_are_values() -> None:
    one, two = (InferenceClientModel("org/name", token=Env("A_TOKEN"), headers={"x": "y"}) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != InferenceClientModel("org/name", token="b", headers={"x": "y"})
    assert pickle.loads(pickle.dumps(one)) == one


def test_the_ledger_names_the_provider_that_was_chosen() -> None:
    with Loopback(error(500), whole()) as server:
        answer = compose(model(server), with_retry(attempts=2))("hi")
    assert [(attempt.provider, attempt.outcome) for attempt in answer.attempts] == [
        ("huggingface", "server"),
        ("huggingface", "answered"),
    ]
    assert InferenceClientModel("org/name", provider="novita").provider == "huggingface/novita"
    assert InferenceClientModel("org/name", provider="auto").provider == "huggingface"


def test_it_contacts_the_address_that_it_was_given_and_writes_nothing(tmp_path: Path) -> None:
    from phone_home import watched

    with Loopback(saying("Hi")) as server:
        make = (
            "from modelport.adapters.huggingface.model import InferenceClientModel as M\n"
            f"model = M('m', base_url={server.url!r}, token='none')"
        )
        did = watched(make, tmp_path / "home")
        assert did.answered
        assert set(did.contacts) == {str(("127.0.0.1", server.port))}
        assert set(did.names) <= {"127.0.0.1"}
        assert did.written == []
