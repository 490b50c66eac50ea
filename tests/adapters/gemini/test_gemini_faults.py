"""Every failure of Gemini's wire is a value of the right kind, whole and streamed, in one physical request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from gemini_faults import A_DAY, BLOCKED, BROKEN, FAULTS, REFUSALS, RETRY, quota
from gemini_wire import HI, chunk, error, failed, failed_stream, finished, hear, model, refusal, whole
from laws import listen
from loopback import Answer, Loopback, body, sse, streamed

from modelport import Failed, Finished, TextDelta
from modelport.adapters.gemini.answer import FAILURES, FINISH_REASONS
from modelport.adapters.gemini.errors import translate
from modelport.domain.error import Sent


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_is_of_this_kind_whole_and_streamed_in_one_request(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        found = asyncio.run(model(server).generate(HI)).failure()
        *_, last = asyncio.run(listen(model(server), HI))
    assert (found.kind, found.status, found.sent) == (kind, answer.status, Sent.YES)
    assert last == Failed(found)
    assert (found.provider, found.model_id) == ("gemini", "gemini-2.5-flash")
    assert len(server.requests) == 2


@pytest.mark.parametrize(("answer", "kind", "sent"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_is_of_this_kind_whole_and_streamed(answer: Answer, kind: str, sent: str) -> None:
    with Loopback(answer) as server:
        patient = model(server, timeout=answer.patience)
        found = asyncio.run(patient.generate(HI)).failure()
        *_, last = asyncio.run(listen(patient, HI))
    assert (found.kind, found.sent) == (kind, sent)
    assert isinstance(last, Failed)
    assert (last.error.kind, last.error.sent, last.partial) == (kind, sent, None)
    assert len(server.requests) == 2


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_stream_that_breaks_says_why_and_how_far_it_came(answer: Answer, kind: str) -> None:
    *shown, last = hear(answer, timeout=answer.patience)
    assert shown == [TextDelta("Hel"), TextDelta("lo")]
    assert isinstance(last, Failed)
    assert last.error.kind == kind
    assert last.partial is not None
    assert last.partial.content == "Hello"


@pytest.mark.parametrize("reason", FAILURES)
def test_a_reason_that_is_a_failure_is_told_with_its_message(reason: str) -> None:
    error = failed(whole(finish=reason, finishMessage="print(weather)"))
    assert (error.code, error.message) == (reason, f"{reason}: print(weather)")
    assert error.kind == FAILURES[reason]


@pytest.mark.parametrize(("reason", "meant"), [*FINISH_REASONS.items(), ("SOME_NEW_REASON", "other"), ("", None)])
def test_a_reason_is_read_whole_and_streamed(reason: str, meant: str | None) -> None:
    if meant is None:  # it goes on
        assert failed_stream(streamed(chunk("Hi", finish=""))).error.kind == "interrupted"
        return
    assert finished(streamed(chunk("Hi"), chunk(finish=reason))).finish_reason == meant
    assert finished(whole("Hi", finish=reason)).finish_reason == meant


def test_a_blocked_question_says_why() -> None:
    error = failed(body(BLOCKED))
    assert (error.code, error.message) == ("PROHIBITED_CONTENT", "PROHIBITED_CONTENT: no")
    error = failed(body({"promptFeedback": {"blockReason": "SAFETY"}}))
    assert (error.code, error.message) == ("SAFETY", "SAFETY: the question was blocked")


def test_the_seconds_of_retry_info_are_waited() -> None:
    error_ = failed(error(429, "RESOURCE_EXHAUSTED", "no", RETRY))
    assert (error_.kind, error_.retry_after, error_.code) == ("rate_limited", 22.0, "RESOURCE_EXHAUSTED")
    assert failed(error(429, "RESOURCE_EXHAUSTED", "no", RETRY, retry_after="7")).retry_after == 7.0
    late = failed_stream(streamed(chunk("Hi"), sse(refusal(429, "RESOURCE_EXHAUSTED", "no", [quota(A_DAY), RETRY]))))
    assert (late.error.kind, late.error.retry_after) == ("quota_exhausted", 22.0)


def test_a_redirect_names_the_address_and_is_not_followed() -> None:
    found = failed(Answer(302, {"location": "https://elsewhere.example/"}))
    assert (found.kind, "https://elsewhere.example/" in found.message) == ("not_found", True)


def test_an_unknown_model_says_where_it_was_sought() -> None:
    found = failed(error(404, "NOT_FOUND", "no such model"))
    assert found.message.endswith("/v1/models/gemini-2.5-flash: no such model")


def test_a_server_that_knows_no_events_streams_a_list() -> None:
    """As Google's does without `alt=sse`, and a gateway that drops the query."""
    answers = [{"candidates": [{"content": {"parts": [{"text": it}]}}]} for it in ("Hel", "lo")]
    end = {"candidates": [{"finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 2}}
    events = hear(body([*answers, end]))
    assert events[0] == TextDelta("Hello")
    assert isinstance(events[-1], Finished)
    assert events[-1].response.raw["candidates"][0]["content"]["parts"] == [{"text": "Hello"}]


def test_events_where_a_whole_answer_was_asked_for_are_read() -> None:
    with Loopback(streamed(chunk("Hel"), chunk("lo", finish="STOP"))) as server:
        assert asyncio.run(model(server).generate(HI)).unwrap().content == "Hello"


def test_what_comes_after_the_reason_may_be_lost() -> None:
    """The answer is whole when its reason has come, though the server resets the connection."""
    response = finished(streamed(chunk("Hi", finish="STOP"), then="reset"))
    assert (response.content, response.finish_reason) == ("Hi", "stop")


def test_what_is_no_failure_of_a_provider_is_raised_again() -> None:
    class Odd(Exception):
        pass

    with pytest.raises(Odd):
        translate(Odd())


def test_a_library_that_is_missing_is_named_with_its_extra() -> None:
    found = translate(ModuleNotFoundError("No module named 'aiohttp'", name="aiohttp"))
    assert (found.kind, found.message) == (
        "missing_dependency",
        "No module named 'aiohttp'; pip install 'modelport[gemini]'",
    )


def test_only_the_first_candidate_is_the_answer() -> None:
    other: Any = {"content": {"parts": [{"text": "Bye"}]}, "index": 1, "finishReason": "SAFETY"}
    mine: Any = {"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    assert finished(body({"candidates": [other, mine]})).content == "Hi"
