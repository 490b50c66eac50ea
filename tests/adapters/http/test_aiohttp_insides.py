"""A release of aiohttp that no longer has what is leaned on: a call is an error that says so, and isn't sent."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from loopback import Loopback, whole
from other_release import renamed
from posting import failure

from modelport.adapters.http import sdk


@pytest.fixture(autouse=True)
def in_a_new_process() -> Iterator[None]:
    """Where aiohttp wasn't looked at yet."""
    sdk.check.cache_clear()
    yield
    sdk.check.cache_clear()


def test_an_argument_that_is_gone_is_said_and_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed(ResponseHandler.set_response_params, "read_timeout", monkeypatch, owner=ResponseHandler)
    name = "aiohttp.client_proto:ResponseHandler.set_response_params.read_timeout"
    with Loopback(whole()) as server:
        kind, sent, words = failure(server.url)
    assert (kind, sent, server.requests) == ("missing_dependency", "no", [])
    assert words == f"aiohttp {aiohttp.__version__} has no {name} any more: no call can be made"
