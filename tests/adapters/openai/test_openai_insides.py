"""A release of the OpenAI SDK that lacks what is leaned on: a call through its client is an error, and isn't sent."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("openai")

import openai
from loopback import Loopback, whole
from openai_calls import HI, ask, heard
from other_release import renamed
from returns.result import Result

from modelport.adapters.openai import sdk as openai_sdk
from modelport.adapters.openai.model import OpenAIModel
from modelport.domain.error import ErrorKind, ModelError, Sent
from modelport.domain.event import Event, Failed
from modelport.domain.response import Response


@pytest.fixture(autouse=True)
def in_a_new_process() -> Iterator[None]:
    """Where the SDK wasn't looked at yet."""
    openai_sdk.check.cache_clear()
    yield
    openai_sdk.check.cache_clear()


def through_a_client(server: Loopback) -> tuple[Result[Response, ModelError], Event]:
    """What comes of a call through a client of the SDK, whole, and last in a stream."""

    async def main() -> Any:
        async with openai.AsyncOpenAI(base_url=server.url, api_key="k") as client:
            subject = OpenAIModel("gpt-4o", client=client)
            return await subject.generate(HI), (await heard(subject.stream(HI)))[-1]

    found: tuple[Result[Response, ModelError], Event] = asyncio.run(main())
    return found


@pytest.mark.parametrize("inside", openai_sdk.OPTIONS, ids=lambda inside: inside.name)
def test_an_option_that_it_would_drop_is_an_error(inside: openai_sdk.Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(openai._types.RequestOptions.__annotations__, inside.name)
    with Loopback(whole()) as server:
        result, last = through_a_client(server)
    found = result.failure()
    assert server.requests == []
    assert (found.kind, found.sent, last) == (ErrorKind.MISSING_DEPENDENCY, Sent.NO, Failed(found))
    assert found.message == (
        f"openai {openai.__version__} has no openai._types:RequestOptions.{inside.name} any more: {inside.lost}; "
        "pip install 'modelport[openai]'"
    )


def test_bytes_that_it_would_not_post_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed(openai._base_client.AsyncAPIClient.post, "content", monkeypatch, owner=openai.AsyncOpenAI)
    with Loopback(whole()) as server:
        found = through_a_client(server)[0].failure()
    assert (found.kind, found.sent, server.requests) == (ErrorKind.MISSING_DEPENDENCY, Sent.NO, [])
    assert "has no openai:AsyncOpenAI.post.content any more: no call can be made" in found.message


def test_without_a_client_it_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with Loopback(whole()) as server:
        assert isinstance(ask(server), Response)
