"""No key or token shows: not in a repr, an error, a log, a fingerprint, a pickle of an error, or a configuration.

Each adapter is given a secret in every way that it takes one, and asks a server that quotes all that it was sent.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from extras import need
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from laws import listen
from loopback import Answer, Loopback, Seen, sse, streamed
from returns.result import Success

from modelport import Env, Failed, Model, ModelFailure, as_request, compose, describe, fingerprint, to_dict, with_retry
from modelport.adapters import (
    AmazonBedrockModel,
    AnthropicModel,
    AzureOpenAIModel,
    GeminiModel,
    InferenceClientModel,
    LiteLLMModel,
    LiteLLMRouterModel,
    OpenAIModel,
    OpenAIResponsesModel,
)

# Models are dropped here together with the errors that hold them, and their connections with them.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

VARIABLE = "MODELPORT_PLANTED"


def openai(secret: str, url: str) -> Iterator[Model]:
    for arguments in (
        {"api_key": secret},
        {"api_key": lambda: secret},
        {"api_key": secret, "server": "groq"},
        {"api_key": "none", "client_kwargs": {"default_headers": {"Authorization": f"Bearer {secret}"}}},
        {"api_key": "none", "client_kwargs": {"default_query": {"api-key": secret}}},
        {"api_key": "none", "extra_headers": {"x-api-key": secret}},
        {"api_key": "none", "extra_query": {"token": secret}},
        {"api_key": "none", "extra_body": {"data_sources": [{"authentication": {"api_key": secret}}]}},
    ):
        yield OpenAIModel("m", base_url=url, **arguments)  # type: ignore[arg-type]


def responses(secret: str, url: str) -> Iterator[Model]:
    for arguments in (
        {"api_key": secret},
        {"api_key": lambda: secret},
        {"api_key": "none", "client_kwargs": {"default_headers": {"Authorization": f"Bearer {secret}"}}},
        {"api_key": "none", "extra_headers": {"x-api-key": secret}},
        {"api_key": "none", "extra_body": {"tools": [{"type": "mcp", "authorization": secret}]}},
    ):
        yield OpenAIResponsesModel("m", base_url=url, **arguments)  # type: ignore[arg-type]


def azure(secret: str, url: str) -> Iterator[Model]:
    for arguments in (
        {"api_key": secret},
        {"azure_ad_token": secret},
        {"azure_ad_token_provider": lambda: secret},
        {"api_key": "none", "extra_headers": {"Ocp-Apim-Subscription-Key": secret}},
    ):
        yield AzureOpenAIModel("m", azure_endpoint=url, api_version="2024-10-21", **arguments)  # type: ignore[arg-type]


def huggingface(secret: str, url: str) -> Iterator[Model]:
    for arguments in (
        {"token": secret},
        {"api_key": secret},
        {"token": "none", "headers": {"x-api-key": secret}},
        {"token": "none", "cookies": {"session": secret}},
        {"token": "none", "extra_headers": {"Authorization": f"Bearer {secret}"}},
    ):
        yield InferenceClientModel("m", base_url=url, **arguments)  # type: ignore[arg-type]


def bedrock(secret: str, url: str) -> Iterator[Model]:
    keys = {"aws_access_key_id": "AKIDNOTSECRET", "aws_secret_access_key": "not-this-one"}
    for arguments in (
        {**keys, "aws_secret_access_key": secret},
        {**keys, "aws_session_token": secret},
    ):
        yield AmazonBedrockModel("m", region_name="us-east-1", endpoint_url=url, **arguments)  # type: ignore[arg-type]


def anthropic(secret: str, url: str) -> Iterator[Model]:
    for arguments in (
        {"api_key": secret},
        {"api_key": lambda: secret},
        {"extra_headers": {"x-api-key": secret}},
        {"api_key": "none", "extra_query": {"token": secret}},
        {"api_key": "none", "extra_body": {"mcp_servers": [{"authorization_token": secret}]}},
    ):
        yield AnthropicModel("m", base_url=url, **arguments)  # type: ignore[arg-type]


def gemini(secret: str, url: str) -> Iterator[Model]:
    for arguments in (
        {"api_key": secret},
        {"api_key": lambda: secret},
        {"token": secret, "project": "p", "location": "global"},
        {"api_key": "none", "extra_headers": {"x-api-key": secret}},
        {"api_key": "none", "extra_query": {"key": "none", "token": secret}},
    ):
        yield GeminiModel("m", base_url=url, **arguments)  # type: ignore[arg-type]


def litellm(secret: str, url: str) -> Iterator[Model]:
    for arguments in (
        {"api_key": secret},
        {"api_key": "none", "extra_headers": {"x-api-key": secret}},
    ):
        yield LiteLLMModel("openai/m", api_base=url, **arguments)  # type: ignore[arg-type]


def litellm_router(secret: str, url: str) -> Iterator[Model]:
    where = {"model": "openai/m", "api_base": url}
    for params in ({**where, "api_key": secret}, {**where, "api_key": "none", "extra_headers": {"x-api-key": secret}}):
        yield LiteLLMRouterModel("m", model_list=[{"model_name": "m", "litellm_params": params}])


ADAPTERS = {
    "openai": openai,
    "responses": responses,
    "azure": azure,
    "huggingface": huggingface,
    "bedrock": bedrock,
    "anthropic": anthropic,
    "gemini": gemini,
}
if find_spec("litellm"):
    ADAPTERS |= {"litellm": litellm, "litellm_router": litellm_router}
THEIRS = pytest.mark.filterwarnings("ignore")  # what litellm warns of, of its own code, isn't ours to mend
EACH = [pytest.param(name, marks=THEIRS) if name.startswith("litellm") else name for name in ADAPTERS]
TEXTS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=20, max_size=60)


DULL = ("accept", "amz-sdk", "connection", "content-", "host", "user-agent", "x-stainless")


def told(seen: Seen) -> dict[str, str]:
    """The headers of a request that may hold a secret: a message is cut off where it gets long."""
    return {name: value for name, value in seen.headers.items() if not name.lower().startswith(DULL)}


def quoting(seen: Seen) -> Answer:
    """A refusal that repeats what it was sent, as servers do with keys that they don't know."""
    said = f"no such key in {seen.path} {told(seen)} {seen.body.decode()}"
    body = {"error": {"message": said, "code": said, "type": "invalid_api_key"}, "message": said, "detail": said}
    return Answer(401, {"content-type": "application/json", "x-said": "no"}, json.dumps(body).encode())


def quoting_in_a_stream(seen: Seen) -> Answer:
    """The same, in an answer that began well."""
    said = f"no such key in {seen.path} {told(seen)}"
    return streamed(sse({"error": {"message": said, "code": said}}))


@pytest.fixture(scope="module")
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@pytest.fixture(autouse=True)
def _is_here(adapter: str) -> None:
    need({"azure": "openai", "responses": "openai", "litellm_router": "litellm"}.get(adapter, adapter))


def shown(model: Model) -> Iterator[str]:
    """All that a model shows of itself and of what goes wrong with it."""
    yield from (repr(model), str(model), repr([model]), describe(compose(model, with_retry())))
    request = as_request("Hi", **getattr(model, "options", {}))
    yield repr(request)
    yield fingerprint(request)
    try:
        yield json.dumps(to_dict(model))
    except ValueError as error:
        yield "".join(traceback.format_exception(error))

    async def main() -> list[Any]:
        result = await model.generate(as_request("Hi"))
        return [result, *await listen(model, as_request("Hi"))]

    result, *events = asyncio.run(main())
    for value in (result, *events):
        yield repr(value)
    if not isinstance(result, Success):
        yield str(result.failure())
        yield repr(pickle.dumps(result.failure()))
    if isinstance(events[-1], Failed):
        yield str(events[-1].error)
    try:
        model("Hi")  # type: ignore[operator]
    except ModelFailure as error:
        yield "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())


@pytest.mark.parametrize("adapter", EACH)
@pytest.mark.parametrize("script", [quoting, quoting_in_a_stream], ids=lambda script: script.__name__)
def test_no_secret_shows(
    adapter: str, script: Callable[[Seen], Answer], server: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = [script]

    @settings(max_examples=3, deadline=None, phases=[Phase.generate])
    @given(secret=TEXTS)
    def check(secret: str) -> None:
        url = server.url.removesuffix("/v1") if adapter in ("azure", "bedrock") else server.url
        with caplog.at_level(logging.INFO):
            for model in ADAPTERS[adapter](secret, url):
                for text in shown(model):
                    assert secret not in text, text
                    assert quote(secret, safe="") not in text, text
            # The HTTP library logs addresses, with the query that the caller put there.
            logged = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
            assert secret not in str(logged)

    check()


@pytest.mark.parametrize("adapter", EACH)
def test_the_server_quotes_what_would_be_a_secret_in_time(adapter: str, server: Loopback) -> None:
    """Else the test above had nothing to find: of a long message only the beginning is kept."""
    server.script = [quoting]
    url = server.url.removesuffix("/v1") if adapter in ("azure", "bedrock") else server.url
    for model in ADAPTERS[adapter]("planted_secret_0123456789", url):
        assert "***" in asyncio.run(model.generate(as_request("Hi"))).failure().message


@pytest.mark.parametrize("adapter", EACH)
def test_nobody_is_told_it_when_nobody_listens(adapter: str) -> None:
    secret = "planted_secret_0123456789"
    for model in ADAPTERS[adapter](secret, "http://127.0.0.1:9"):
        for text in shown(model):
            assert secret not in text, text


@pytest.mark.parametrize("adapter", EACH)
def test_a_secret_that_is_named_is_sent_and_not_held(
    adapter: str, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable's text reaches the server, and no attribute of the model has it."""
    secret = "planted_secret_0123456789"
    monkeypatch.setenv(VARIABLE, secret)
    server.script = [quoting]
    url = server.url.removesuffix("/v1")
    named: Any = Env(VARIABLE)
    model: Model = {
        "openai": lambda: OpenAIModel("m", base_url=server.url, api_key=named),
        "responses": lambda: OpenAIResponsesModel("m", base_url=server.url, api_key=named),
        "azure": lambda: AzureOpenAIModel("m", azure_endpoint=url, api_version="v", azure_ad_token=named),
        "anthropic": lambda: AnthropicModel("m", base_url=server.url, api_key=named),
        "huggingface": lambda: InferenceClientModel("m", base_url=server.url, token=named),
        "bedrock": lambda: AmazonBedrockModel(
            "m",
            region_name="us-east-1",
            endpoint_url=url,
            aws_access_key_id="unused",
            aws_secret_access_key="unused",
            aws_session_token=named,
        ),
        "gemini": lambda: GeminiModel("m", base_url=server.url, api_key=named),
        "litellm": lambda: LiteLLMModel("openai/m", api_base=server.url, api_key=named),
        "litellm_router": lambda: LiteLLMRouterModel(
            "m",
            model_list=[
                {"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": server.url, "api_key": named}}
            ],
        ),
    }[adapter]()
    before = len(server.requests)
    assert secret not in "".join(shown(model))
    assert secret in str(server.requests[before].headers)
    assert secret not in str(attrs.asdict(model, recurse=False))  # type: ignore[arg-type]
    assert json.dumps({"env": VARIABLE}) in json.dumps(to_dict(model))


@pytest.mark.parametrize("adapter", EACH)
def test_no_pickle_of_a_model_or_a_stack_holds_a_secret(adapter: str) -> None:
    secret, refusals = "of-nobody-4711-but-secret", list[str]()
    for model in ADAPTERS[adapter](secret, "http://127.0.0.1:1/v1"):
        for value in (model, compose(model, with_retry())):
            try:
                pickled = pickle.dumps(value)
            except ValueError as error:
                refusals.append(str(error))
            except (AttributeError, pickle.PicklingError):  # a function that has no name can't be pickled at all
                continue
            else:
                assert secret.encode() not in pickled
    assert len(refusals) >= 4
    assert all("no pickle may hold" in said and secret not in said for said in refusals)
