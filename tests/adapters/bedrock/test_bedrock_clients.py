"""Whose client and session `AmazonBedrockModel` uses, and what it is as a value."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import Any

import attrs
import boto3
import pytest
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


# Values


def test_a_model_is_a_value() -> None:
    keys = {"aws_access_key_id": Env("A_KEY"), "aws_secret_access_key": Env("A_SECRET")}
    one, same = (AmazonBedrockModel(MODEL, temperature=0.2, **keys) for _ in range(2))
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
