"""What servers of the chat-completions wire really send, reduced to the bytes that matter, and what comes of it.

The next report is one more row: whole, streamed, or a refusal.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import attrs
import pytest
from loopback import DONE, Answer, Loopback, body, chunk, error, sse, streamed

from modelport import Failed, Finished, ModelError, Response, ToolCall, Usage, as_request
from modelport.adapters import AnthropicModel, GeminiModel, OpenAIModel

pytestmark = pytest.mark.needs("openai")
HI = as_request("Hi")
STOP = chunk(finish="stop")
CALLS = chunk(finish="tool_calls")


def asked(answer: Answer, *, stream: bool, **options: Any) -> Response | tuple[ModelError, Response | None]:
    """The answer; or the error, and what had come before it."""

    async def main(url: str) -> Any:
        model = OpenAIModel("m", base_url=url, api_key="none", **options)
        if not stream:
            result = await model.generate(HI)
            return result.map(lambda response: response).value_or(None) or (result.failure(), None)
        *_, last = [event async for event in model.stream(HI)]
        if isinstance(last, Finished):
            return last.response
        assert isinstance(last, Failed)
        return last.error, last.partial

    with Loopback(answer) as server:
        return asyncio.run(main(server.url))  # type: ignore[no-any-return]


def said(**message: Any) -> Answer:
    """A whole answer with this message."""
    return body({"choices": [{"message": message, "finish_reason": "stop"}]})


def d(**delta: Any) -> bytes:
    """A chunk with this delta."""
    return chunk(delta)


def piece(index: Any = None, id: str | None = None, name: str | None = None, arguments: str = "") -> dict[str, Any]:
    """A piece of a call."""
    named = {} if name is None else {"name": name}
    own = {key: value for key, value in (("index", index), ("id", id)) if value is not None}
    return {**own, "function": {**named, "arguments": arguments}}


# Answers: what came, and the response's field that tells


def calls(response: Response) -> list[tuple[str, str]]:
    return [(call.name, call.arguments) for call in response.tool_calls]


def details(response: Response) -> Any:
    return [dict(each) for each in response.message.metadata["openai"]["reasoning_details"]]


SIGNED = [{"type": "reasoning.text", "index": 0, "text": text} for text in ("Let", " me")]
SIGNED += [{"type": "reasoning.text", "index": 0, "signature": "abc"}]
WHOLE_EVENT = sse(
    {"choices": [{"message": {"content": "Hi", "tool_calls": [piece(None, "a", "f", "{}")]}, "finish_reason": "stop"}]}
)
USED: Any = {"prompt_tokens": 9, "completion_tokens": 4}


def using(usage: Any) -> Answer:
    return body({"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage})


ANSWERS: dict[str, tuple[Answer, Any, Any]] = {
    "W1 fragments of reasoning are one entry": (
        streamed(*(d(reasoning_details=[each]) for each in SIGNED), d(content="x"), STOP),
        details,
        [{"type": "reasoning.text", "index": 0, "text": "Let me", "signature": "abc"}],
    ),
    "W1 whole, too": (
        said(content="x", reasoning_details=SIGNED),
        details,
        [{"type": "reasoning.text", "index": 0, "text": "Let me", "signature": "abc"}],
    ),
    "W3 pieces that name nothing go on with the open call": (
        streamed(
            d(tool_calls=[piece(0, "a", "w")]),
            d(tool_calls=[piece(1, arguments='{"x"')]),
            d(tool_calls=[piece(2, arguments=":1}")]),
            CALLS,
        ),
        calls,
        [("w", '{"x":1}')],
    ),
    "W3 a call without a name is none": (
        streamed(d(content="x"), d(tool_calls=[piece(0, "a", arguments="{}")]), STOP),
        calls,
        [],
    ),
    "W3 a call without a name is none, whole": (
        said(content="x", tool_calls=[piece(0, "a", arguments="{}")]),
        calls,
        [],
    ),
    "W3 a name may come after its arguments": (
        streamed(d(tool_calls=[piece(0, "a", arguments='{"x"')]), d(tool_calls=[piece(0, None, "w", ":1}")]), CALLS),
        calls,
        [("w", '{"x":1}')],
    ),
    "W5 usage of nulls": (using({"prompt_tokens": None, "completion_tokens": None}), lambda r: r.usage, None),
    "W5 usage of one null": (using({"prompt_tokens": None, "completion_tokens": 4}), lambda r: r.usage, None),
    "W5 usage with a total alone": (using({"total_tokens": 9}), lambda r: r.usage, None),
    "W5 usage whose total says the rest": (
        using({"prompt_tokens": 9, "total_tokens": 13}),
        lambda r: r.usage,
        Usage(9, 4),
    ),
    "W5 usage below zero": (using({"prompt_tokens": -1, "completion_tokens": -1}), lambda r: r.usage, None),
    "W5 usage in floats": (using({"prompt_tokens": 9.0, "completion_tokens": 4.0}), lambda r: r.usage, Usage(9, 4)),
    "W5 usage in halves": (using({"prompt_tokens": 9.5, "completion_tokens": 4}), lambda r: r.usage, None),
    "W5 usage with no number": (using([1]), lambda r: r.usage, None),
    "W9 events where a whole answer was asked for": (
        streamed(d(content="He"), d(content="llo"), STOP, DONE),
        lambda r: r.content,
        "Hello",
    ),
    "W10 a whole answer in one event": (
        streamed(WHOLE_EVENT, DONE),
        lambda r: (r.content, calls(r)),
        ("Hi", [("f", "{}")]),
    ),
    "W10 a whole answer after its deltas is said already": (
        streamed(d(content="Hi"), WHOLE_EVENT, DONE),
        lambda r: (r.content, calls(r)),
        ("Hi", []),
    ),
    "W11 an object where a list of calls should be": (
        streamed(d(tool_calls=piece(0, "a", "f", "{}")), CALLS),
        calls,
        [("f", "{}")],
    ),
    "W11 whole": (said(content="", tool_calls=piece(0, "a", "f", "{}")), calls, [("f", "{}")]),
    "W18 a byte order mark": (
        Answer(body=b"\xef\xbb\xbf" + said(content="Hi").body),
        lambda r: r.content,
        "Hi",
    ),
    "W18 a logprob of minus infinity": (
        Answer(body=said(content="Hi", note=0).body.replace(b'"note": 0', b'"logprob": -Infinity')),
        lambda r: r.content,
        "Hi",
    ),
    "W18 events under application/json": (
        attrs.evolve(streamed(d(content="Hi"), STOP, DONE), headers={"content-type": "application/json"}),
        lambda r: r.content,
        "Hi",
    ),
    "W18 a whole answer under text/event-stream": (
        attrs.evolve(said(content="Hi"), headers={"content-type": "text/event-stream"}),
        lambda r: r.content,
        "Hi",
    ),
    "W20 arguments said whole once more": (
        streamed(
            d(tool_calls=[piece(0, "a", "f")]),
            d(tool_calls=[piece(0, arguments='{"x":')]),
            d(tool_calls=[piece(0, arguments="1}")]),
            d(tool_calls=[piece(0, "a", "f", '{"x":1}')]),
            CALLS,
        ),
        calls,
        [("f", '{"x":1}')],
    ),
    "W21 reasoning in details alone": (
        streamed(d(reasoning_details=SIGNED[:2]), d(content="x"), STOP),
        lambda r: r.reasoning,
        "Let me",
    ),
    "W21 reasoning first in words, then again in details": (
        streamed(d(reasoning="Let me"), d(reasoning_details=SIGNED[:2]), d(content="x"), STOP),
        lambda r: r.reasoning,
        "Let me",
    ),
    "W21 whole": (said(content="x", reasoning_details=SIGNED), lambda r: r.reasoning, "Let me"),
    "W22 a custom call": (
        said(content="", tool_calls=[{"id": "a", "type": "custom", "custom": {"name": "f", "input": "1 + 1"}}]),
        calls,
        [("f", "1 + 1")],
    ),
    "W22 streamed": (
        streamed(
            d(tool_calls=[{"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "1 "}}]),
            d(tool_calls=[{"index": 0, "custom": {"input": "+ 1"}}]),
            CALLS,
        ),
        calls,
        [("f", "1 + 1")],
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("row", ANSWERS)
def test_an_answer_is_read(row: str, stream: bool) -> None:
    """Whatever was asked for: each is understood, whole or streamed, where the other was."""
    answer, tells, expected = ANSWERS[row]
    response = asked(answer, stream=stream)
    assert isinstance(response, Response), response
    assert tells(response) == expected


# Failures: what came, the kind, words of the message, and the text that had come before


def broken(**choice: Any) -> bytes:
    return sse({"choices": [{"delta": {}, **choice}]})


UPSTREAM = {"code": 502, "message": "Upstream error"}
AVAILABLE = b'error: {"code":400,"message":"the request exceeds the available context size"}\n\n'
NESTED = b"[" * 100_000

FAILURES: dict[str, tuple[Answer, str, str, str | None]] = {
    "W2 a finish reason of error": (
        body({"choices": [{"message": {"content": "par"}, "finish_reason": "error", "error": UPSTREAM}]}),
        "server",
        "Upstream error",
        None,
    ),
    "W2 after text": (
        streamed(d(content="par"), broken(finish_reason="error", error=UPSTREAM)),
        "server",
        "Upstream error",
        "par",
    ),
    "W2 without words": (
        streamed(d(content="par"), chunk(finish="error")),
        "server",
        "finish_reason is 'error'",
        "par",
    ),
    "W2 without resources": (
        streamed(d(content="par"), chunk(finish="insufficient_system_resource")),
        "overloaded",
        "lacks resources",
        "par",
    ),
    "W4 an error as a field of its own": (
        streamed(d(content="par"), AVAILABLE),
        "context_window",
        "the request exceeds the available context size",
        "par",
    ),
    "H4 an answer of 10^5 levels": (Answer(body=NESTED), "malformed_response", "", None),
    "H4 an event of 10^5 levels": (
        streamed(d(content="par"), b"data: " + NESTED + b"\n\n"),
        "malformed_response",
        "",
        "par",
    ),
    "H5 a number of 5,000 digits": (
        Answer(body=b'{"\\ud83d": ' + b"9" * 5000 + b"}"),
        "malformed_response",
        "",
        None,
    ),
}


@pytest.mark.parametrize("row", FAILURES)
def test_a_failure_in_place_of_an_answer_has_its_kind(row: str) -> None:
    answer, kind, words, partial = FAILURES[row]
    for stream in (True,) if partial else (False, True):
        failed = asked(answer, stream=stream)
        assert isinstance(failed, tuple), failed
        assert (failed[0].kind, words in failed[0].message) == (kind, True), failed[0].message
        assert failed[0].sent == "yes"
        assert (failed[1].content if failed[1] else None) == partial


# Shapes: what stands where another thing should, and the words of the message

SHAPES: dict[str, tuple[dict[str, Any], str]] = {
    "a number for content": ({"content": 5}, "the answer's content is not text: '5'"),
    "an object for content": ({"content": {"a": 1}}, "the answer's content is not text: '{\"a\": 1}'"),
    "a number for a part": ({"content": [5]}, "a part of the answer's content is not an object: '5'"),
    "a number for a part's text": ({"content": [{"type": "text", "text": 5}]}, "the answer's text is not text: '5'"),
    "a number for a refusal": ({"refusal": 5}, "the answer's refusal is not text: '5'"),
    "a number for calls": ({"tool_calls": 5}, "the answer's tool_calls is not a list of calls: '5'"),
    "numbers for calls": ({"tool_calls": [5]}, "the answer's tool_calls is not a list of calls: '[5]'"),
    "a number for a function": ({"tool_calls": [{"function": 5}]}, "the answer's function is not an object: '5'"),
    "a number for a name": ({"tool_calls": [{"function": {"name": 5}}]}, "the answer's name is not text: '5'"),
    "a number for arguments": (
        {"tool_calls": [{"function": {"name": "f", "arguments": 5}}]},
        "the answer's arguments is not text: '5'",
    ),
    "a number for an old call": ({"function_call": 5}, "the answer's function_call is not an object: '5'"),
}
CHOICES: dict[str, tuple[Any, str]] = {
    "a number for choices": (5, "the answer's choices is not a list of objects: '5'"),
    "an object for choices": ({"message": {}}, "the answer's choices is not a list of objects: '{\"message\": {}}'"),
    "numbers for choices": ([5], "the answer's choices is not a list of objects: '[5]'"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("row", [*SHAPES, *CHOICES])
def test_what_stands_in_place_of_another_thing_is_malformed_and_not_left_out(row: str, stream: bool) -> None:
    if row in CHOICES:
        choices, words = CHOICES[row]
        answer = streamed(sse({"choices": choices})) if stream else body({"choices": choices})
    else:
        message, words = SHAPES[row]
        answer = streamed(d(**message), STOP) if stream else said(**message)
    failed = asked(answer, stream=stream)
    assert isinstance(failed, tuple), failed
    assert (failed[0].kind, failed[0].message, failed[1]) == ("malformed_response", words, None)


def test_a_choice_of_a_stream_that_is_no_message_is_malformed() -> None:
    failed = asked(streamed(sse({"choices": [{"delta": 5}]}), STOP), stream=True)
    assert isinstance(failed, tuple)
    assert (failed[0].kind, failed[0].message) == (
        "malformed_response",
        "a choice of the stream is not a message: '{\"delta\": 5}'",
    )


def test_what_is_of_another_shape_is_malformed_at_the_very_end_of_a_stream_too() -> None:
    failed = asked(streamed(sse({"choices": [5]}).rstrip()), stream=True)
    assert isinstance(failed, tuple)
    assert failed[0].kind == "malformed_response"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_reasoning_of_another_shape_is_left_out_since_the_answer_stands_without_it(stream: bool) -> None:
    message = {"content": "Hi", "reasoning": {"effort": "low"}}
    response = asked(streamed(d(**message), STOP) if stream else said(**message), stream=stream)
    assert isinstance(response, Response)
    assert (response.content, response.reasoning) == ("Hi", "")


# The Messages wire of others than Anthropic: gateways, vLLM, Ollama, DeepSeek


def wire(name: str, **fields: Any) -> bytes:
    return b"event: " + name.encode() + b"\n" + sse({"type": name, **fields})


def said_by(kind: str, at: int = 0, **fields: Any) -> bytes:
    return wire("content_block_delta", index=at, delta={"type": kind, **fields})


def block(at: int = 0, **fields: Any) -> bytes:
    return wire("content_block_start", index=at, content_block=fields)


HELLO = said_by("text_delta", text="Hi")
ENDED = wire("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": 9, "output_tokens": 4})
MESSAGES: dict[str, tuple[Answer, Any, Any]] = {
    "M1 events without names": (
        streamed(*(each.split(b"\n", 1)[1] for each in (HELLO, ENDED))),
        lambda r: (r.content, r.usage),
        ("Hi", Usage(9, 4)),
    ),
    "M2 no first event": (streamed(HELLO, ENDED), lambda r: (r.content, r.model_id), ("Hi", "m")),
    "M3 no last event": (streamed(HELLO, ENDED), lambda r: r.finish_reason, "stop"),
    "M4 [DONE] after the end": (streamed(HELLO, ENDED, wire("message_stop"), DONE), lambda r: r.content, "Hi"),
    "M5 arguments said at once": (
        streamed(block(type="tool_use", id="a", name="f", input={"x": 1}), wire("content_block_stop", index=0), ENDED),
        calls,
        [("f", '{"x":1}')],
    ),
    "M6 arguments as text": (
        body({"content": [{"type": "tool_use", "id": "a", "name": "f", "input": '{"x": 1}'}]}),
        calls,
        [("f", '{"x": 1}')],
    ),
    "M7 a thought without a signature": (
        body({"content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Hi"}]}),
        lambda r: (r.reasoning, r.content, dict(r.message.content[0].metadata)),
        ("Hm.", "Hi", {}),
    ),
    "M8 no stop reason in a whole answer": (
        body({"content": [{"type": "text", "text": "Hi"}]}),
        lambda r: (r.content, r.finish_reason),
        ("Hi", "other"),
    ),
    "M9 usage of nulls": (
        body({"content": [], "usage": {"input_tokens": None, "output_tokens": None}}),
        lambda r: r.usage,
        None,
    ),
    "M10 a byte order mark, and a line end of Windows": (
        streamed(b"\xef\xbb\xbf" + HELLO.replace(b"\n", b"\r\n"), ENDED),
        lambda r: r.content,
        "Hi",
    ),
    "M11 empty pieces": (
        streamed(said_by("text_delta", text=""), HELLO, said_by("input_json_delta", partial_json=""), ENDED),
        lambda r: r.content,
        "Hi",
    ),
}


@pytest.mark.parametrize("row", MESSAGES)
def test_an_answer_of_the_messages_wire_is_read(row: str) -> None:
    answer, tells, expected = MESSAGES[row]

    async def main(url: str) -> Any:
        *_, last = [event async for event in AnthropicModel("m", base_url=url, api_key="none").stream(HI)]
        return last

    with Loopback(answer) as server:
        last = asyncio.run(main(server.url))
    assert isinstance(last, Finished), last
    assert tells(last.response) == expected


# Refusals: the status, the body, headers; the kind, and how long to wait

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38.5s"}


def google(**error: Any) -> Any:
    return {"error": {"code": 429, "message": "Quota exceeded", "status": "RESOURCE_EXHAUSTED", **error}}


DEEP: Any = {"filtered": True}
for _ in range(600):
    DEEP = [DEEP]

REFUSALS: dict[str, tuple[Answer, str, float | None]] = {
    "W6 RetryInfo": (body(google(details=[{"@type": "x"}, RETRY]), 429), "rate_limited", 38.5),
    "W6 RetryInfo in a list": (body([google(details=[RETRY])], 429), "rate_limited", 38.5),
    "W6 RetryInfo beside a header": (body(google(details=[RETRY]), 429, retry_after="7"), "rate_limited", 7.0),
    "W6 RetryInfo of nonsense": (body(google(details=[{**RETRY, "retryDelay": "soon"}]), 429), "rate_limited", None),
    "W6 details that are none": (body(google(details="x"), 429), "rate_limited", None),
    "W7 Google": (
        error(400, None, "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
        "context_window",
        None,
    ),
    "W7 Bedrock": (error(400, None, "Input is too long for requested model."), "context_window", None),
    "W8 what the model wrote": (
        body({"error": {"code": "tool_use_failed", "message": "no", "failed_generation": "<f>"}}, 400),
        "malformed_response",
        None,
    ),
    "W16 asctime": (
        error(429, retry_after="Sun Nov  6 08:49:37 1994", date="Sun, 06 Nov 1994 08:49:30 GMT"),
        "rate_limited",
        7.0,
    ),
    "W16 RFC 850": (
        error(429, retry_after="Sunday, 06-Nov-94 08:49:37 GMT", date="Sun, 06 Nov 1994 08:49:30 GMT"),
        "rate_limited",
        7.0,
    ),
    "S3 LiteLLM": (error(400, None, "Invalid model name passed in model=x"), "not_found", None),
    "S3 transformers serve": (body({"detail": "Server is pinned to 'a'; requested 'b'."}, 400), "not_found", None),
    "S4 llama.cpp": (error(500, None, "image input is not supported"), "unsupported", None),
    "S4 mlx_lm": (error(404, None, "Only 'text' content type is supported."), "unsupported", None),
    "S5 vLLM": (error(400, None, "max_tokens=4000 cannot be greater than max_model_len=1024"), "context_window", None),
    "H4 filters of 600 levels": (
        body({"error": {"code": "content_filter", "innererror": {"content_filter_result": {"a": DEEP}}}}, 400),
        "content_filter",
        None,
    ),
    "H4 a refusal of 10^5 levels": (Answer(400, body=NESTED), "invalid_request", None),
    "H5 a code of 5,000 digits": (body({"error": {"code": "9" * 5000, "message": "no"}}, 400), "invalid_request", None),
    "H5 a number of 5,000 digits": (
        Answer(400, {"content-type": "application/json"}, b'{"error": {"code": ' + b"9" * 5000 + b"}}"),
        "invalid_request",
        None,
    ),
    "a plain 404": (error(404, None, "no such page"), "not_found", None),
    "a plain 500": (error(500, None, "oops"), "server", None),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("row", REFUSALS)
def test_a_refusal_has_its_kind(row: str, stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    answer, kind, wait = REFUSALS[row]
    monkeypatch.setenv("TZ", "America/Los_Angeles")  # a date without a zone is UTC all the same
    failed = asked(answer, stream=stream)
    assert isinstance(failed, tuple), failed
    assert (failed[0].kind, failed[0].retry_after, failed[1]) == (kind, wait, None)


def test_an_error_event_with_a_code_of_5000_digits_is_an_error() -> None:
    failed = asked(streamed(sse({"error": {"message": "no", "code": "9" * 5000}})), stream=True)
    assert isinstance(failed, tuple)
    assert failed[0].kind == "server"


@pytest.mark.parametrize(("said", "heard"), [("false", False), ("True", True), ("perhaps", None)])
def test_what_a_server_says_of_trying_again_is_heard(said: str, heard: bool | None) -> None:
    failed = asked(error(503, x_should_retry=said), stream=False)
    assert isinstance(failed, tuple)
    assert failed[0].should_retry is heard


@pytest.mark.parametrize("count", [4_000, 32_000])
def test_many_pieces_of_one_call_are_joined_once(count: int) -> None:
    """H2: each is counted, and none is copied for the next."""
    first = d(tool_calls=[piece(0, "a", "f", '{"x":"')])
    pieces = [d(tool_calls=[piece(0, arguments="ab")])] * count
    response = asked(streamed(first, b"".join(pieces), d(tool_calls=[piece(0, arguments='"}')]), CALLS), stream=True)
    assert isinstance(response, Response)
    assert response.tool_calls == (ToolCall("a", "f", json.dumps({"x": "ab" * count}, separators=(",", ":"))),)


def test_events_where_a_whole_answer_was_asked_for_end_as_they_must() -> None:
    """W9: at a stop, and not without a finish reason."""
    with Loopback(streamed(d(content="one STOP two")), streamed(d(content="Hi"))) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="none")
        assert model("Hi", ["STOP"]).content == "one "
        found = asyncio.run(model.generate(HI)).failure()
    assert (found.kind, found.message) == ("interrupted", "the stream ended without a finish reason")


def test_arguments_that_begin_alike_are_no_repetition() -> None:
    """W20 is no leave to drop what merely looks so."""
    pieces = [d(tool_calls=[piece(0, "a", "f", "{")]), d(tool_calls=[piece(0, arguments="{")]), CALLS]
    response = asked(streamed(*pieces), stream=True)
    assert isinstance(response, Response)
    assert calls(response) == [("f", "{{")]


# Gemini's wire of others than Google: gateways, proxies, stand-ins


def google_says(*parts: Any, **candidate: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, **candidate}]}


SAID, OVER = {"text": "Hi"}, {"finishReason": "STOP"}
GENERATED: dict[str, tuple[Answer, Any, Any]] = {
    "G1 no role, no index, no usage": (
        streamed(sse(google_says(SAID)), sse(google_says(**OVER))),
        lambda r: (r.content, r.finish_reason, r.usage),
        ("Hi", "stop", None),
    ),
    "G2 a content without parts": (
        streamed(sse(google_says(SAID)), sse({"candidates": [{"content": {}, **OVER}]})),
        lambda r: r.content,
        "Hi",
    ),
    "G3 no content at all": (body({"candidates": [OVER]}), lambda r: (r.content, r.finish_reason), ("", "stop")),
    "G4 null members": (
        body(
            {
                "candidates": [{"content": {"parts": None}, **OVER, "safetyRatings": None}],
                "promptFeedback": None,
                "usageMetadata": None,
                "modelVersion": None,
            }
        ),
        lambda r: (r.content, r.usage, r.model_id),
        ("", None, None),
    ),
    "G5 chunks without candidates": (
        streamed(
            sse({"candidates": []}), sse(google_says(SAID, **OVER)), sse({"usageMetadata": {"promptTokenCount": 9}})
        ),
        lambda r: (r.content, r.usage),
        ("Hi", Usage(9)),
    ),
    "G6 feedback that blocks nothing": (
        body({**google_says(SAID, **OVER), "promptFeedback": {"safetyRatings": []}}),
        lambda r: r.content,
        "Hi",
    ),
    "G7 [DONE] at the end": (streamed(sse(google_says(SAID, **OVER)), DONE), lambda r: r.content, "Hi"),
    "G8 no empty line at the end": (streamed(sse(google_says(SAID, **OVER)).rstrip()), lambda r: r.content, "Hi"),
    "G9 a byte order mark, and line ends of Windows": (
        streamed(b"\xef\xbb\xbf" + sse(google_says(SAID, **OVER)).replace(b"\n", b"\r\n")),
        lambda r: r.content,
        "Hi",
    ),
    "G10 a reason in small letters": (
        body(google_says(SAID, finishReason="max_tokens")),
        lambda r: r.finish_reason,
        "length",
    ),
    "G11 arguments as text": (
        body(google_says({"functionCall": {"name": "f", "args": '{"x": 1}'}}, **OVER)),
        calls,
        [("f", '{"x": 1}')],
    ),
    "G12 null arguments and a null id": (
        body(google_says({"functionCall": {"id": None, "name": "f", "args": None}}, **OVER)),
        lambda r: [(call.id, call.arguments) for call in r.tool_calls],
        [("call_0", "{}")],
    ),
    "G13 a null signature": (
        body(google_says({"text": "Hi", "thought": False, "thoughtSignature": None}, **OVER)),
        lambda r: (r.content, dict(r.message.content[0].metadata)),
        ("Hi", {}),
    ),
    "G14 a whole answer where a stream was asked for": (
        body(google_says({"text": "Hm.", "thought": True}, SAID, **OVER)),
        lambda r: (r.reasoning, r.content),
        ("Hm.", "Hi"),
    ),
}


@pytest.mark.parametrize("row", GENERATED)
def test_an_answer_of_gemini_s_wire_is_read(row: str) -> None:
    answer, tells, expected = GENERATED[row]

    async def main(url: str) -> Any:
        *_, last = [event async for event in GeminiModel("m", base_url=url, api_key="none").stream(HI)]
        return last

    with Loopback(answer) as server:
        last = asyncio.run(main(server.url))
    assert isinstance(last, Finished), last
    assert tells(last.response) == expected
