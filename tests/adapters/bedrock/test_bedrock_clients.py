"""Whose client `AmazonBedrockModel` uses, whose keys, and what becomes of them."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import boto3
import botocore.session
import pytest
from bedrock_tls import secured
from bedrock_wire import (
    ACCESS,
    BEGIN,
    HI,
    KEYS,
    MODEL,
    SECRET,
    ask,
    error,
    failed,
    failed_stream,
    heard,
    model,
    refusal,
    saying,
    session,
    streamed,
    text_delta,
    whole,
)
from botocore.config import Config
from botocore.tokens import DeferredRefreshableToken, FrozenAuthToken
from loopback import Answer, Loopback

from modelport import Capabilities, Env, Failed, TextDelta, from_dict, to_dict
from modelport.adapters import AmazonBedrockModel
from modelport.adapters.http.http_transport import HttpTransport
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.response import Response

TOKEN = "bedrock-api-key-planted-0123456789"


def client(server: Loopback, **config: Any) -> Any:
    address = f"http://127.0.0.1:{server.port}"
    return session().client("bedrock-runtime", endpoint_url=address, config=Config(**config), **KEYS)


# Clients


@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_a_client_with_retries_makes_one_attempt_for_us_and_stays_as_it_was(mode: Any) -> None:
    """The client of `boto3.client("bedrock-runtime")` would try five times."""
    with Loopback(error(503, "ServiceUnavailableException")) as server:
        given = client(server, retries={"total_max_attempts": 2, "mode": mode})
        before = dict(vars(given))
        made = AmazonBedrockModel(MODEL, client=given)
        assert asyncio.run(made.generate(HI)).failure().kind == "overloaded"
        assert len(server.requests) == 1
        assert vars(given) == before
        assert given.meta.config.retries["mode"] == mode
        with pytest.raises(given.exceptions.ServiceUnavailableException):
            given.converse(modelId=MODEL, messages=[{"role": "user", "content": [{"text": "hi"}]}])
        assert len(server.requests) == 3


def test_what_a_clients_owner_hooked_into_it_still_runs() -> None:
    with Loopback(saying("Hello")) as server:
        given = client(server)

        def mark(request: Any, **_: Any) -> None:
            request.headers["x-team"] = "a"

        given.meta.events.register("before-sign.bedrock-runtime", mark)
        made = AmazonBedrockModel(MODEL, client=given)
        asyncio.run(made.generate(HI))
        asyncio.run(heard(made.stream(HI)))
        assert [seen.headers["x-team"] for seen in server.requests] == ["a", "a"]


class Traced:
    """A stream that a tool for tracing has put its own around."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.seen: list[str] = []

    def __iter__(self) -> Any:
        for event in self.inner:
            self.seen += event
            yield event

    def close(self) -> None:
        self.inner.close()


def test_a_tool_that_reads_along_sees_every_event() -> None:
    traced: list[Traced] = []

    def wrap(parsed: Any, **_: Any) -> None:
        traced.append(Traced(parsed["stream"]))
        parsed["stream"] = traced[-1]

    with Loopback(saying("Hello there")) as server:
        given = client(server)
        plain = asyncio.run(heard(AmazonBedrockModel(MODEL, client=given).stream(HI)))
        given.meta.events.register("after-call.bedrock-runtime.ConverseStream", wrap)
        assert asyncio.run(heard(AmazonBedrockModel(MODEL, client=given).stream(HI))) == plain
        server.script = [streamed(BEGIN, text_delta("Hel"), refusal("throttlingException", "slow"))]
        events = asyncio.run(heard(AmazonBedrockModel(MODEL, client=given).stream(HI)))
    assert traced[0].seen == ["messageStart", *["contentBlockDelta"] * 4, "contentBlockStop", "messageStop", "metadata"]
    last = events[-1]
    assert isinstance(last, Failed)
    assert (last.error.kind, last.error.code, last.error.message) == ("rate_limited", "throttlingException", "slow")


@pytest.mark.parametrize(
    ("options", "place"),
    [({"requestMetadata": {"team": 7}}, "requestMetadata.team"), ({"serviceTier": {}}, 'serviceTier: "type"')],
)
def test_a_clients_own_checks_name_the_place_and_nothing_is_sent(options: dict[str, Any], place: str) -> None:
    with Loopback(whole()) as server:
        made = AmazonBedrockModel(MODEL, client=client(server), **options)
        found = asyncio.run(made.generate(HI)).failure()
        assert (found.kind, found.sent, server.requests) == ("invalid_request", "no", [])
        assert place in found.message


class Fake:
    """A client of somebody's own, with boto3's two methods and nothing else."""

    def converse(self, **arguments: Any) -> Any:
        message = {"role": "assistant", "content": [{"text": arguments["messages"][0]["content"][0]["text"].upper()}]}
        return {"output": {"message": message}, "stopReason": "end_turn"}

    def converse_stream(self, **arguments: Any) -> Any:
        return {"stream": FakeStream()}


class FakeStream:
    """Events as boto3 gives them."""

    closed = False

    def __iter__(self) -> Any:
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "HI"}}}
        yield {"messageStop": {"stopReason": "end_turn"}}
        yield {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}}

    def close(self) -> None:
        FakeStream.closed = True


def test_a_client_that_isnt_boto3s_is_used_as_it_is() -> None:
    made = AmazonBedrockModel(MODEL, client=Fake())
    assert asyncio.run(made.generate(HI)).unwrap().content == "HI"
    assert asyncio.run(heard(made.stream(HI)))[0] == TextDelta("HI")
    assert FakeStream.closed


class Listed(Fake):
    """One that gives its events as a list."""

    def converse_stream(self, **arguments: Any) -> Any:
        return {"stream": list(FakeStream())}


class Asynchronous:
    """As aiobotocore's."""

    async def converse(self, **arguments: Any) -> Any:
        """Awaited."""

    async def converse_stream(self, **arguments: Any) -> Any:
        """Awaited."""


def test_a_clients_stream_may_be_any_events() -> None:
    events = asyncio.run(heard(AmazonBedrockModel(MODEL, client=Listed()).stream(HI)))
    assert events[0] == TextDelta("HI")


def test_models_that_share_a_session_make_their_clients_one_by_one() -> None:
    async def main(made: list[AmazonBedrockModel]) -> list[str]:
        return [(result).unwrap().content for result in await asyncio.gather(*(each.generate(HI) for each in made))]

    with Loopback(whole()) as server:
        shared = boto3.Session()
        assert asyncio.run(main([model(server, session=shared) for _ in range(8)])) == ["Hello!"] * 8


@pytest.mark.parametrize("timeout", [None, 1e10, float("inf")])
def test_without_a_timeout_or_with_one_without_end_it_waits(timeout: float | None) -> None:
    with Loopback(whole()) as server:
        found = ask(server, timeout=timeout)
        assert isinstance(found, Response)


def test_a_session_and_a_profile_are_used(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").write_text(f"[work]\naws_access_key_id={ACCESS}\naws_secret_access_key={SECRET}\n")
    (tmp_path / "config").write_text("[profile work]\nregion=eu-west-3\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    with Loopback(whole()) as server:
        address = f"http://127.0.0.1:{server.port}"
        ways: list[dict[str, Any]] = [{"profile_name": "work"}, {"session": boto3.Session(profile_name="work")}]
        for fields in ways:
            asyncio.run(AmazonBedrockModel(MODEL, endpoint_url=address, **fields).generate(HI)).unwrap()
            assert f"{ACCESS}/" in server.requests[-1].headers["authorization"]
            assert "/eu-west-3/bedrock/" in server.requests[-1].headers["authorization"]


def test_client_kwargs_and_their_config_reach_boto3_but_for_retries() -> None:
    with Loopback(error(503, "ServiceUnavailableException")) as server:
        config = Config(user_agent_extra="my-app/1", retries={"total_max_attempts": 4, "mode": "standard"})
        failed(server, client_kwargs={"config": config, "aws_session_token": "a-session"}, region_name="eu-west-1")
        (seen,) = server.requests
    assert "my-app/1" in seen.headers["user-agent"]
    assert seen.headers["x-amz-security-token"] == "a-session"
    assert "/eu-west-1/" in seen.headers["authorization"]


def test_a_timeout_of_one_call_is_its_own() -> None:
    with Loopback(Answer(0, then="stall")) as server:
        made = model(server)
        found = asyncio.run(made.generate(Request([Message("user", "hi")], options={"timeout": 0.2}))).failure()
        assert found.kind == "timeout"
        server.script = [whole()]
        assert asyncio.run(made.generate(HI)).unwrap().content == "Hello!"


@pytest.mark.parametrize("timeout", [0, -1, "soon"])
def test_a_timeout_that_is_none_is_a_bad_request(timeout: Any) -> None:
    with Loopback(whole()) as server:
        found = ask(server, Request([Message("user", "hi")], options={"timeout": timeout}))
        assert not isinstance(found, Response)
        assert (found.kind, found.sent, server.requests) == ("invalid_request", "no", [])
        assert "timeout is a positive number" in found.message


# Keys


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
        assert repr(made).endswith(", extra_body={'api_key': '***'}, seed=7)")
        assert "max_concurrency" not in repr(made)
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


# Places and connections


@pytest.mark.parametrize(
    ("fields", "variables", "address"),
    [
        ({}, {"AWS_DEFAULT_REGION": "eu-west-3"}, "https://bedrock-runtime.eu-west-3.amazonaws.com"),
        ({"region_name": "us-gov-west-1"}, {}, "https://bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ({"region_name": "cn-north-1"}, {}, "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ({"region_name": "x", "endpoint_url": "http://h:1/p/"}, {}, "http://h:1/p"),
        ({"region_name": "x"}, {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://h:2"}, "http://h:2"),
        (
            {"region_name": "us-east-1"},
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
        ),
        (
            {"region_name": "us-east-1", "client_kwargs": {"config": Config(use_dualstack_endpoint=True)}},
            {},
            "https://bedrock-runtime.us-east-1.api.aws",
        ),
    ],
)
def test_botocore_says_where_the_service_is(
    fields: dict[str, Any], variables: dict[str, str], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    keys = {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET}
    connection = AmazonBedrockModel(MODEL, **keys, **fields)._connected()
    post, _ = connection.sign("/model/m/converse", b"{}", stream=False)
    assert post.address == f"{address}/model/m/converse"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, HttpTransport()),
        ({"proxies": {}}, HttpTransport(proxy=False)),
        ({"proxies": {"https": "proxy:3128"}}, HttpTransport(proxy=False)),
        ({"proxies": {"http": "//proxy:3128"}}, HttpTransport(proxy="http://proxy:3128")),
        ({"proxies": {"http": "https://proxy:3128"}}, HttpTransport(proxy="https://proxy:3128")),
        ({"client_cert": "me.pem"}, HttpTransport(certificate="me.pem")),
        ({"client_cert": ("me.pem", "key.pem")}, HttpTransport(certificate=("me.pem", "key.pem"))),
    ],
)
def test_boto3s_proxies_and_certificates_are_the_transports(
    config: dict[str, Any], expected: HttpTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    made = AmazonBedrockModel(MODEL, endpoint_url="http://h:1", client_kwargs={"config": Config(**config)}, **KEYS)
    assert made._connected().transport == expected


def test_certificates_to_trust_are_boto3s_and_a_transport_brings_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AmazonBedrockModel(
        MODEL, client_kwargs={"verify": "ca.pem"}, **KEYS
    )._connected().transport == HttpTransport(ca="ca.pem")
    monkeypatch.setenv("AWS_CA_BUNDLE", "aws.pem")
    assert AmazonBedrockModel(MODEL, **KEYS)._connected().transport == HttpTransport(ca="aws.pem")
    assert AmazonBedrockModel(MODEL, client_kwargs={"verify": True}, **KEYS)._connected().transport == HttpTransport()
    own = HttpTransport(idle=1.0)
    assert AmazonBedrockModel(MODEL, transport=own, **KEYS)._connected().transport is own


def test_boto3s_timeouts_are_the_calls() -> None:
    def timeouts(**fields: Any) -> tuple[float | None, float | None]:
        found = AmazonBedrockModel(MODEL, **KEYS, **fields)._connected().timeouts
        return found.connect, found.silence

    assert timeouts() == (5.0, 600.0)
    assert timeouts(timeout=2) == (2, 2)
    assert timeouts(timeout=None) == (5.0, None)
    assert timeouts(client_kwargs={"config": Config(connect_timeout=1, read_timeout=9)}) == (1, 9)


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"colour": "red"}, "boto3's client can't be made: "),
        ({"endpoint_url": "nowhere"}, "boto3's client can't be made: Invalid endpoint: nowhere"),
    ],
)
def test_what_boto3_refuses_is_a_bad_request(kwargs: dict[str, Any], says: str) -> None:
    found = asyncio.run(AmazonBedrockModel(MODEL, client_kwargs=kwargs, **KEYS).generate(HI)).failure()
    assert (found.kind, found.sent) == ("invalid_request", "no")
    assert says in found.message


def test_a_region_that_is_none_is_botocores_to_refuse() -> None:
    found = asyncio.run(AmazonBedrockModel(MODEL, **{**KEYS, "region_name": "not a region"}).generate(HI)).failure()
    assert (found.kind, found.sent) == ("not_found", "no")


def test_a_sessions_configuration_is_used_and_what_has_no_effect_is_refused() -> None:
    inner = botocore.session.Session()
    inner.set_default_client_config(Config(user_agent_extra="my-app/2"))
    with Loopback(whole()) as server:
        assert isinstance(ask(server, session=boto3.Session(botocore_session=inner)), Response)
        assert "my-app/2" in server.requests[0].headers["user-agent"]
        inner.set_default_client_config(Config(tcp_keepalive=True))
        found = failed(server, session=boto3.Session(botocore_session=inner))
        assert (found.kind, found.sent, len(server.requests)) == ("invalid_request", "no", 1)
    assert "the configuration of boto3: tcp_keepalive has no effect here" in found.message


def test_what_a_sessions_owner_hooked_into_it_runs_for_each_call() -> None:
    inner = botocore.session.Session()
    seen: list[str] = []

    def mark(request: Any, operation_name: str, **_: Any) -> None:
        seen.append(operation_name)
        request.headers["x-team"] = "a"

    inner.register("before-sign.bedrock-runtime", mark)
    with Loopback(saying("Hello")) as server:
        made = model(server, session=boto3.Session(botocore_session=inner))
        asyncio.run(made.generate(HI))
        asyncio.run(heard(made.stream(HI)))
        assert [each.headers["x-team"] for each in server.requests] == ["a", "a"]
        assert "x-team" in server.requests[0].headers["authorization"]
    assert seen == ["Converse", "ConverseStream"]


# Values


def test_a_model_is_a_value() -> None:
    one, same = (AmazonBedrockModel(MODEL, temperature=0.2, **KEYS) for _ in range(2))
    assert one == same == copy.deepcopy(one) == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(same)
    assert one != AmazonBedrockModel(MODEL, region_name="us-east-1", temperature=0.3)


def test_a_model_goes_into_a_dict_and_back_without_its_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)
    made = AmazonBedrockModel(
        MODEL,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:4566",
        aws_access_key_id=Env("A_KEY"),
        aws_secret_access_key=SECRET,
        requests_per_minute=60,
        custom_role_conversions={"system": "user"},
        temperature=0.2,
        guardrailConfig={"guardrailIdentifier": "g1", "guardrailVersion": "1"},
    )
    written = to_dict(made)
    assert SECRET not in json.dumps(written)
    again = from_dict(json.loads(json.dumps(written)))
    assert isinstance(again, AmazonBedrockModel)
    assert to_dict(again) == written
    assert (again.region_name, again.endpoint_url) == ("us-east-1", "http://127.0.0.1:4566")
    assert again.options == made.options
    with Loopback(whole()) as server:
        monkeypatch.setenv("A_KEY", ACCESS)
        asyncio.run(attrs.evolve(again, endpoint_url=f"http://127.0.0.1:{server.port}").generate(HI)).unwrap()
        assert f"{ACCESS}/" in server.requests[0].headers["authorization"]


def test_how_many_stops_it_takes_goes_by_the_model_and_can_be_said() -> None:
    assert AmazonBedrockModel("openai.gpt-oss-20b-1:0").capabilities.max_stops == 0
    assert AmazonBedrockModel(MODEL, capabilities=Capabilities(max_stops=7)).capabilities.max_stops == 7


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model_id": ""}, "model_id"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": "soon"}, "timeout is a positive number of seconds"),
        ({"max_concurrency": 8}, "no max_concurrency, since calls need no threads; with_concurrency(...)"),
        ({"client": Fake(), "timeout": 5}, "client= brings its own timeout"),
        ({"client": Fake(), "transport": HttpTransport()}, "client= brings its own transport"),
        ({"client_kwargs": {"verify": False}}, "verify=False isn't possible; verify='ca.pem'"),
        ({"client_kwargs": {"config": Config(tcp_keepalive=True)}}, "config: tcp_keepalive has no effect here"),
        (
            {"client_kwargs": {"config": Config(proxies_config={"proxy_ca_bundle": "x"})}},
            "config: proxies_config has no",
        ),
        ({"client_kwargs": {"region_name": "x"}, "region_name": "y"}, "region_name stands in client_kwargs too"),
        ({"client_kwargs": {"verify": "x"}, "transport": HttpTransport()}, "transport= brings its own verify"),
        (
            {"client_kwargs": {"config": Config(proxies={}, client_cert="x")}, "transport": HttpTransport()},
            "transport= brings its own config.proxies, config.client_cert",
        ),
        ({"endpoint_url": "localhost"}, "endpoint_url is an address"),
        ({"endpoint_url": "http://u:p@127.0.0.1/"}, "no password"),
        ({"endpoint_url": "http://[::1"}, "endpoint_url is an address"),
        ({"aws_access_key_id": "a"}, "go together"),
        ({"aws_session_token": "a"}, "go together"),
        ({"api_key": "a", "aws_access_key_id": "b", "aws_secret_access_key": "c"}, "keep one of the two"),
        ({"api_key": TOKEN, "endpoint_url": "http://127.0.0.1:4566"}, "use https://"),
        ({"api_key": 7}, "api_key is text or Env('NAME'), not int"),
        ({"client": object()}, "client= takes boto3's client of bedrock-runtime, not object"),
        ({"client": Asynchronous()}, "client= takes boto3's client of bedrock-runtime, not Asynchronous"),
        ({"client": Fake(), "region_name": "us-east-1"}, "client= brings its own region_name"),
        ({"session": object()}, "session= takes a boto3.Session, not object"),
        ({"session": boto3, "profile_name": "x"}, "session= brings its own profile_name"),
        ({"stopSequences": ["x"]}, "stop_sequences"),
        ({"custom_role_conversions": {"x": "user"}}, "custom_role_conversions"),
        ({"requests_per_minute": 0}, ""),
    ],
)
def test_a_programmers_mistake_raises_at_construction(fields: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        AmazonBedrockModel(**{"model_id": MODEL, **fields})
    assert says in str(raised.value)
