"""Every failure of the OpenAI wire is a value of the right kind, whole and streamed, in one physical request."""

from __future__ import annotations

import pytest
from loopback import DONE, Answer, Loopback, body, error, sse, streamed, whole
from openai_calls import PARTIAL, failed, failed_stream, listen

from modelport.domain.error import Sent
from modelport.domain.event import Failed, TextDelta

LONG = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
HTML = Answer(502, {"content-type": "text/html"}, b"<html><body>Bad gateway</body></html>")

LARGE = "Request too large for gpt-4o in organization o on tokens per min (TPM): Limit 30000, Requested 40000."

REFUSALS: list[tuple[str, Answer, str]] = [
    ("400", error(400), "invalid_request"),
    ("400 context", error(400, "context_length_exceeded"), "context_window"),
    ("400 context in words", error(400, None, LONG), "context_window"),
    ("400 content filter", error(400, "content_filter"), "content_filter"),
    ("400 parameter", error(400, "unsupported_parameter"), "unsupported"),
    ("401", error(401, "invalid_api_key"), "authentication"),
    ("402", error(402), "quota_exhausted"),
    ("403", error(403), "permission"),
    ("404", error(404, "model_not_found"), "not_found"),
    ("408", error(408), "timeout"),
    ("409", error(409), "overloaded"),
    ("413", error(413), "context_window"),
    ("418", error(418), "invalid_request"),
    ("422", body({"detail": [{"msg": "no"}]}, 422), "invalid_request"),
    ("429", error(429, "rate_limit_exceeded"), "rate_limited"),
    ("429 for ever", error(429, "rate_limit_exceeded", LARGE), "context_window"),
    ("413 for ever", error(413, "rate_limit_exceeded", LARGE), "context_window"),
    ("429 quota", error(429, "insufficient_quota"), "quota_exhausted"),
    ("500", error(500), "server"),
    ("502 HTML", HTML, "server"),
    ("503", error(503), "overloaded"),
    ("504", error(504), "timeout"),
    ("529", error(529), "overloaded"),
    ("599", error(599), "server"),
    ("500 empty", Answer(500), "server"),
]


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_is_of_this_kind_whole_and_streamed_in_one_request(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.status, found.sent) == (kind, answer.status, Sent.YES)
    assert last == Failed(found)
    assert (found.provider, found.model_id) == ("openai", "gpt-4o")
    assert len(server.requests) == 2


FAULTS: list[tuple[str, Answer, str, str]] = [
    ("reset before the answer", Answer(0, then="reset"), "interrupted", "perhaps"),
    ("cut before the answer", Answer(0, then="cut"), "interrupted", "perhaps"),
    ("reset in the answer", Answer(body=whole().body, then="reset"), "interrupted", "perhaps"),
    ("cut in the answer", Answer(body=whole().body, then="cut"), "interrupted", "perhaps"),
    ("no answer", Answer(0, then="stall"), "timeout", "perhaps"),
    ("half an answer", Answer(body=whole().body, then="stall"), "timeout", "perhaps"),
    ("empty", Answer(), "malformed_response", "yes"),
    ("HTML", Answer(200, {"content-type": "text/html"}, b"<html>hello</html>"), "malformed_response", "yes"),
    ("broken JSON", Answer(200, {"content-type": "application/json"}, b'{"choices": ['), "malformed_response", "yes"),
    ("foreign JSON", body({"hello": "world"}), "malformed_response", "yes"),
    ("a list", body([1]), "malformed_response", "yes"),
    ("null choices", body({"choices": None}), "malformed_response", "yes"),
    ("empty choices", body({"choices": []}), "malformed_response", "yes"),
    ("null message", body({"choices": [{"message": None}]}), "malformed_response", "yes"),
    ("an error under 200", body({"error": {"message": "busy", "code": 503}}), "overloaded", "yes"),
]


@pytest.mark.parametrize(("answer", "kind", "sent"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_is_of_this_kind_whole_and_streamed(answer: Answer, kind: str, sent: str) -> None:
    with Loopback(answer) as server:
        found, last = failed(server, timeout=0.2), failed_stream(server, timeout=0.2)
    assert (found.kind, found.sent) == (kind, sent)
    assert (last.error.kind, last.error.sent, last.partial) == (kind, sent, None)
    assert len(server.requests) == 2


BROKEN: list[tuple[str, Answer, str]] = [
    ("cut cleanly", streamed(*PARTIAL), "interrupted"),
    ("cut in an event", streamed(*PARTIAL, b'data: {"choices": [{"del'), "interrupted"),
    ("cut", streamed(*PARTIAL, then="cut"), "interrupted"),
    ("reset", streamed(*PARTIAL, then="reset"), "interrupted"),
    ("stalled", streamed(*PARTIAL, then="stall"), "timeout"),
    ("[DONE] without a reason", streamed(*PARTIAL, DONE), "interrupted"),
    ("no JSON", streamed(*PARTIAL, b"data: what?\n\n"), "malformed_response"),
    ("no object", streamed(*PARTIAL, sse([1])), "malformed_response"),
    ("an error", streamed(*PARTIAL, sse({"error": {"message": "x", "type": "server_error"}})), "server"),
    ("an error with a number", streamed(*PARTIAL, sse({"error": {"message": "x", "code": 429}})), "rate_limited"),
    ("an error event", streamed(*PARTIAL, b'event: error\ndata: {"message": "x", "type": "overloaded_error"}\n\n'),
     "overloaded"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_stream_that_breaks_says_why_and_how_far_it_came(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        *shown, last = listen(server, timeout=0.2)
    assert shown == [TextDelta("Hel"), TextDelta("lo")]
    assert isinstance(last, Failed)
    assert last.error.kind == kind
    assert last.partial is not None
    assert last.partial.content == "Hello"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.25"}, 0.25),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"date": "Mon, 23 Nov 2026 10:00:00 GMT", "retry_after": "Mon, 23 Nov 2026 10:00:09 GMT"}, 9.0),
        ({"retry_after": "Mon, 23 Nov 2020 10:00:00 GMT"}, 0.0),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_each_form(headers: dict[str, str], seconds: float | None) -> None:
    with Loopback(error(429, **headers)) as server:
        assert failed(server).retry_after == seconds


def test_an_error_says_what_the_provider_said() -> None:
    with Loopback(error(429, "slow_down", "take   it\neasy", x_request_id="req-1")) as server:
        found = failed(server)
    assert (found.message, found.code, found.request_id, found.scope) == ("take it easy", "slow_down", "req-1", "model")


def test_an_error_in_a_list_is_read_as_the_error_that_it_is() -> None:
    """As Google's server of this wire refuses."""
    refusal = {"error": {"code": 400, "message": "Please use a valid role.", "status": "INVALID_ARGUMENT"}}
    with Loopback(body([refusal], 400)) as server:
        found = failed(server)
    assert (found.kind, found.message, found.code) == ("invalid_request", "Please use a valid role.", "400")
