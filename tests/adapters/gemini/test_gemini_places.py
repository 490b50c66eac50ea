"""Where it asks, and who it says is asking."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from gemini_wire import HI, chunk, model, whole
from laws import listen
from loopback import Answer, Loopback, Seen, streamed

from modelport import Env, as_request
from modelport.adapters import GeminiModel, HttpTransport
from modelport.adapters.gemini.settings import place

ADDRESSES: list[tuple[tuple[str | None, str | None, str | None, str], str]] = [
    ((None, None, None, "m"), "https://generativelanguage.googleapis.com/v1/models/m"),
    ((None, None, None, "models/m"), "https://generativelanguage.googleapis.com/v1/models/m"),
    ((None, None, None, "tunedModels/m"), "https://generativelanguage.googleapis.com/v1/tunedModels/m"),
    (
        (None, None, None, "gemini-flash-latest"),
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-flash-latest",
    ),
    (("http://127.0.0.1:9/", None, None, "a?b#c:d"), "http://127.0.0.1:9/v1/models/a%3Fb%23c%3Ad"),
    (("http://127.0.0.1:9/v1alpha/", None, None, "m"), "http://127.0.0.1:9/v1alpha/models/m"),
    (
        (None, "p", "europe-west1", "m"),
        "https://europe-west1-aiplatform.googleapis.com/v1beta1/projects/p/locations/europe-west1/publishers/google/models/m",
    ),
    (
        (None, "p", "global", "publishers/google/models/m"),
        "https://aiplatform.googleapis.com/v1beta1/projects/p/locations/global/publishers/google/models/m",
    ),
    (
        (None, "p", "eu", "meta/llama-4@001"),
        "https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/p/locations/eu/publishers/meta/models/llama-4@001",
    ),
    (
        (None, "p", "us-east1", "endpoints/12"),
        "https://us-east1-aiplatform.googleapis.com/v1beta1/projects/p/locations/us-east1/endpoints/12",
    ),
    (
        ("https://x.example", "p", "us", "projects/q/locations/eu/endpoints/12"),
        "https://x.example/v1beta1/projects/q/locations/eu/endpoints/12",
    ),
]


@pytest.mark.parametrize(("asked", "address"), ADDRESSES)
def test_a_model_is_at_this_address(asked: Any, address: str) -> None:
    assert place(*asked) == address


def sent(server: Loopback, asked: GeminiModel, stream: bool = False) -> Seen:
    """What the server is sent."""
    if stream:
        asyncio.run(listen(asked, HI))
    else:
        asyncio.run(asked.generate(HI)).unwrap()
    return server.requests[-1]


@pytest.fixture
def server() -> Any:
    with Loopback(whole("Hi")) as server:
        yield server


def test_a_stream_is_asked_for_in_the_address(server: Loopback) -> None:
    server.script = [streamed(chunk("Hi", finish="STOP"))]
    seen = sent(server, model(server, extra_query={"key": "k 1"}, extra_headers={"X-Team": "red"}), stream=True)
    assert seen.path == "/v1/models/gemini-2.5-flash:streamGenerateContent?alt=sse&key=k+1"
    assert (seen.method, seen.headers["x-team"], seen.headers["content-type"]) == ("POST", "red", "application/json")


def test_vertex_is_asked_with_a_token(server: Loopback) -> None:
    async def token() -> str:
        return "of-mine\n"

    seen = sent(server, model(server, api_key=None, token=token, project="p", location="us-east1"))
    assert seen.path.startswith("/v1beta1/projects/p/locations/us-east1/publishers/google/models/gemini-2.5-flash:")
    assert (seen.headers["authorization"], "x-goog-api-key" in seen.headers) == ("Bearer of-mine", False)


def test_a_key_may_ask_vertex(server: Loopback) -> None:
    assert sent(server, model(server, project="p", location="global")).headers["x-goog-api-key"] == "none"


def test_a_header_of_one_s_own_says_who_asks(server: Loopback) -> None:
    seen = sent(server, model(server, api_key=None, extra_headers={"Authorization": "Bearer x"}))
    assert (seen.headers["authorization"], "x-goog-api-key" in seen.headers) == ("Bearer x", False)


def test_the_environment_says_the_key_and_the_address(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gemini's own variable comes before the one of all of Google."""
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("GOOGLE_API_KEY", "of-google")
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    asked = GeminiModel("m")
    assert sent(server, asked).headers["x-goog-api-key"] == "of-google"
    monkeypatch.setenv("GEMINI_API_KEY", "of-gemini")
    assert sent(server, asked).headers["x-goog-api-key"] == "of-gemini"
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "localhost")
    error = asyncio.run(GeminiModel("m").generate(HI)).failure()
    assert (error.kind, error.sent) == ("invalid_request", "no")
    assert error.message.startswith("GOOGLE_GEMINI_BASE_URL is an address")


class TransportError(Exception):
    """As google-auth has it."""

    __module__ = "google.auth.exceptions"


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({}, "authentication", "there is no API key: pass api_key=... or set GEMINI_API_KEY"),
        ({"project": "p", "location": "us"}, "authentication", "there is no token for Vertex AI"),
        ({"api_key": ""}, "authentication", "there is no API key"),
        ({"api_key": Env("NO_SUCH_KEY")}, "authentication", "the environment variable NO_SUCH_KEY isn't set"),
        ({"token": " "}, "authentication", "token is empty"),
        ({"token": lambda: 1 / 0}, "authentication", "the callable given as token raised ZeroDivisionError"),
        ({"api_key": "ключ"}, "invalid_request", "Illegal header value"),
    ],
)
def test_without_an_identity_nothing_is_sent(
    arguments: dict[str, Any], kind: str, words: str, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    error = asyncio.run(model(server, **{"api_key": None, **arguments}).generate(HI)).failure()
    assert (error.kind, error.sent, server.requests) == (kind, "no", [])
    assert error.message.startswith(words)


def test_a_token_that_can_not_be_fetched_is_a_lost_connection(server: Loopback) -> None:
    def token() -> str:
        raise TransportError("no network")

    error = asyncio.run(model(server, api_key=None, token=token).generate(HI)).failure()
    assert (error.kind, error.sent) == ("connection", "no")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"base_url": "localhost:80"}, "GeminiModel: base_url is an address"),
        ({"base_url": "https://x.example/?a=b"}, "GeminiModel: base_url ends with its path"),
        ({"base_url": 1}, "GeminiModel: base_url is text"),
        ({"project": 1}, "GeminiModel: project is text"),
        ({"project": "p"}, "GeminiModel: project and location go together"),
        ({"location": "eu"}, "GeminiModel: project and location go together"),
        ({"api_key": 1}, "GeminiModel: api_key is text, Env"),
        ({"api_key": "a", "token": "b"}, "GeminiModel: api_key and token exclude each other"),
        ({"transport": "x"}, "GeminiModel: transport= takes an HttpTransport"),
        ({"client": object()}, "GeminiModel: no client, since no SDK is used; transport=HttpTransport"),
        ({"client_kwargs": {"a": 1}}, "GeminiModel: no client_kwargs, since no SDK is used; extra_headers="),
        ({"extra_headers": "x"}, "GeminiModel: extra_headers is a dict"),
        ({"thinking_config": {}}, "GeminiModel: there is no option 'thinking_config'; did you mean thinkingConfig=?"),
        ({"region": "eu"}, "GeminiModel: "),
    ],
)
def test_a_wrong_argument_is_refused_where_it_is_passed(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        GeminiModel("m", **arguments)
    assert str(refused.value).startswith(words)


def test_a_transport_of_one_s_own_carries_the_calls(server: Loopback) -> None:
    transport = HttpTransport()
    asked = model(server, transport=transport)
    assert asked.transport is transport
    assert sent(server, asked).json["contents"][0]["role"] == "user"


def test_a_call_may_have_patience_of_its_own(server: Loopback) -> None:
    server.script = [Answer(0, then="stall")]
    error = asyncio.run(model(server).generate(as_request("Hi", timeout=0.1))).failure()
    assert (error.kind, error.sent) == ("timeout", "perhaps")


def test_it_is_shown_without_its_keys() -> None:
    shown = repr(GeminiModel("m", api_key="secret-0123", project="p", location="eu", temperature=0.5))
    assert shown == "GeminiModel('m', project='p', location='eu', temperature=0.5)"
