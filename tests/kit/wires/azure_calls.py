"""How the tests ask `AzureOpenAIModel`, whole and streamed, over the loopback server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from loopback import Loopback
from openai_calls import HI, heard
from returns.result import Success

from modelport.adapters import AzureOpenAIModel, OpenAIModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed, Finished
from modelport.domain.request import Request
from modelport.domain.response import Response

KEY, TOKEN = "azure-key-0123456789abcdef", "eyJ0-entra-token-0123456789"
VERSION = "2024-10-21"
NAMES = ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "OPENAI_API_VERSION")


@pytest.fixture(autouse=True)
def no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def root(server: Loopback) -> str:
    return server.url.removesuffix("/v1")


def model(server: Loopback, model_id: str = "chat", **fields: Any) -> AzureOpenAIModel:
    at = {"azure_endpoint": root(server), "api_version": VERSION}
    asking = {} if fields.keys() & {"azure_ad_token", "azure_ad_token_provider"} else {"api_key": KEY}
    return AzureOpenAIModel(model_id, **{**at, **asking, **fields})


def ask(subject: AzureOpenAIModel | OpenAIModel, request: Request = HI) -> tuple[Response | ModelError, list[Event]]:
    """The whole answer or its error, and the events of the same question streamed."""

    async def main() -> tuple[Any, list[Event]]:
        return await subject.generate(request), await heard(subject.stream(request))

    result, events = asyncio.run(main())
    return (result.unwrap() if isinstance(result, Success) else result.failure()), events


def answered(subject: AzureOpenAIModel | OpenAIModel, request: Request = HI) -> Response:
    """The whole answer, which the stream comes to as well."""
    found, events = ask(subject, request)
    assert isinstance(found, Response), found
    assert events[-1] == Finished(found)
    return found


def failed(subject: AzureOpenAIModel | OpenAIModel, request: Request = HI) -> ModelError:
    """The error, with which the stream ends as well."""
    found, events = ask(subject, request)
    assert isinstance(found, ModelError), found
    assert events == [Failed(found)]
    return found
