"""How the tests ask `OpenAIModel`, whole and streamed, over the loopback server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from loopback import Loopback, chunk
from returns.result import Success

from modelport.adapters.openai.model import OpenAIModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.response import Response

KEY = "sk-secret-0123456789"
HI = Request([Message("user", "hi")])


def model(server: Loopback, model_id: str = "gpt-4o", **fields: Any) -> OpenAIModel:
    return OpenAIModel(model_id, base_url=server.url, **{"api_key": KEY, **fields})


async def heard(stream: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in stream]


def ask(server: Loopback, request: Request = HI, **fields: Any) -> Response | ModelError:
    result = asyncio.run(model(server, **fields).generate(request))
    return result.unwrap() if isinstance(result, Success) else result.failure()


def listen(server: Loopback, request: Request = HI, **fields: Any) -> list[Event]:
    return asyncio.run(heard(model(server, **fields).stream(request)))


def failed(server: Loopback, **fields: Any) -> ModelError:
    found = ask(server, **fields)
    assert isinstance(found, ModelError), found
    return found


def failed_stream(server: Loopback, **fields: Any) -> Failed:
    *_, last = listen(server, **fields)
    assert isinstance(last, Failed), last
    return last


PARTIAL = (chunk({"content": "Hel"}), chunk({"content": "lo"}))
