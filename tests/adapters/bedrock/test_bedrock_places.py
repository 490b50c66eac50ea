"""Where `AmazonBedrockModel` finds the service, and over what connections, by botocore's word."""

from __future__ import annotations

import asyncio
from typing import Any

import boto3
import botocore.session
import pytest
from bedrock_wire import (
    ACCESS,
    HI,
    KEYS,
    MODEL,
    SECRET,
    ask,
    failed,
    heard,
    model,
    saying,
    whole,
)
from botocore.config import Config
from loopback import Loopback

from modelport.adapters import AmazonBedrockModel
from modelport.adapters.http.http_transport import HttpTransport
from modelport.domain.response import Response


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
