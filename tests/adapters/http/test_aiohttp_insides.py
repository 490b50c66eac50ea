"""A release of aiohttp that no longer has what is leaned on: calls are made, and a warning says what is lost."""

from __future__ import annotations

from collections.abc import Iterator

import aiohttp
import pytest
from loopback import Loopback, whole
from other_release import renamed
from posting import answer

from modelport.adapters.http import sdk
from modelport.adapters.process.inside import LibraryChanged


@pytest.fixture(autouse=True)
def in_a_new_process() -> Iterator[None]:
    """Where aiohttp wasn't looked at yet."""
    sdk.look.cache_clear()
    yield
    sdk.look.cache_clear()


def test_a_name_that_is_gone_is_said_and_calls_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    renamed(aiohttp.ClientRequest.send, "conn", monkeypatch, owner=aiohttp.ClientRequest)
    with pytest.warns(LibraryChanged, match=r"ClientRequest\.send\.conn any more: a connection that the server closed"):
        sdk.look()
    monkeypatch.undo()
    with Loopback(whole()) as server:
        assert answer(server.url)[0] == 200
