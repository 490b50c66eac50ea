"""Every failure of the Messages wire is a value of the right kind, whole and streamed, in one physical request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from loopback import Answer, Loopback
from messages_faults import BROKEN, FAULTS, REFUSALS, refused
from messages_wire import HI, error, failed, failed_stream, listen, model

from modelport import Env, Failed, ScriptedModel, TextDelta, compose, with_fallback
from modelport.adapters import AnthropicModel
from modelport.adapters.anthropic.errors import translate


@pytest.mark.parametrize(("answer", "kind"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
def test_a_refusal_is_of_this_kind_whole_and_streamed_in_one_request(answer: Answer, kind: str) -> None:
    with Loopback(answer) as server:
        found, last = failed(server), failed_stream(server)
    assert (found.kind, found.status, found.sent) == (kind, answer.status, "yes")
    assert last == Failed(found)
    assert (found.provider, found.model_id) == ("anthropic", "claude-sonnet-5-5")
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
    assert (last.error.kind, last.error.sent) == (kind, "yes")
    assert last.partial is not None
    assert last.partial.content == "Hello"
    assert len(server.requests) == 1


def test_an_error_says_what_anthropic_said() -> None:
    answer = error(
        529, "overloaded_error", "take   it\neasy", request_id="req_9", retry_after="7", x_should_retry="true"
    )
    with Loopback(answer) as server:
        found = failed(server)
    assert (found.message, found.code, found.request_id) == ("take it easy", "overloaded_error", "req_9")
    assert (found.retry_after, found.should_retry, found.scope) == (7.0, True, "model")


def test_the_code_of_the_details_says_more_than_the_type() -> None:
    with Loopback(refused(429, "no", "rate_limit_error", "enforced_spend_limit_reached")) as server:
        assert failed(server).code == "enforced_spend_limit_reached"


def test_an_option_that_a_model_refuses_has_its_remedy() -> None:
    with Loopback(refused(400, "`temperature` is deprecated for this model.")) as server:
        found = failed(server, temperature=0.2)
    assert found.message == (
        "`temperature` is deprecated for this model. "
        "(take it away: temperature=OMIT in the call, or drop_options=['temperature'] for every call)"
    )


def test_a_refused_option_leads_to_the_fallback() -> None:
    with Loopback(refused(400, "temperature: Extra inputs are not permitted")) as server:
        stack = compose(model(server, temperature=0.2), with_fallback(ScriptedModel("Hi!")))
        assert stack("Hello").content == "Hi!"


def test_a_redirect_is_not_followed() -> None:
    with Loopback(Answer(307, {"location": "http://127.0.0.1:9/v1"})) as server:
        found = failed(server)
    assert found.kind == "not_found"
    assert "the address is now http://127.0.0.1:9/v1, which isn't followed" in found.message


def test_nobody_listens_there() -> None:
    found = asyncio.run(AnthropicModel("m", base_url="http://127.0.0.1:9", api_key="k").generate(HI)).failure()
    assert (found.kind, found.sent) == ("connection", "no")
    assert found.message.startswith("http://127.0.0.1:9/v1/messages: ")


def none_left() -> str:
    raise ConnectionRefusedError("the token server is away")


def broken() -> str:
    raise RuntimeError("no token today")


@pytest.mark.parametrize(
    ("key", "kind", "words"),
    [
        (None, "authentication", "there is no API key: pass api_key=... or set ANTHROPIC_API_KEY"),
        (Env("NO_SUCH_KEY"), "authentication", "the environment variable NO_SUCH_KEY isn't set"),
        ("가", "invalid_request", "a character that HTTP can't carry"),
        (lambda: "", "authentication", "the callable given as api_key gave no key, but str"),
        (broken, "authentication", "the callable given as api_key raised RuntimeError"),
        (none_left, "connection", "the callable given as api_key raised ConnectionRefusedError"),
    ],
)
def test_a_key_that_is_not_there_is_told_and_nothing_is_sent(
    key: Any, kind: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN", raising=False)
    with Loopback(error(500)) as server:
        found = failed(server, api_key=key)
        assert server.requests == []
    assert (found.kind, found.sent) == (kind, "no")
    assert words in found.message


def test_what_is_no_failure_of_a_provider_is_raised_again() -> None:
    with pytest.raises(ZeroDivisionError):
        translate(ZeroDivisionError())


def test_a_missing_library_is_told_with_its_extra() -> None:
    found = translate(ModuleNotFoundError("No module named 'aiohttp'", name="aiohttp"))
    assert (found.kind, found.message) == (
        "missing_dependency",
        "No module named 'aiohttp'; pip install 'modelport[anthropic]'",
    )
