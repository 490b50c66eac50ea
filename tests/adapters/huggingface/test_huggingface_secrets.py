"""No token, header or cookie of `InferenceClientModel` is shown: a planted secret, passed in every way there is."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest
from huggingface_calls import HI, heard
from huggingface_process import run
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import Answer, Loopback, Seen, body, sse, streamed

from modelport import Request, fingerprint, from_dict, to_dict
from modelport.adapters.huggingface.model import InferenceClientModel
from modelport.adapters.process.secret import Env
from modelport.domain.event import Failed

pytest.importorskip("huggingface_hub")

WAYS: dict[str, Any] = {
    "token": lambda secret: {"token": secret},
    "api_key": lambda secret: {"api_key": secret},
    "a variable": lambda secret: {"token": Env("PLANTED")},
    "headers": lambda secret: {"token": "none", "headers": {"X-API-Key": secret}},
    "authorization": lambda secret: {"token": "none", "headers": {"Authorization": f"Bearer {secret}"}},
    "a variable in headers": lambda secret: {"token": "none", "headers": {"X-API-Key": Env("PLANTED")}},
    "a variable in a header of one's own": lambda secret: {"token": "none", "headers": {"X-Door": Env("PLANTED")}},
    "cookies": lambda secret: {"token": "none", "cookies": {"session": secret}},
    "client_kwargs": lambda secret: {"token": "none", "client_kwargs": {"headers": {"x-api-key": secret}}},
    "kwargs' cookies": lambda secret: {"token": "none", "client_kwargs": {"cookies": {"session": secret}}},
    "extra_headers": lambda secret: {"token": "none", "extra_headers": {"x-api-key": secret}},
}


def echo(seen: Seen) -> Answer:
    """A server that shows all that it was sent: refused, or in the midst of a stream."""
    error = {"message": f"no: {dict(seen.headers)}", "code": seen.headers.get("authorization", "x")}
    if seen.body and seen.json.get("stream"):
        return streamed(sse({"error": error}))
    return body({"error": error}, 401)


async def outcome(model: Any) -> list[object]:
    found = (await model.generate(HI)).failure()
    events = await heard(model.stream(HI))
    assert isinstance(events[-1], Failed)
    return [found, str(found), events, str(events[-1].error)]


def everything_shown(model: Any) -> str:
    """All that a user may come to see: reprs, errors, logs, the traceback of a failed call."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logger = logging.getLogger()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        told = asyncio.run(outcome(model))
        try:
            model("hi")
        except Exception:
            told.append(traceback.format_exc())
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    return f"{model!r} {model} {told} {log.getvalue()}"


LETTERS = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"\\';,")
SECRETS = st.text(LETTERS, min_size=12, max_size=40).map("hf_{}~".format)  # no word that is shown for another reason


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=5, deadline=None)
@given(secret=SECRETS)
def test_a_planted_secret_is_sent_and_never_shown(way: str, secret: str) -> None:
    with pytest.MonkeyPatch.context() as environment, Loopback(echo) as server:
        environment.setenv("PLANTED", secret)
        model = InferenceClientModel("org/name", base_url=server.url, **WAYS[way](secret))
        shown = everything_shown(model)
        assert secret in str(server.requests[0].headers)
    assert secret not in shown


def test_a_secret_of_one_call_is_never_shown() -> None:
    options = {"extra_headers": {"x-api-key": "planted-key-0123456789"}}
    with Loopback(echo) as server:
        model = InferenceClientModel("org/name", base_url=server.url, token="none")
        request = Request(HI.messages, options=options)
        found = asyncio.run(model.generate(request)).failure()
        events = asyncio.run(heard(model.stream(request)))
    assert [seen.headers["x-api-key"] for seen in server.requests] == ["planted-key-0123456789"] * 2
    assert "planted" not in f"{found!r} {events} {request!r}"


def test_a_variable_may_stand_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "planted-key-0123456789")
    with Loopback(echo) as server:
        model = InferenceClientModel("org/name", base_url=server.url, token="none", extra_body={"key": Env("PLANTED")})
        found = asyncio.run(model.generate(HI)).failure()
    assert server.requests[0].json["key"] == "planted-key-0123456789"
    assert "planted" not in repr(found)


def test_a_secret_of_an_injected_client_is_never_shown() -> None:
    async def main(server: Loopback) -> str:
        from huggingface_hub import AsyncInferenceClient

        secret = "hf_planted_0123456789"
        async with AsyncInferenceClient(
            base_url=server.url,
            token=secret,
            headers={"x-api-key": "planted-key"},
            cookies={"session": "planted-cookie"},
        ) as client:
            model = InferenceClientModel("org/name", client=client)
            return f"{model!r} {await outcome(model)}"

    with Loopback(echo) as server:
        shown = asyncio.run(main(server))
    assert "planted" not in shown
    assert "planted" in str(server.requests[0].headers)


@pytest.mark.parametrize("token", ["hf_planted\n0123456789", "hf_planted_0123456789é"])
def test_a_token_that_no_header_can_carry_is_an_error_without_it(token: str) -> None:
    with Loopback(echo) as server:
        model = InferenceClientModel("org/name", base_url=server.url, token=token)
        found = asyncio.run(model.generate(HI)).failure()
    assert found.kind in ("authentication", "invalid_request")
    assert found.sent == "no"
    assert "planted" not in f"{found!r}"
    assert server.requests == []


def test_the_stored_login_and_the_variable_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hf_planted_login")
    with Loopback(echo) as server:
        shown = run("ask('org/name')", server, tmp_path)
        shown += run("ask('org/name')", server, tmp_path, HF_TOKEN="hf_planted_variable")
    assert [seen.headers["authorization"] for seen in server.requests] == [
        "Bearer hf_planted_login",
        "Bearer hf_planted_variable",
    ]
    assert "planted" not in json.dumps(shown)


@pytest.mark.parametrize("way", sorted(WAYS.keys() - {"authorization"}))
def test_a_configuration_names_the_variable_and_comes_back(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "hf_planted_0123456789")
    model = InferenceClientModel("org/name", base_url="http://127.0.0.1:9", **WAYS[way]("hf_planted_0123456789"))
    written = json.dumps(to_dict(model))
    assert "hf_planted" not in written
    assert '{"env": "PLANTED"}' in written
    again = from_dict(json.loads(written))
    assert to_dict(again) == to_dict(model)


def test_a_configuration_refuses_a_secret_that_stands_in_no_variable() -> None:
    for way in [name for name in WAYS if not name.startswith("a variable")]:
        with pytest.raises(ValueError, match="to_dict|secret") as raised:
            to_dict(InferenceClientModel("org/name", **WAYS[way]("hf_planted_0123456789")))
        assert "hf_planted" not in str(raised.value)


def test_a_configuration_keeps_all_that_was_passed() -> None:
    model = InferenceClientModel(
        "org/name",
        provider="novita",
        token=Env("MY_TOKEN"),
        bill_to="acme",
        headers={"x-mine": "yes"},
        cookies={"a": Env("MY_COOKIE")},
        timeout=7.5,
        requests_per_minute=60,
        custom_role_conversions={"system": "user"},
        flatten_messages_as_text=True,
        temperature=0.2,
    )
    written = json.loads(json.dumps(to_dict(model)))
    assert written["provider"] == "novita"
    assert written["token"] == {"env": "MY_TOKEN"}
    assert from_dict(written) == model
    assert to_dict(InferenceClientModel()) == {
        "adapter": "InferenceClientModel",
        "model_id": InferenceClientModel().model_id,
    }


def test_a_model_with_a_variable_can_be_pickled_without_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED", "hf_planted_0123456789")
    model = InferenceClientModel("org/name", token=Env("PLANTED"))
    written = pickle.dumps(model)
    assert b"hf_planted" not in written
    assert pickle.loads(written) == model


def test_a_fingerprint_knows_no_secret() -> None:
    one, two = (Request(HI.messages, options={"extra_headers": {"authorization": key}}) for key in ("a", "b"))
    assert fingerprint(one) == fingerprint(two)
