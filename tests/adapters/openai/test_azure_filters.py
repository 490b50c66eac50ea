"""What Azure's filters and its gateway refuse, take away or merely note, whole and streamed."""

from __future__ import annotations

from typing import Any

import azure_calls
import pytest
from azure_calls import answered, ask, failed, model
from loopback import DONE, USED, Answer, Loopback, body, chunk, sse, streamed

from modelport.domain.error import ErrorKind, ModelError
from modelport.domain.event import Failed, Finished, TextDelta
from modelport.domain.response import FinishReason, Response

no_settings = azure_calls.no_settings_of_the_machine

FILTERED = {
    "hate": {"filtered": False, "severity": "safe"},
    "jailbreak": {"filtered": True, "detected": True},
    "custom_blocklists": {"filtered": True, "details": [{"filtered": True, "id": "words"}]},
}
SAFE = {
    "hate": {"filtered": False, "severity": "low"},
    "protected_material_code": {
        "filtered": False,
        "detected": True,
        "citation": {"URL": "https://h", "license": "MIT"},
    },
    "custom_blocklists": [{"filtered": False, "id": "words"}],
}
WORDS = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."


@pytest.mark.parametrize("code", ["content_filter", None])
def test_a_question_that_the_filter_refused_names_the_filters(code: str | None) -> None:
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": FILTERED}
    refusal = {"message": WORDS, "type": None, "param": "prompt", "code": code, "status": 400, "innererror": inner}
    with Loopback(body({"error": refusal}, 400, apim_request_id="r-1")) as server:
        found = failed(model(server))
    assert (found.kind, found.status, found.request_id) == (ErrorKind.CONTENT_FILTER, 400, "r-1")
    assert found.message == f"{WORDS} (filtered by jailbreak, custom_blocklists)"
    assert (found.provider, found.model_id) == ("azure", "chat")


def asked_for(whole: Answer, *pieces: bytes) -> Any:
    return lambda seen: streamed(*pieces, USED, DONE) if seen.json.get("stream") else whole


def test_an_answer_that_was_filtered_is_one_of_content_filter_whatever_reason_it_gives() -> None:
    for reason in ("content_filter", "stop"):
        choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": "I"}}
        answer = body({"choices": [{**choice, "content_filter_results": FILTERED}]})
        last = sse(
            {"choices": [{"index": 0, "delta": {}, "finish_reason": reason, "content_filter_results": FILTERED}]}
        )
        with Loopback(asked_for(answer, chunk({"content": "I"}), last)) as server:
            found, events = ask(model(server))
        assert isinstance(found, Response)
        assert isinstance(events[-1], Finished)
        assert (found.content, found.finish_reason) == ("I", FinishReason.CONTENT_FILTER)
        assert events[-1].response.finish_reason == FinishReason.CONTENT_FILTER


def test_an_answer_without_a_text_that_was_filtered_is_one() -> None:
    choice = {"index": 0, "finish_reason": "content_filter", "message": {"role": "assistant"}}
    with Loopback(body({"choices": [{**choice, "content_filter_results": FILTERED}]})) as server:
        found = answered(model(server))
    assert (found.content, found.finish_reason) == ("", FinishReason.CONTENT_FILTER)


def test_annotations_are_no_filtering_and_stand_in_raw_whole_and_streamed() -> None:
    prompt = [{"prompt_index": 0, "content_filter_results": SAFE}]
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}
    answer = body(
        {"id": "c1", "prompt_filter_results": prompt, "choices": [{**choice, "content_filter_results": SAFE}]}
    )
    pieces = (
        sse({"id": "", "model": "", "choices": [], "prompt_filter_results": prompt}),
        sse({"id": "c1", "choices": [{"index": 0, "delta": {"content": "Hi"}, "content_filter_results": SAFE}]}),
        sse({"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    )
    with Loopback(asked_for(answer, *pieces)) as server:
        found, events = ask(model(server))
    assert isinstance(found, Response)
    assert events[0] == TextDelta("Hi")
    last = events[-1]
    assert isinstance(last, Finished)
    for response in (found, last.response):
        assert (response.content, response.finish_reason, response.response_id) == ("Hi", FinishReason.STOP, "c1")
        assert response.raw["prompt_filter_results"] == prompt
        assert response.raw["choices"][0]["content_filter_results"] == SAFE


def test_an_asynchronous_filter_ends_the_stream_when_it_has_made_up_its_mind() -> None:
    offsets = {"check_offset": 44, "start_offset": 44, "end_offset": 198}
    early = {"index": 0, "finish_reason": None, "content_filter_results": SAFE, "content_filter_offsets": offsets}
    late = {**early, "finish_reason": "content_filter", "content_filter_results": FILTERED}
    pieces = (chunk({"content": "Hi"}), sse({"id": "", "choices": [early]}), chunk({"content": "!"}))
    with Loopback(streamed(*pieces, sse({"id": "", "choices": [late]}), sse({"choices": [early]}), DONE)) as server:
        _, events = ask(model(server))
    assert events[:2] == [TextDelta("Hi"), TextDelta("!")]
    assert isinstance(events[-1], Finished)
    response = events[-1].response
    assert (response.content, response.finish_reason) == ("Hi!", FinishReason.CONTENT_FILTER)
    assert response.raw["choices"][0]["content_filter_results"] == FILTERED


def test_a_filter_that_failed_filtered_nothing() -> None:
    results = {"error": {"code": "content_filter_error", "message": "The contents are not filtered"}}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}
    with Loopback(body({"choices": [{**choice, "content_filter_results": results}]})) as server:
        assert answered(model(server)).finish_reason == FinishReason.STOP


def test_a_refusal_of_azures_gateway_is_read() -> None:
    def refused(status: int, value: Any, **headers: str) -> ModelError:
        with Loopback(body(value, status, **headers)) as server:
            return failed(model(server))

    no_deployment = {"error": {"code": "DeploymentNotFound", "message": "The API deployment does not exist."}}
    assert refused(404, no_deployment).kind == ErrorKind.NOT_FOUND
    assert refused(404, {"error": {"code": "404", "message": "Resource not found"}}).kind == ErrorKind.NOT_FOUND
    denied = {"statusCode": 401, "message": "Access denied due to invalid subscription key or wrong API endpoint."}
    found = refused(401, denied)
    assert (found.kind, found.message) == (ErrorKind.AUTHENTICATION, denied["message"])
    limited = refused(429, {"error": {"code": "429", "message": "Please retry after 7 seconds."}}, retry_after="7")
    assert (limited.kind, limited.retry_after) == (ErrorKind.RATE_LIMITED, 7.0)
    quota = refused(429, {"error": {"code": "insufficient_quota", "message": "no"}})
    assert quota.kind == ErrorKind.QUOTA_EXHAUSTED


def test_a_filter_that_breaks_into_a_stream_is_an_error_with_what_was_said() -> None:
    late = sse({"error": {"message": WORDS, "code": "content_filter", "type": None}})
    with Loopback(streamed(chunk({"content": "Hi"}), late)) as server:
        _, events = ask(model(server))
    last = events[-1]
    assert isinstance(last, Failed)
    assert last.error.kind == ErrorKind.CONTENT_FILTER
    assert last.partial is not None
    assert last.partial.content == "Hi"
