"""A release of boto3 that no longer has what is leaned on: one warning says what is lost, and no key is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("boto3")

import bedrock_wire as bedrock
import botocore.awsrequest
import botocore.client
import botocore.credentials
import botocore.endpoint
import botocore.eventstream
import botocore.hooks
import botocore.httpsession
import botocore.parsers
import botocore.retries.standard
import botocore.signers
import botocore.tokens
import botocore.validate
import urllib3.connection
from botocore.config import Config
from botocore.tokens import FrozenAuthToken
from loopback import Loopback
from other_release import of_another_release, renamed

from modelport import as_request
from modelport.adapters.bedrock import sdk as bedrock_sdk
from modelport.adapters.bedrock.model import AmazonBedrockModel
from modelport.adapters.process import inside
from modelport.adapters.process.inside import LibraryChanged
from modelport.domain.event import Failed

HI = as_request("hi")


@pytest.fixture(autouse=True)
def in_a_new_process() -> Iterator[None]:
    """Where nothing has been told yet."""
    inside._said.clear()
    yield
    inside._said.clear()


ENDPOINT, SESSION, SERIALIZER = "_endpoint", "_endpoint.http_session", "_serializer"
SIGNER, CREDENTIALS, EVENTS, CLIENT = "_request_signer", "_request_signer._credentials", "meta.events", ""


def at(client: Any, path: str) -> Any:
    return attrgetter(path)(client) if path else client


def boto3s(server: Loopback, **config: Any) -> Any:
    address = f"http://127.0.0.1:{server.port}"
    config = {"retries": {"total_max_attempts": 1, "mode": "standard"}, **config}
    return bedrock.session().client("bedrock-runtime", endpoint_url=address, config=Config(**config), **bedrock.KEYS)


@pytest.mark.parametrize(
    ("path", "cls", "name", "lost"),
    [
        (CLIENT, botocore.client.BaseClient, "_endpoint", "boto3's client is used as it is"),
        (CLIENT, botocore.client.BaseClient, "_serializer", "checks all its messages anew"),
        (SERIALIZER, botocore.validate.ParamValidationDecorator, "_param_validator", "checks all its messages anew"),
        (SERIALIZER, botocore.validate.ParamValidationDecorator, "_serializer", "checks all its messages anew"),
        (ENDPOINT, botocore.endpoint.Endpoint, "_event_emitter", "an answer that broke off may pass"),
        (ENDPOINT, botocore.endpoint.Endpoint, "before-parse", "an answer that broke off may pass"),
        (ENDPOINT, botocore.endpoint.Endpoint, "_response_parser_factory", "JSON of another shape raises"),
        (ENDPOINT, botocore.endpoint.Endpoint, "http_session", "a call that is cancelled goes on"),
        (SESSION, botocore.httpsession.URLLib3Session, "_manager", "a call that is cancelled goes on"),
        (SESSION, botocore.httpsession.URLLib3Session, "_get_pool_manager_kwargs", "a call that is cancelled goes on"),
        (SESSION, botocore.httpsession.URLLib3Session, "_pool_classes_by_scheme", "a call that is cancelled goes on"),
        (SESSION, botocore.httpsession.URLLib3Session, "_proxy_managers", "behind a proxy"),
        (SESSION, botocore.httpsession.URLLib3Session, "_max_pool_connections", "some connect anew"),
        (EVENTS, botocore.hooks.EventAliaser, "_emitter", "whether a client tries again can't be told"),
    ],
)
def test_bedrock_answers_and_one_warning_says_what_is_lost(
    path: str, cls: type, name: str, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(bedrock.whole()) as server:
        client = boto3s(server)
        of_another_release(at(client, path), cls, name, monkeypatch)
        model = AmazonBedrockModel(bedrock.MODEL, client=client)
        with pytest.warns(LibraryChanged, match=lost) as told:
            answers = [asyncio.run(model.generate(HI)).unwrap().content for _ in range(2)]
    assert answers == ["Hello!"] * 2
    assert [str(each.message).startswith(f"botocore {botocore.__version__} has no ") for each in told] == [True]


def test_a_stream_that_the_sdk_reads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    new = renamed(botocore.eventstream.EventStream, "_raw_stream", monkeypatch)
    monkeypatch.setattr(botocore.parsers, "EventStream", new)
    with Loopback(bedrock.saying("Hello")) as server:
        model = AmazonBedrockModel(bedrock.MODEL, client=boto3s(server))
        with pytest.warns(LibraryChanged, match="streams are read by botocore"):
            events = asyncio.run(bedrock.heard(model.stream(HI)))
    assert not isinstance(events[-1], Failed)


def test_a_client_that_tries_again_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    standard = botocore.retries.standard
    renamed(standard.register_retry_handler, "retry-config-", monkeypatch)
    with Loopback(bedrock.error(503, "ServiceUnavailableException")) as server:
        client = boto3s(server, retries={"total_max_attempts": 2, "mode": "standard"})
        model = AmazonBedrockModel(bedrock.MODEL, client=client)
        with pytest.warns(LibraryChanged, match="a client that was passed in tries again, unseen"):
            assert asyncio.run(model.generate(HI)).failure().kind == "overloaded"


def test_connections_that_arent_watched_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(botocore.awsrequest, "AWSHTTPConnection")
    with Loopback(bedrock.whole()) as server:
        model = AmazonBedrockModel(bedrock.MODEL, client=boto3s(server))
        bedrock_sdk.watched_pools.cache_clear()
        with pytest.warns(LibraryChanged, match=r"botocore\.awsrequest\.AWSHTTPConnection .* goes on in its thread"):
            assert asyncio.run(model.generate(HI)).unwrap().content == "Hello!"
        bedrock_sdk.watched_pools.cache_clear()


def test_a_connection_that_is_made_elsewhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    new = renamed(urllib3.connection.HTTPConnection, "_new_conn", monkeypatch)
    made = type("AWSHTTPConnection", (botocore.awsrequest.AWSConnection, new), {})
    monkeypatch.setattr(botocore.awsrequest, "AWSHTTPConnection", made)
    with Loopback(bedrock.whole()) as server:
        bedrock_sdk.watched_pools.cache_clear()
        model = AmazonBedrockModel(bedrock.MODEL, client=boto3s(server))
        with pytest.warns(LibraryChanged, match="cancelled while it connects goes on"):
            assert asyncio.run(model.generate(HI)).unwrap().content == "Hello!"
        bedrock_sdk.watched_pools.cache_clear()


def test_a_response_that_doesnt_say_how_it_comes_is_told() -> None:
    response = SimpleNamespace(stream=lambda: iter([b"Hello"]))
    with pytest.warns(LibraryChanged, match="the events of a stream may come late"):
        assert list(bedrock_sdk.pieces(response)) == [b"Hello"]


def shown(model: Any) -> str:
    whole, last = asyncio.run(model.generate(HI)).failure(), asyncio.run(bedrock.heard(model.stream(HI)))[-1]
    return f"{whole!r} {whole} {last!r}"


@pytest.mark.parametrize(
    ("path", "cls", "name"),
    [
        (CLIENT, botocore.client.BaseClient, "_request_signer"),
        (SIGNER, botocore.signers.RequestSigner, "_auth_token"),
        (SIGNER, botocore.signers.RequestSigner, "_credentials"),
        (CREDENTIALS, botocore.credentials.Credentials, "secret_key"),
    ],
)
def test_keys_that_cant_be_told_from_other_words_arent_shown(
    path: str, cls: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that the service says is, then: it may quote them."""
    refusal = bedrock.error(403, "SignatureDoesNotMatch", f"not the signature of {bedrock.SECRET}")
    with Loopback(refusal) as server:
        client = boto3s(server)
        model = AmazonBedrockModel(bedrock.MODEL, client=client)
        assert "not the signature of ***" in shown(model)
        of_another_release(at(client, path), cls, name, monkeypatch)
        if name == "secret_key":  # what signs must find it: it signs no more, and the service refuses all the same
            monkeypatch.setattr(botocore.signers.RequestSigner, "sign", lambda *args, **kwargs: None)
        model = AmazonBedrockModel(bedrock.MODEL, client=client)
        with pytest.warns(LibraryChanged, match="nothing that the service says is shown") as told:
            found = shown(model)
    assert bedrock.SECRET not in found
    assert "SignatureDoesNotMatch" in found
    assert "what was said isn't shown" in found
    assert len(told) == 1


def test_a_token_that_is_renewed_is_hidden_or_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one of a login in the browser."""
    with Loopback(bedrock.error(403, "AccessDeniedException", "no such token: planted-token-0123")) as server:
        client = boto3s(server)
        end = datetime.now(UTC) + timedelta(hours=1)
        token = botocore.tokens.DeferredRefreshableToken("sso", lambda: FrozenAuthToken("planted-token-0123", end))
        client._request_signer._auth_token = token
        assert token.get_frozen_token().token == "planted-token-0123"
        assert "no such token: ***" in shown(AmazonBedrockModel(bedrock.MODEL, client=client))
        of_another_release(token, botocore.tokens.DeferredRefreshableToken, "_frozen_token", monkeypatch)
        model = AmazonBedrockModel(bedrock.MODEL, client=client)
        with pytest.warns(LibraryChanged, match="nothing that the service says is shown"):
            assert "planted-token" not in shown(model)


def test_what_we_say_ourselves_is_shown_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(bedrock.whole()) as server:
        client = boto3s(server)
        of_another_release(client, botocore.client.BaseClient, "_request_signer", monkeypatch)
        model = AmazonBedrockModel(bedrock.MODEL, client=client)
        asyncio.run(model.generate(HI)).unwrap()
        with pytest.warns(LibraryChanged):
            found = asyncio.run(model.generate(as_request("hi", timeout=-1))).failure()
    assert "timeout is a positive number" in found.message
