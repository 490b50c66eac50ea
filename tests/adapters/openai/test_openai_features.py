"""What `OpenAIModel` sends and reads beyond plain text, over a real loopback server, whole and streamed."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
from loopback import DONE, USAGE, USED, Answer, Loopback, Seen, body, chunk, error, saying, sse, streamed, whole
from openai_calls import HI, KEY, ask, failed, failed_stream, listen, model

from modelport.adapters import OpenAIModel
from modelport.adapters.process.secret import Env
from modelport.domain.capability import Capabilities
from modelport.domain.error import ErrorKind, ModelError, Sent
from modelport.domain.event import Finished, ReasoningDelta, TextDelta
from modelport.domain.message import Audio, Document, Image, Message, Text, ToolCall, ToolResult
from modelport.domain.options.option import OMIT
from modelport.domain.request import Request
from modelport.domain.response import FinishReason, Response
from modelport.domain.usage import Usage


def finished(server: Loopback, request: Request = HI, **fields: Any) -> Response:
    *_, last = listen(server, request, **fields)
    assert isinstance(last, Finished), last
    return last.response


def answered(server: Loopback, request: Request = HI, **fields: Any) -> Response:
    found = ask(server, request, **fields)
    assert isinstance(found, Response), found
    return found


def failed_with(server: Loopback, request: Request, **fields: Any) -> ModelError:
    found = ask(server, request, **fields)
    assert isinstance(found, ModelError), found
    return found


def both(message: dict[str, Any], *deltas: dict[str, Any], finish: str = "stop", **choice: Any) -> Any:
    """A server that says this message whole, or these deltas when it is asked for a stream."""

    def answer(seen: Seen) -> Answer:
        if seen.json.get("stream"):
            return streamed(*map(chunk, deltas), chunk(finish=finish), USED, DONE)
        said = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **choice}
        return body({"id": "c1", "object": "chat.completion", "model": "m-1", "choices": [said], "usage": USAGE})

    return answer


# Who is asking, and where


def test_the_organization_and_the_project_are_headers() -> None:
    with Loopback(whole()) as server:
        answered(server, organization="org-1", project="proj-1")
        answered(server)
    first, second = (seen.headers for seen in server.requests)
    assert (first["openai-organization"], first["openai-project"]) == ("org-1", "proj-1")
    assert {"openai-organization", "openai-project"}.isdisjoint(second)


def test_nothing_goes_where_it_is_sent_on_to() -> None:
    with Loopback(whole()) as other:
        elsewhere = f"{other.url}/chat/completions"
        with Loopback(Answer(307, {"location": elsewhere})) as server:
            found, last = failed(server, extra_headers={"x-api-key": KEY}), failed_stream(server)
        assert other.requests == []
    assert (found.kind, found.status, last.error) == (ErrorKind.NOT_FOUND, 307, found)
    assert found.message == f"{server.url}: HTTP status 307: the address is now {elsewhere}, which isn't followed"


def test_api_base_is_another_name_of_base_url() -> None:
    assert OpenAIModel("m", api_base="http://h/v1") == OpenAIModel("m", base_url="http://h/v1")
    with Loopback(whole()) as server:
        assert OpenAIModel("m", api_base=server.url, api_key=KEY)("hi").content == "Hello!"


def test_the_environment_may_say_where_and_for_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OPENAI_ORG_ID", "org-1"), ("OPENAI_PROJECT_ID", "proj-1"), ("OPENAI_API_KEY", KEY)):
        monkeypatch.setenv(name, value)
    with Loopback(whole()) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/")
        assert OpenAIModel("m")("hi").content == "Hello!"
    headers = server.requests[0].headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")
    assert (server.requests[0].path, headers["authorization"]) == ("/v1/chat/completions", f"Bearer {KEY}")
    monkeypatch.setenv("OPENAI_BASE_URL", "my-server")
    found = asyncio.run(OpenAIModel("m").generate(HI)).failure()
    assert (found.kind, found.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)
    assert found.message == "OPENAI_BASE_URL is an address such as 'http://127.0.0.1:8000/v1', not 'my-server'"


def test_what_is_in_client_kwargs_reaches_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_HEADER", "from the environment")
    kwargs = {"default_headers": {"x-a": "b", "x-secret": Env("MY_HEADER")}, "default_query": {"c": "d"}}
    with Loopback(whole()) as server:
        answered(server, client_kwargs=kwargs)
    seen = server.requests[0]
    assert (seen.headers["x-a"], seen.headers["x-secret"]) == ("b", "from the environment")
    assert seen.path == "/v1/chat/completions?c=d"


def test_a_key_may_be_the_name_of_a_variable_which_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(whole()) as server:
        subject = model(server, api_key=Env("MY_KEY"))
        assert "MY_KEY" not in repr(subject)
        for key in ("one", "two"):
            monkeypatch.setenv("MY_KEY", key)
            subject("hi")
        monkeypatch.delenv("MY_KEY")
        found, last = failed(server, api_key=Env("MY_KEY")), failed_stream(server, api_key=Env("MY_KEY"))
    assert [seen.headers["authorization"] for seen in server.requests] == ["Bearer one", "Bearer two"]
    assert (found.kind, found.sent, last.error) == (ErrorKind.AUTHENTICATION, Sent.NO, found)
    assert found.message == "the environment variable MY_KEY isn't set"


def test_a_variable_may_stand_anywhere_in_the_body_and_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    mine: dict[str, Any] = {
        "extra_body": {"data_sources": [{"key": Env("MY_KEY")}]},
        "extra_headers": {"x-mine": Env("MY_KEY")},
    }

    def quoting(seen: Seen) -> Answer:
        return error(400, None, f"{seen.headers['x-mine']} {seen.json['data_sources']}")

    with Loopback(quoting) as server:
        found, last = failed(server, api_key="none", **mine), failed_stream(server, api_key="none", **mine)
    assert server.requests[0].json["data_sources"] == [{"key": KEY}]
    assert (found.message, last.error) == ("*** [{'key': '***'}]", found)


def test_a_header_of_the_call_beats_a_key_that_is_asked_for() -> None:
    with Loopback(whole()) as server:
        answered(server, api_key=lambda: "unused", extra_headers={"authorization": "Bearer mine"})
        answered(server, api_key=lambda: "unused", client_kwargs={"default_headers": {"authorization": "Bearer mine"}})
    assert [seen.headers["authorization"] for seen in server.requests] == ["Bearer mine"] * 2


def test_calls_are_paced() -> None:
    with Loopback(saying("Hello!")) as server:
        subject = model(server, requests_per_minute=6000)

        async def main() -> list[Any]:
            first = (await subject.generate(HI)).unwrap()
            return [first, *[event async for event in subject.stream(HI)]]

        first, *_, last = asyncio.run(main())
    assert [attempt.outcome for attempt in first.attempts] == ["answered"]
    assert isinstance(last, Finished)
    assert (last.response.attempts[0].provider, last.response.attempts[0].model_id) == ("openai", "gpt-4o")


# What is sent


def test_pictures_sounds_and_documents_go_as_they_are() -> None:
    parts = [
        Text("what is this?"),
        Image(b"\x89PNG\r\n", detail="low"),
        Image(url="https://h/x.jpg"),
        Image(b"GIF89a", media_type="image/gif"),
        Audio(b"RIFF", media_type="audio/wav"),
        Audio(b"ID3", media_type="audio/mpeg"),
        Document(b"%PDF", name="a.pdf"),
    ]
    with Loopback(whole()) as server:
        answered(server, Request([Message("user", parts)]))
    text, png, jpeg, gif, wav, mp3, pdf = server.requests[0].json["messages"][0]["content"]
    assert text == {"type": "text", "text": "what is this?"}
    assert png["image_url"]["detail"] == "low"
    assert base64.b64decode(png["image_url"]["url"].removeprefix("data:image/png;base64,")) == b"\x89PNG\r\n"
    assert jpeg["image_url"] == {"url": "https://h/x.jpg"}
    assert gif["image_url"]["url"].startswith("data:image/gif;base64,")
    assert wav["input_audio"] == {"data": "UklGRg==", "format": "wav"}
    assert mp3["input_audio"] == {"data": "SUQz", "format": "mp3"}
    assert pdf["file"]["filename"] == "a.pdf"


def test_media_that_a_model_cannot_take_are_not_sent() -> None:
    with Loopback(whole()) as server:
        found = ask(server, Request([Message("user", Image(b"x"))]), capabilities=Capabilities())
    assert isinstance(found, ModelError)
    assert (found.kind, found.sent, server.requests) == (ErrorKind.UNSUPPORTED, Sent.NO, [])


def test_roles_may_be_others_where_the_model_knows_others() -> None:
    request = Request([Message("system", "be brief"), Message("user", "hi")])
    with Loopback(whole()) as server:
        answered(server, request, custom_role_conversions={"system": "user"})
    (message,) = server.requests[0].json["messages"]  # of one role now, and so one turn
    assert message["role"] == "user"
    assert [part["text"] for part in message["content"]] == ["be brief", "hi"]


def test_content_may_be_flattened_to_text() -> None:
    with Loopback(whole()) as server:
        answered(server, Request([Message("user", [Text("one"), Text("two")])]), flatten_messages_as_text=True)
        found = ask(server, Request([Message("user", [Text("x"), Image(b"x")])]), flatten_messages_as_text=True)
    assert server.requests[0].json["messages"] == [{"role": "user", "content": "one\ntwo"}]
    assert isinstance(found, ModelError)
    assert (found.kind, found.sent, len(server.requests)) == (ErrorKind.UNSUPPORTED, Sent.NO, 1)
    assert "messages[0].content[1]" in found.message


@pytest.mark.parametrize("model_id", ["o1", "o3-mini", "o4-mini", "openai/gpt-5-mini", "my-gpt-5-deploy", "gpt5.1"])
def test_models_that_reason_get_max_completion_tokens(model_id: str) -> None:
    with Loopback(whole()) as server:
        answered(server, model_id=model_id, max_tokens=9)
    assert server.requests[0].json["max_completion_tokens"] == 9
    assert "max_tokens" not in server.requests[0].json


def test_a_name_of_ones_own_may_say_which_model_it_is() -> None:
    request = Request([Message("user", "hi")], ["STOP"], options={"max_tokens": 9})
    with Loopback(saying("one STOP two")) as server:
        assert answered(server, request, model_id="fast", base_model="gpt-5-mini").content == "one "
        answered(server, request, model_id="gpt-5-proxy", base_model="gpt-4o")
    first, second = (seen.json for seen in server.requests)
    assert (first["model"], first["max_completion_tokens"], "stop" in first) == ("fast", 9, False)
    assert (second["model"], second["max_tokens"], second["stop"]) == ("gpt-5-proxy", 9, ["STOP"])


def refusing(param: str, code: str, message: str) -> Any:
    """A model that refuses this argument, as OpenAI's models that reason do."""

    def answer(seen: Seen) -> Answer:
        if param in seen.json:
            refusal = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
            return body({"error": refusal}, 400)
        return saying("Hello!")(seen)

    return answer


ONLY_ONE = (
    "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."
)


def test_a_temperature_that_a_model_refuses_is_an_error_which_names_the_way_out() -> None:
    with Loopback(refusing("temperature", "unsupported_value", ONLY_ONE)) as server:
        found, last = (
            failed(server, model_id="o3", temperature=0.2),
            failed_stream(server, model_id="o3", temperature=0.2),
        )
        dropped = answered(server, model_id="o3", temperature=0.2, drop_options=["temperature"])
        omitted = answered(server, Request(HI.messages, options={"temperature": OMIT}), model_id="o3", temperature=0.2)
        listed = finished(server, Request(HI.messages, options={"temperature": 0.2}), drop_options="temperature")
    assert (found.kind, last.error) == (ErrorKind.UNSUPPORTED, found)
    remedy = "take it away: temperature=OMIT in the call, or drop_options=['temperature'] for every call"
    assert found.message == f"{ONLY_ONE} ({remedy})"
    assert dropped.content == omitted.content == listed.content == "Hello!"
    assert server.requests[0].json["temperature"] == 0.2


def test_options_are_dropped_under_all_of_their_names() -> None:
    with Loopback(whole()) as server:
        answered(server, drop_options=["max_new_tokens", "top_p"], max_tokens=9, top_p=0.5, seed=7)
    messages = [{"role": "user", "content": "hi"}]
    assert server.requests[0].json == {"model": "gpt-4o", "messages": messages, "seed": 7, "stream": False}


def test_a_limit_of_tokens_under_the_wrong_name_says_whose_fact_it_is() -> None:
    words = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    with Loopback(refusing("max_tokens", "unsupported_parameter", words)) as server:
        found = failed(server, model_id="fast", max_tokens=9)
    assert found.kind == ErrorKind.UNSUPPORTED
    assert "base_model='gpt-5'" in found.message


def test_stream_options_that_a_server_does_not_know_are_an_error_which_names_the_way_out() -> None:
    words = "Unrecognized request argument supplied: stream_options"

    def old(seen: Seen) -> Answer:
        refusal = body({"error": {"message": words, "type": "invalid_request_error", "param": None, "code": None}}, 400)
        return refusal if "stream_options" in seen.json else saying("Hello!")(seen)

    with Loopback(old) as server:
        assert answered(server).content == "Hello!"
        last = failed_stream(server)
        assert finished(server, stream_options=OMIT).content == "Hello!"
    assert last.error.kind == ErrorKind.UNSUPPORTED
    assert last.error.message.startswith(f"{words} (take it away: stream_options=OMIT")


def test_what_is_refused_without_being_an_option_has_no_remedy() -> None:
    for param in ("messages[0].content", "tools", "messages", None):
        refusal = {"message": "no", "param": param, "code": "unsupported_value"}
        with Loopback(body({"error": refusal}, 400)) as server:
            found = failed(server)
        assert (found.kind, found.message) == (ErrorKind.UNSUPPORTED, "no")


def test_reasoning_goes_back_where_a_server_wants_it() -> None:
    words = "Missing `reasoning_content` field in the assistant message at message index 1."

    def strict(seen: Seen) -> Answer:
        history = [message for message in seen.json["messages"] if message["role"] == "assistant"]
        if any("reasoning_content" not in message for message in history):
            return body({"error": {"message": words, "type": "invalid_request_error", "param": None}}, 400)
        call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        return both({"content": None, "reasoning_content": "hm", "tool_calls": [call]}, finish="tool_calls")(seen)

    with Loopback(strict) as server:
        first = answered(server)
        history = [*HI.messages, first.message, Message("tool", ToolResult("a", "x")), Message("assistant", "so")]
        told = failed_with(server, Request(history))
        answered(server, Request(history), reasoning_name="reasoning_content")
    assert told.kind == ErrorKind.INVALID_REQUEST
    assert told.message == f"{words} (send it back: OpenAIModel(..., reasoning_name='reasoning_content'))"
    sent = server.requests[-1].json["messages"]
    assert [message.get("reasoning_content") for message in sent] == [None, "hm", None, ""]


# What is read


def test_a_refusal_is_the_text_and_the_answer_was_filtered() -> None:
    script = both({"content": None, "refusal": "I won't."}, {"refusal": "I "}, {"refusal": "won't."})
    with Loopback(script) as server:
        found = answered(server)
        assert finished(server) == found
    assert (found.content, found.finish_reason) == ("I won't.", FinishReason.CONTENT_FILTER)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_read_where_a_server_sends_it(name: str) -> None:
    script = both(
        {name: "hm, hm", "content": "Four."}, {name: "hm, "}, {name: "hm", "content": None}, {"content": "Four."}
    )
    with Loopback(script) as server:
        found, events = answered(server), listen(server)
    assert (found.reasoning, found.content) == ("hm, hm", "Four.")
    assert events == [ReasoningDelta("hm, "), ReasoningDelta("hm"), TextDelta("Four."), Finished(found)]


def token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}


def test_log_probabilities_stand_in_raw_whole_and_streamed() -> None:
    tokens = [token("Hel", -0.1), token("lo", -0.2), token("!", -0.3)]
    plain = {"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}
    pieces = [
        sse({"id": "c1", "model": "m-1", "system_fingerprint": "fp", "choices": [
            {"index": 0, "delta": {"content": piece["token"]}, "logprobs": {"content": [piece], "refusal": None}}
        ]})
        for piece in tokens
    ]  # fmt: skip
    answer = {**plain, "logprobs": {"content": tokens, "refusal": None}}

    def script(seen: Seen) -> Answer:
        assert (seen.json["logprobs"], seen.json["top_logprobs"]) == (True, 2)
        if seen.json.get("stream"):
            return streamed(*pieces, chunk(finish="stop", system_fingerprint="fp"), USED, DONE)
        return body({"id": "c1", "model": "m-1", "system_fingerprint": "fp", "choices": [answer], "usage": USAGE})

    with Loopback(script) as server:
        found = answered(server, logprobs=True, top_logprobs=2)
        last = finished(server, logprobs=True, top_logprobs=2)
    assert last == found
    for response in (found, last):
        assert response.raw["choices"][0]["logprobs"]["content"] == tokens
        assert response.raw["choices"][0]["finish_reason"] == "stop"
        assert (response.raw["system_fingerprint"], response.raw["usage"]) == ("fp", USAGE)


def piece(id: Any, name: Any, arguments: str, *index: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    return {**({"index": index[0]} if index else {}), **({"id": id} if id else {}), "function": function}


PARALLEL: dict[str, list[list[dict[str, Any]]]] = {
    "by the book": [[piece("a", "f", '{"x"', 0)], [piece(None, None, ":1}", 0)], [piece("b", "f", "{}", 1)]],
    "equal index": [[piece("a", "f", '{"x"', 0)], [piece(None, None, ":1}", 0)], [piece("b", "f", "{}", 0)]],
    "missing index": [[piece("a", "f", '{"x"')], [piece(None, None, ":1}")], [piece("b", "f", "{}")]],
    "null index": [[piece("a", "f", '{"x"', None)], [piece(None, None, ":1}", None)], [piece("b", "f", "{}", None)]],
    "in one chunk": [[piece("a", "f", '{"x":1}', 0), piece("b", "f", "{}", 1)]],
}  # fmt: skip


@pytest.mark.parametrize("how", PARALLEL)
def test_parallel_calls_of_tools_are_told_apart_in_a_stream(how: str) -> None:
    calls = [{"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}}
             for id, arguments in (("a", '{"x":1}'), ("b", "{}"))]  # fmt: skip
    deltas = [{"tool_calls": pieces} for pieces in PARALLEL[how]]
    with Loopback(both({"content": None, "tool_calls": calls}, *deltas, finish="tool_calls")) as server:
        found = answered(server)
        assert finished(server) == found
    assert found.tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "f", "{}"))


def test_usage_that_grows_from_event_to_event_is_its_last() -> None:
    pieces = [
        chunk({"content": "x"}, usage={"prompt_tokens": 9, "completion_tokens": count, "total_tokens": 9 + count})
        for count in (1, 2, 3)
    ]
    with Loopback(streamed(*pieces, chunk(finish="stop"), DONE)) as server:
        assert finished(server).usage == Usage(9, 3)


def test_a_stop_found_here_keeps_the_usage_that_has_come_already() -> None:
    request = Request([Message("user", "hi")], ["STOP"])
    grown = chunk({"content": "one "}, usage={"prompt_tokens": 9, "completion_tokens": 1})
    with Loopback(streamed(grown, chunk({"content": "STOP two"}), then="stall")) as server:
        assert finished(server, request).usage == Usage(9, 1)
    at_once = chunk({"content": "one STOP two"}) + chunk(finish="length") + USED + DONE
    with Loopback(streamed(at_once)) as server:
        response = finished(server, request)
    assert (response.content, response.finish_reason, response.usage) == ("one ", FinishReason.STOP, Usage(7, 3))


def test_what_comes_after_a_stop_can_break_nothing() -> None:
    after = sse({"error": {"message": "no"}}) + sse([1]) + b"data: {broken\n\n" + chunk({"content": "more"})
    with Loopback(streamed(chunk({"content": "one STOP"}) + after)) as server:
        response = finished(server, Request([Message("user", "hi")], ["STOP"]))
    assert (response.content, response.stopped_by, response.usage) == ("one ", "STOP", None)


def test_a_history_of_everything_is_sent_as_the_wire_wants_it() -> None:
    history = [
        Message("system", "be brief"),
        Message("user", [Text("look"), Image(b"x")]),
        Message("assistant", [Text("I look."), ToolCall("a", "look", "{}"), ToolCall("b", "look", "{}")]),
        Message("tool", ToolResult("a", "a cat")),
        Message("tool", ToolResult("b", "a dog", is_error=True)),
    ]
    with Loopback(whole("Two animals.")) as server:
        answered(server, Request(history))
    sent = server.requests[0].json["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool", "tool"]
    assert [call["id"] for call in sent[2]["tool_calls"]] == ["a", "b"]
    assert [(m["tool_call_id"], m["content"]) for m in sent[3:]] == [("a", "a cat"), ("b", "Error: a dog")]
