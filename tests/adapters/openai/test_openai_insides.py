"""A release of the OpenAI SDK that no longer has what is leaned on: a call is an error that says so, and isn't sent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("openai")

import openai
from loopback import Loopback, whole
from openai_calls import ask, failed, failed_stream
from other_release import renamed

from modelport.adapters.openai import sdk as openai_sdk
from modelport.domain.error import ErrorKind, Sent
from modelport.domain.response import Response


@pytest.fixture(autouse=True)
def in_a_new_process() -> Iterator[None]:
    """Where the SDK wasn't looked at yet."""
    openai_sdk.check.cache_clear()
    yield
    openai_sdk.check.cache_clear()


@pytest.mark.parametrize("inside", openai_sdk.OPTIONS, ids=lambda inside: inside.name)
def test_an_option_that_it_would_drop_is_an_error(inside: openai_sdk.Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(openai._types.RequestOptions.__annotations__, inside.name)
    with Loopback(whole()) as server:
        found, last = failed(server), failed_stream(server)
        monkeypatch.undo()
        assert isinstance(ask(server), Response)
    assert len(server.requests) == 1
    assert (found.kind, found.sent, last.error) == (ErrorKind.MISSING_DEPENDENCY, Sent.NO, found)
    assert found.message == (
        f"openai {openai.__version__} has no openai._types:RequestOptions.{inside.name} any more: {inside.lost}; "
        "pip install 'modelport[openai]'"
    )


def test_bytes_that_it_would_not_post_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed(openai._base_client.AsyncAPIClient.post, "content", monkeypatch, owner=openai.AsyncOpenAI)
    with Loopback(whole()) as server:
        found = failed(server)
    assert (found.kind, found.sent, server.requests) == (ErrorKind.MISSING_DEPENDENCY, Sent.NO, [])
    assert "has no openai:AsyncOpenAI.post.content any more: no call can be made" in found.message
