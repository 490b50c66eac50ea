"""Whose keys `AmazonBedrockModel` signs with, and that nobody is shown one."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from bedrock_tls import secured
from bedrock_wire import (
    ACCESS,
    HI,
    MODEL,
    SECRET,
    ask,
    error,
    failed,
    failed_stream,
    heard,
    model,
    saying,
    session,
    whole,
)
from botocore.config import Config
from botocore.tokens import DeferredRefreshableToken, FrozenAuthToken
from loopback import Loopback

from modelport import Env, TextDelta
from modelport.adapters import AmazonBedrockModel
from modelport.domain.response import Response

TOKEN = "bedrock-api-key-planted-0123456789"


def test_an_api_key_is_sent_as_botocore_sends_a_bearer_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_BEDROCK_KEY", TOKEN)
    with Loopback(saying("Hello")) as server, secured(server) as place:
        for key in (TOKEN, Env("A_BEDROCK_KEY")):
            made = AmazonBedrockModel(MODEL, api_key=key, region_name="us-east-1", **place)
            assert asyncio.run(made.generate(HI)).unwrap().content == "Hello"
            assert asyncio.run(heard(made.stream(HI)))[0] == TextDelta("Hel")
    assert [seen.headers["authorization"] for seen in server.requests] == [f"Bearer {TOKEN}"] * 4


def test_keys_that_are_given_are_used_though_the_environment_has_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", TOKEN)
    with Loopback(whole()) as server:
        assert isinstance(ask(server), Response)
    assert server.requests[0].headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS}/")


def test_a_certificate_that_isnt_trusted_is_a_connection_that_wasnt_made() -> None:
    with Loopback(whole()) as server, secured(server) as place:
        found = failed(server, endpoint_url=place["endpoint_url"])
        assert (found.kind, found.sent, server.requests) == ("connection", "no", [])


def test_a_variable_that_isnt_set_is_named() -> None:
    with Loopback(whole()) as server:
        found = failed(server, aws_secret_access_key=Env("NO_SUCH_VARIABLE_OF_OURS"))
        assert (found.kind, found.sent, server.requests) == ("authentication", "no", [])
        assert "NO_SUCH_VARIABLE_OF_OURS" in found.message


PLANTED = {
    "aws_access_key_id": "AKIAPLANTED0000000A",
    "aws_secret_access_key": "planted+secret/0000000000000000B",
    "aws_session_token": "planted-session-000000000000C",
}


def test_a_secret_among_the_options_is_not_shown() -> None:
    with Loopback(error(400, "ValidationException", "no such key: planted-option-0123")) as server:
        made = model(server, extra_body={"api_key": "planted-option-0123"}, seed=7)
        assert "planted-option" not in repr(made)
        assert "seed=7" in repr(made)
        assert asyncio.run(made.generate(HI)).failure().message == "no such key: ***"


@pytest.mark.parametrize("where", ["arguments", "variables", "client_kwargs", "session", "client", "environment"])
def test_no_secret_is_in_what_is_shown(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it was given, and though the service repeats it in its answer."""
    echo = "The canonical string should have been " + " ".join(PLANTED.values())
    with Loopback(error(403, "SignatureDoesNotMatch", echo)) as server:
        place = {"endpoint_url": f"http://127.0.0.1:{server.port}", "region_name": "us-east-1"}
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"):
            monkeypatch.delenv(name, raising=False)
        given: dict[str, Any] = dict(place)
        match where:
            case "arguments":
                given |= PLANTED
            case "variables" | "environment":
                for name, secret in PLANTED.items():
                    monkeypatch.setenv(name.upper(), secret)
                given |= {name: Env(name.upper()) for name in PLANTED} if where == "variables" else {}
            case "client_kwargs":
                given["client_kwargs"] = PLANTED
            case "session":
                given["session"] = boto3.Session(**PLANTED)
            case "client":
                given = {"client": session().client("bedrock-runtime", **place, **PLANTED)}
        made = AmazonBedrockModel(MODEL, requestMetadata={"team": "a"}, **given)
        found = asyncio.run(made.generate(HI)).failure()
        last = asyncio.run(heard(made.stream(HI)))[-1]
    assert found.kind == "authentication"
    shown = "".join(map(repr, (made, found, last))) + str(found)
    for secret in PLANTED.values():
        assert secret not in shown
    assert "canonical string" in shown


def test_a_token_that_http_cant_carry_is_not_quoted() -> None:
    with Loopback(whole()) as server:
        found = failed(server, aws_session_token="planted\nsecret-0123456789")
        assert (found.kind, found.sent) == ("authentication", "no")
        assert "secret-0123456789" not in str(found)
        assert "secret-0123456789" not in str(failed_stream(server, aws_session_token="planted\nsecret-0123456789"))


def test_keys_that_are_renewed_are_hidden_and_a_renewal_that_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given.json"
    (tmp_path / "config").write_text(
        f"[profile work]\nregion=us-east-1\ncredential_process={sys.executable} -c 'print(open(\"{given}\").read())'\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    keys = {"AccessKeyId": ACCESS, "SecretAccessKey": SECRET, "SessionToken": "planted-session-0123"}
    now = datetime.now(UTC)

    def until(end: datetime) -> None:
        given.write_text(json.dumps({"Version": 1, **keys, "Expiration": end.isoformat()}))

    with Loopback(error(500, "InternalServerException", f"{SECRET} planted-session-0123")) as server:
        place = {"profile_name": "work", "endpoint_url": f"http://127.0.0.1:{server.port}"}
        until(now + timedelta(hours=1))
        assert asyncio.run(AmazonBedrockModel(MODEL, **place).generate(HI)).failure().message == "*** ***"

        until(now + timedelta(seconds=90))  # so soon that they are renewed at once
        made = AmazonBedrockModel(MODEL, **place)
        assert asyncio.run(made.generate(HI)).failure().kind == "server"
        given.unlink()
        for _ in range(2):
            found = asyncio.run(made.generate(HI)).failure()
            assert (found.kind, found.sent) == ("authentication", "no")

        until(now - timedelta(hours=1))
        found = asyncio.run(AmazonBedrockModel(MODEL, **place).generate(HI)).failure()
        assert (found.kind, found.sent) == ("authentication", "no")
        assert len(server.requests) == 2


class Login:
    """Where botocore finds a token that is renewed, such as one of a login in the browser."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.threads: list[str] = []

    def load_token(self, **_: Any) -> Any:
        return DeferredRefreshableToken("login", self.renew)

    def renew(self) -> FrozenAuthToken:
        self.threads.append(threading.current_thread().name)
        token = self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]
        return FrozenAuthToken(token, datetime.now(UTC) + timedelta(seconds=30))


def test_a_token_that_is_renewed_is_fetched_off_the_event_loop_and_hidden() -> None:
    login = Login("planted-token-0001", "planted-token-0002", "planted-token-0003")
    inner = botocore.session.Session()
    inner.register_component("token_provider", login)
    with Loopback(lambda seen: error(403, "AccessDeniedException", seen.headers["authorization"])) as server:
        with secured(server) as place:
            place["client_kwargs"]["config"] = Config(auth_scheme_preference="httpBearerAuth")
            made = AmazonBedrockModel(
                MODEL, session=boto3.Session(botocore_session=inner), region_name="us-east-1", **place
            )
            found = [asyncio.run(made.generate(HI)).failure() for _ in range(2)]
        sent = [seen.headers["authorization"] for seen in server.requests]
    assert all(header.startswith("Bearer planted-token-000") for header in sent)
    assert [each.message for each in found] == ["Bearer ***"] * 2
    assert set(login.threads) == {"modelport-bedrock"}


def test_a_token_of_the_environment_is_sent_over_tls_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", TOKEN)
    with Loopback(error(403, "AccessDeniedException", f"no such key: {TOKEN}")) as server:
        plain = AmazonBedrockModel(
            MODEL, endpoint_url=f"http://127.0.0.1:{server.port}", region_name="us-east-1", session=boto3.Session()
        )
        refused = asyncio.run(plain.generate(HI)).failure()
        assert (refused.sent, server.requests) == ("no", [])
        assert "requires an HTTPS endpoint" in refused.message
        with secured(server) as place:
            found = asyncio.run(AmazonBedrockModel(MODEL, region_name="us-east-1", **place).generate(HI)).failure()
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert found.message == "no such key: ***"


def test_an_api_key_is_not_sent_to_an_address_of_the_environment_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(whole()) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{server.port}/")
        found = asyncio.run(AmazonBedrockModel(MODEL, api_key=TOKEN, region_name="us-east-1").generate(HI)).failure()
        assert (found.kind, found.sent, server.requests) == ("invalid_request", "no", [])
    assert "use https://" in found.message


def test_credentials_that_come_later_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with Loopback(whole()) as server:
        made = AmazonBedrockModel(MODEL, endpoint_url=f"http://127.0.0.1:{server.port}", region_name="us-east-1")
        assert asyncio.run(made.generate(HI)).failure().kind == "authentication"
        (tmp_path / "credentials").write_text(
            f"[default]\naws_access_key_id={ACCESS}\naws_secret_access_key={SECRET}\n"
        )
        assert asyncio.run(made.generate(HI)).unwrap().content == "Hello!"
