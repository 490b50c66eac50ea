"""Every failure behind litellm is a value of the right kind, whatever litellm made of it, in one physical request."""

from __future__ import annotations

import asyncio

import pytest
from litellm_calls import HI, KEY, QUIET, asked, deployment, failed, model, router
from loopback import DONE, Answer, Loopback, body, chunk, error, sse, streamed, whole

from modelport.adapters.litellm.model import LiteLLMModel, translate
from modelport.domain.error import ErrorKind, ModelError
from modelport.domain.event import Failed, Finished, TextDelta

pytestmark = QUIET
PARTIAL = (chunk({"content": "Hel"}), chunk({"content": "lo"}))
LONG = "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
HTML = Answer(200, {"content-type": "text/html"}, b"<html>hello</html>")
BROKEN_JSON = Answer(200, {"content-type": "application/json"}, b'{"choices": [')


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(400), "invalid_request"),
        (error(400, "context_length_exceeded"), "context_window"),
        (error(400, None, LONG), "context_window"),
        (error(400, "content_filter"), "content_filter"),
        (error(401, "invalid_api_key"), "authentication"),
        (error(402), "quota_exhausted"),
        (error(403), "permission"),
        (error(404, "model_not_found"), "not_found"),
        (error(408), "timeout"),
        (error(413), "context_window"),
        (error(418), "invalid_request"),
        (body({"detail": [{"msg": "no"}]}, 422), "invalid_request"),
        (error(429, "rate_limit_exceeded"), "rate_limited"),
        (error(429, "insufficient_quota"), "quota_exhausted"),
        (error(500), "server"),
        (error(503), "overloaded"),
        (error(504), "timeout"),
        (error(529), "overloaded"),
    ],
    ids=lambda value: f"{value.status} {value.body[-60:]!r}" if isinstance(value, Answer) else value,
)
def test_a_refusal_is_of_this_kind_whole_and_streamed_in_one_request(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        found, last, events = failed(model(server))
    assert (found.kind, found.status, found.sent) == (kind, answer.status, "yes")
    assert (last, events) == (Failed(found), [])
    assert (found.provider, found.model_id) == ("litellm", "openai/gpt-4o")
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "sent"),
    [
        (Answer(0, then="reset"), "interrupted", "perhaps"),
        (Answer(0, then="cut"), "interrupted", "perhaps"),
        (Answer(body=whole().body, then="reset"), "interrupted", "perhaps"),
        (Answer(body=whole().body, then="cut"), "interrupted", "perhaps"),
        (Answer(0, then="stall"), "timeout", "perhaps"),
        (Answer(body=whole().body, then="stall"), "timeout", "perhaps"),
        (Answer(), "malformed_response", "yes"),
        (HTML, "malformed_response", "yes"),
        (BROKEN_JSON, "malformed_response", "yes"),
        (body({"hello": "world"}), "malformed_response", "yes"),
        (body([1]), "malformed_response", "yes"),
        (body({"choices": None}), "malformed_response", "yes"),
        (body({"choices": []}), "malformed_response", "yes"),
        (body({"choices": [{"message": None}]}), "malformed_response", "yes"),
    ],
)
def test_a_fault_is_of_this_kind_whole_and_streamed(answer: Answer, kind: str, sent: str) -> None:
    with Loopback(answer) as server:
        found, last, events = failed(model(server, timeout=answer.patience))
    assert (found.kind, found.sent) == (kind, sent)
    assert (last.error.kind, last.error.sent, last.partial, events) == (kind, sent, None, [])
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (streamed(*PARTIAL), "interrupted"),
        (streamed(*PARTIAL, DONE), "interrupted"),
        (streamed(*PARTIAL, b'data: {"choices": [{"del'), "interrupted"),
        (streamed(*PARTIAL, then="cut"), "interrupted"),
        (streamed(*PARTIAL, then="reset"), "interrupted"),
        (streamed(*PARTIAL, then="stall"), "timeout"),
        (streamed(*PARTIAL, b"data: what?\n\n"), "malformed_response"),
        (streamed(*PARTIAL, sse({"error": {"message": "x", "type": "server_error"}})), "server"),
        (streamed(*PARTIAL, sse({"error": {"message": "x", "code": 429}})), "rate_limited"),
    ],
)
@pytest.mark.parametrize("which", ["LiteLLMModel", "LiteLLMRouterModel"])
def test_a_stream_that_breaks_says_why_and_how_far_it_came(answer: Answer, kind: str, which: str) -> None:
    """A clean cut too, which litellm itself shows as an answer that ended well."""
    with Loopback(answer) as server:
        plain = which == "LiteLLMModel"
        timeout = answer.patience
        subject = model(server, timeout=timeout) if plain else router(deployment(server, "one"), timeout=timeout)

        async def main() -> list[object]:
            return [event async for event in subject.stream(HI)]

        *shown, last = asyncio.run(main())
    assert shown == [TextDelta("Hel"), TextDelta("lo")]
    assert isinstance(last, Failed)
    assert last.error.kind == kind
    assert last.partial is not None
    assert last.partial.content == "Hello"
    assert len(server.requests) == 1


def test_what_litellm_passes_on_without_a_look_is_malformed_and_never_raises() -> None:
    with Loopback(streamed(chunk({"content": "x", "tool_calls": 5}), chunk(finish="stop"), DONE)) as server:
        _, (last,) = asked(model(server))
    assert isinstance(last, Failed)
    assert (last.error.kind, last.error.message) == (
        "malformed_response",
        "a chunk of the stream is of another shape: 'int' object is not iterable",
    )


@pytest.mark.parametrize("then", ["reset", "cut"])
def test_a_connection_that_breaks_after_the_finish_reason_breaks_nothing(then: str) -> None:
    with Loopback(streamed(chunk({"content": "Hi"}), chunk(finish="stop"), then=then)) as server:
        _, events = asked(model(server))
    assert isinstance(events[-1], Finished), events
    assert events[-1].response.content == "Hi"


def test_litellm_ends_a_stream_that_says_one_thing_a_hundred_times() -> None:
    with Loopback(streamed(*[chunk({"content": "word "})] * 120, chunk(finish="stop"), DONE)) as server:
        _, events = asked(model(server))
    last = events[-1]
    assert isinstance(last, Failed)
    assert (last.error.kind, "repeating" in last.error.message) == ("server", True)
    assert last.partial is not None
    assert last.partial.content == "word " * 100


def test_a_refused_connection_was_never_sent() -> None:
    with Loopback(whole()) as server:
        pass
    found, last, _ = failed(model(server))
    assert (found.kind, found.sent) == ("connection", "no")
    assert last.error.kind == "connection"


def test_what_a_provider_says_of_the_wait_and_the_request_is_kept() -> None:
    with Loopback(error(429, "slow_down", "take it easy", retry_after="7", x_request_id="req-1")) as server:
        found, _, _ = failed(model(server))
    assert (found.message, found.code, found.retry_after) == ("take it easy", "slow_down", 7.0)
    assert (found.request_id, found.scope) == ("req-1", "model")


def test_what_litellm_refuses_itself_was_not_sent() -> None:
    with Loopback(whole()) as server:
        nobody, _, _ = failed(model(server, "nonsense/x"))
        option, _, _ = failed(model(server, "anthropic/claude-sonnet-4-5", logit_bias={"1": 2}))
        keyless, _, _ = failed(model(server, "anthropic/claude-sonnet-4-5", api_key=None))
    assert server.requests == []
    assert (nobody.kind, nobody.sent) == ("not_found", "no")
    assert (option.kind, option.sent) == ("unsupported", "no")
    assert "logit_bias" in option.message
    assert (keyless.kind, keyless.sent) == ("authentication", "no")


@pytest.mark.parametrize("key", [KEY + "\n", KEY + "é"])
def test_a_key_that_no_header_can_carry_is_an_error_without_it(key: str) -> None:
    with Loopback(whole()) as server:
        found, last, _ = failed(model(server, api_key=key))
    assert found.kind in ("authentication", "invalid_request", "connection")
    assert KEY not in f"{found!r} {last!r}"


def test_what_was_being_handled_before_is_no_part_of_the_story() -> None:
    """A call that is made because another one failed: the other's reset isn't taken for this one's."""

    async def main(server: Loopback) -> ModelError:
        try:
            raise ConnectionResetError("an earlier one")
        except ConnectionResetError:
            return (await model(server, "nonsense/x").generate(HI)).failure()

    with Loopback(whole()) as server:
        assert asyncio.run(main(server)).kind == ErrorKind.NOT_FOUND


def test_each_exception_of_litellm_has_a_meaning() -> None:
    import litellm.exceptions

    seen = 0
    for cls in list(vars(litellm.exceptions).values()):
        if isinstance(cls, type) and issubclass(cls, Exception) and cls.__module__ == "litellm.exceptions":
            found = cls.__new__(cls)
            found.__dict__.update(message="x", response=None, original_exception=None, num_retries=None)
            found.__dict__.update(max_retries=None, provider_specific_fields=None)
            assert isinstance(translate(found), ModelError), cls
            seen += 1
    assert seen > 20


def test_what_is_no_failure_of_litellm_is_a_bug_and_raised() -> None:
    with pytest.raises(KeyError):
        translate(KeyError("x"))


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "litellm", None)
    found, last, _ = failed(LiteLLMModel("openai/x", api_base="http://127.0.0.1:9"))
    assert (found.kind, found.sent, last.error) == ("missing_dependency", "no", found)
    assert "pip install 'modelport[litellm]'" in found.message
