"""Every failure of the OpenAI wire is a value of the right kind, whole and streamed, in one physical request."""

from __future__ import annotations

import pytest
from chat_faults import BROKEN, FAULTS, REFUSALS
from loopback import Answer, Loopback, body, error
from openai_calls import failed, failed_stream, listen

from modelport.domain.error import Sent
from modelport.domain.event import Failed, TextDelta


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_is_of_this_kind_whole_and_streamed_in_one_request(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.status, found.sent) == (kind, answer.status, Sent.YES)
    assert last == Failed(found)
    assert (found.provider, found.model_id) == ("openai", "gpt-4o")
    assert len(server.requests) == 2


@pytest.mark.parametrize(("answer", "kind", "sent"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_is_of_this_kind_whole_and_streamed(answer: Answer, kind: str, sent: str) -> None:
    with Loopback(answer) as server:
        found, last = failed(server, timeout=answer.patience), failed_stream(server, timeout=answer.patience)
    assert (found.kind, found.sent) == (kind, sent)
    assert (last.error.kind, last.error.sent, last.partial) == (kind, sent, None)
    assert len(server.requests) == 2


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_stream_that_breaks_says_why_and_how_far_it_came(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        *shown, last = listen(server, timeout=answer.patience)
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
