"""What nobody would notice if it were otherwise: edges of settings, texts, reprs and tables, each said once."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from modelport import (
    OMIT,
    Document,
    Layer,
    ScriptedModel,
    Slots,
    VirtualClock,
    as_messages,
    as_request,
    compose,
    from_json,
    lint,
    to_json,
    with_cache,
    with_check,
    with_fallback,
    with_route,
)
from modelport.adapters.process import deadline
from modelport.composition.layers.budget import Purse
from modelport.composition.layers.known_secrets import known_secrets
from modelport.domain.forms.redaction import redacted_text
from modelport.domain.machines.budget import Cost
from modelport.domain.machines.pacing import Pace
from modelport.domain.secrecy import is_secret
from modelport.domain.tools.calls_in_text import parse_tool_calls

MODEL, SPARE = ScriptedModel("Hi", model_id="m"), ScriptedModel("b", model_id="spare")


def route(max_wait: float | None) -> Layer:
    return with_route(SPARE, by="weighted", weights=[1, 2], max_wait=max_wait)


@pytest.mark.parametrize("max_wait", [0, 0.5])
def test_a_route_may_wait_for_no_time_or_for_less_than_a_second(max_wait: float) -> None:
    assert compose(MODEL, route(max_wait)).policy.max_wait == max_wait  # type: ignore[attr-defined]


def test_routes_of_equal_settings_are_equal() -> None:
    one, same, other = (compose(MODEL, route(max_wait)).policy for max_wait in (0, 0, 0.5))
    assert one == same
    assert one != other


def test_an_answer_may_be_good_for_less_than_a_second() -> None:
    assert repr(compose(MODEL, with_cache(ttl=0.5)).policy) == "Cache(ttl=0.5)"


def test_a_checked_model_shows_its_check_and_itself() -> None:
    assert repr(compose(MODEL, with_check({"type": "object"}))) == (
        "Check(schema a2c79926)(ScriptedModel('m', 1 answers))"
    )


def test_what_lint_says_of_a_cache_outside_a_fallback() -> None:
    (finding,) = lint(compose(MODEL, with_fallback(SPARE), with_cache()))
    assert str(finding) == (
        "cache-outside-fallback: Cache() around Fallback(): an answer of the substitute is kept and given when "
        "the first model is well again; write with_cache before with_fallback in compose"
    )


def test_a_rate_that_is_no_whole_number_has_one_window() -> None:
    assert Pace(7.5).limits == ((1, 8_000_000_000),)


@pytest.mark.parametrize("key", ["AKIAABCDEFGHIJKLMNOP", "ASIA0123456789ABCDEF"])
def test_a_key_of_aws_is_a_secret_with_and_without_digits(key: str) -> None:
    assert redacted_text(f"the key {key} is wrong") == "the key *** is wrong"


@pytest.mark.parametrize(("letters", "known"), [("abcdefghijklmnop", True), ("abcdefghijklmno", False)])
def test_sixteen_letters_without_a_digit_may_be_a_secret_and_fewer_are_a_word(
    letters: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", letters)
    assert (letters in known_secrets(MODEL)) is known


SECRETS = [
    "accesskey", "accesskeyid", "accesstoken", "apikey", "apitoken", "auth", "authentication", "authorization",
    "authorizationtoken", "authtoken", "awsaccesskeyid", "awsbearertokenbedrock", "awssecretaccesskey",
    "awssessiontoken",
    "azureadtoken", "azureadtokenprovider", "bearertoken", "clientsecret", "cookie", "cookies", "credentials",
    "hftoken", "idtoken", "ocpapimsubscriptionkey", "openaiapikey", "password", "passwd", "privatekey",
    "proxyauthorization", "refreshtoken", "secret", "secretaccesskey", "secretkey", "sessiontoken", "setcookie",
    "subscriptionkey", "token", "useauthtoken", "vertexcredentials", "xaccesstoken", "xamzsecuritytoken",
    "xapikey", "xauthtoken", "xgoogapikey",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_name_of_a_secret_is_known(name: str) -> None:
    assert is_secret(name)


def test_an_option_that_is_taken_away_is_written_as_such() -> None:
    written = to_json(as_request("Hi", seed=OMIT))
    assert written["options"] == {"seed": {"$omit": True}}
    assert from_json(written).options == {"seed": OMIT}


def test_a_name_alone_is_no_call() -> None:
    assert parse_tool_calls('[{"name":"x"}]') == ()


def test_a_message_that_smolagents_counted_is_read() -> None:
    message = {"role": "user", "content": "Hi", "token_usage": {"input_tokens": 1}}
    assert as_messages([message]) == as_messages("Hi")


def test_a_document_shows_no_metadata() -> None:
    document = Document(b"%PDF", metadata={"team": "red"})
    assert repr(document) == "Document(data=<4 bytes>)"


@pytest.mark.parametrize(("length", "shown"), [(60, "a" * 60), (61, "a" * 57 + "...")])
def test_up_to_sixty_characters_are_shown_of_what_was_passed(length: int, shown: str) -> None:
    with pytest.raises(ValueError, match=f"'{shown.replace('.', '[.]')}' is no URL"):
        as_messages([{"role": "user", "content": [{"type": "image", "url": "a" * length}]}])


@pytest.mark.parametrize("what", ["slots", "purse"])
def test_no_timer_is_left_after_admission(what: str) -> None:
    clock = VirtualClock()

    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        with deadline.within(100, clock):
            if what == "slots":
                slots = Slots(1, clock=clock)
                first = await slots.take()
                waits = asyncio.ensure_future(slots.take())
                await asyncio.sleep(1)
                slots.give_back(first.ticket)  # type: ignore[union-attr]
            else:
                purse = Purse(tokens=10, max_wait=math.inf)
                await purse.take(Cost(10), clock)
                waits = asyncio.ensure_future(purse.take(Cost(10), clock))  # type: ignore[arg-type]
                await asyncio.sleep(1)
                purse.settle(Cost(10), Cost())
            await waits
        return [timer for timer in loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]

    assert clock.run(main()) == []
