"""`OpenAIModel` keeps the laws of the port, over a real loopback server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import attrs
import pytest
from laws import LAWS, Case, Subject
from loopback import Loopback, Script, chunk, error, saying, streamed

from modelport.adapters.openai import OpenAIModel


@attrs.frozen
class Served:
    """Models of servers that stop when the test is over."""

    servers: ExitStack

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(saying(text, sizes))

    def failing(self) -> Case:
        return self._case(error(500))

    def stalling(self) -> Case:
        return self._case(streamed(chunk({"content": "One "}), chunk({"content": "two"}), then="stall"))

    def _case(self, script: Script) -> Case:
        server = self.servers.enter_context(Loopback(script))
        model = OpenAIModel("gpt-4o", base_url=server.url, api_key="k")
        return Case(model, lambda: server.open, lambda: len(server.requests))


@pytest.fixture
def subject() -> Iterator[Subject]:
    with ExitStack() as servers:
        yield Served(servers)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_it_keeps(law: Callable[[Subject], None], subject: Subject) -> None:
    law(subject)
