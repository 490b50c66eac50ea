"""How the tests ask `InferenceClientModel`, whole and streamed, over the loopback server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from loopback import Loopback
from returns.result import Success

from modelport.adapters.huggingface.model import InferenceClientModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.response import Response

TOKEN = "hf_secret_0123456789"
HI = Request([Message("user", "hi")])


def model(server: Loopback, model_id: str = "org/name", **fields: Any) -> InferenceClientModel:
    return InferenceClientModel(model_id, base_url=server.url, **{"token": TOKEN, **fields})


async def heard(stream: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in stream]


def ask(server: Loopback, request: Request = HI, **fields: Any) -> Response | ModelError:
    subject = model(server, **fields)  # held, so that the loop waits at its end until every connection is closed
    result = asyncio.run(subject.generate(request))
    return result.unwrap() if isinstance(result, Success) else result.failure()


def listen(server: Loopback, request: Request = HI, **fields: Any) -> list[Event]:
    subject = model(server, **fields)
    return asyncio.run(heard(subject.stream(request)))


def failed(server: Loopback, **fields: Any) -> ModelError:
    found = ask(server, **fields)
    assert isinstance(found, ModelError), found
    return found


def failed_stream(server: Loopback, **fields: Any) -> Failed:
    *_, last = listen(server, **fields)
    assert isinstance(last, Failed), last
    return last
