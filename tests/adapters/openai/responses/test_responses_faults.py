"""Every failure of the Responses wire is a value of the right kind, whole and streamed, in one physical request."""

from __future__ import annotations

import pytest
import responses_wire as wire
from chat_faults import REFUSALS
from loopback import Answer, Loopback, error, streamed
from responses_calls import failed, failed_stream, listen
from responses_faults import BROKEN, FAULTS

from modelport.domain.error import Sent
from modelport.domain.event import Failed, TextDelta


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_is_of_this_kind_whole_and_streamed_in_one_request(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.status, found.sent) == (kind, answer.status, Sent.YES)
    assert last == Failed(found)
    assert (found.provider, found.model_id) == ("openai", "gpt-5")
    assert [seen.path for seen in server.requests] == ["/v1/responses"] * 2


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


def test_a_stream_that_has_only_begun_has_no_content() -> None:
    """`response.created` is no content, so that a layer may still ask another model."""
    begun = [wire.event(f"response.{name}", response=wire.response(status=name)) for name in ("queued", "in_progress")]
    with Loopback(streamed(*begun, wire.event("error", code="server_error", message="no"))) as server:
        assert listen(server) == [failed_stream(server)]
        assert failed_stream(server).partial is None


@pytest.mark.parametrize(
    ("code", "words", "says"),
    [
        ("unknown_parameter", "Unknown parameter: 'seed'.", "(take it away: seed=OMIT in the call"),
        (None, "Encrypted content is not supported with this model.", "drop_options=['include'] for every call)"),
    ],
)
def test_what_the_model_does_not_take_is_told_with_the_way_out(code: str | None, words: str, says: str) -> None:
    answer = error(400, code, words)
    param = "seed" if code else "include"
    body = answer.body.replace(b'"param": null', f'"param": "{param}"'.encode())
    with Loopback(Answer(400, answer.headers, body)) as server:
        found = failed(server)
    assert found.kind == "unsupported"
    assert words in found.message
    assert says in found.message
