"""What is remembered of where a model's calls go, and what is asked again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from modelport.adapters.huggingface.routes import Routes
from modelport.adapters.huggingface.sdk import Route

WAY = Route("http://127.0.0.1:9/v1/chat/completions", {}, "m", None)


async def find(routes: Routes, ask: Callable[[], Route], key: object = "k", *, fast: bool = True) -> Route:
    return await routes.find(ask, key, fast=fast, seconds=60.0, model_id="m")


def test_calls_at_once_wait_for_one_question_that_blocks() -> None:
    asked, go_on = list[str](), threading.Event()

    def ask() -> Route:
        asked.append(threading.current_thread().name)
        assert go_on.wait(60)
        return WAY

    async def main() -> None:
        routes = Routes()

        async def answer() -> None:  # it runs when the others wait
            go_on.set()

        assert (await asyncio.gather(find(routes, ask), find(routes, ask), answer()))[:2] == [WAY, WAY]

    asyncio.run(main())
    assert asked.count("modelport-huggingface") == 1


def test_a_question_that_failed_is_asked_again() -> None:
    answers: list[Exception | Route] = [TimeoutError("the hub"), ValueError("no"), WAY, WAY]

    def ask() -> Route:
        said = answers.pop(0)
        if isinstance(said, Exception):
            raise said
        return said

    async def main() -> None:
        routes = Routes()
        with pytest.raises(TimeoutError, match="^the hub$"):  # its own, and not that of the limit
            await find(routes, ask)
        with pytest.raises(ValueError, match="no"):
            await find(routes, ask)
        assert await find(routes, ask) == WAY
        assert await find(routes, ask) == WAY  # remembered: nobody is asked

    asyncio.run(main())
    assert answers == []


def test_without_a_token_each_call_asks_in_a_thread() -> None:
    asked: list[str] = []

    def ask() -> Route:
        asked.append(threading.current_thread().name)
        return WAY

    async def main() -> None:
        routes = Routes()
        for _ in range(2):
            await find(routes, ask, None, fast=False)

    asyncio.run(main())
    assert set(asked) == {"modelport-huggingface"}
    assert len(asked) == 3  # the first asks whether the hub answers at all
