"""How the tests ask `OpenAIResponsesModel`, whole and streamed, over the loopback server."""

from __future__ import annotations

import asyncio
from typing import Any

from loopback import Loopback
from openai_calls import HI, KEY, heard
from returns.result import Success

from modelport.adapters.openai.responses.model import OpenAIResponsesModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed, Finished
from modelport.domain.request import Request
from modelport.domain.response import Response


def model(server: Loopback, model_id: str = "gpt-5", **fields: Any) -> OpenAIResponsesModel:
    return OpenAIResponsesModel(model_id, base_url=server.url, **{"api_key": KEY, **fields})


def ask(server: Loopback, request: Request = HI, **fields: Any) -> Response | ModelError:
    result = asyncio.run(model(server, **fields).generate(request))
    return result.unwrap() if isinstance(result, Success) else result.failure()


def listen(server: Loopback, request: Request = HI, **fields: Any) -> list[Event]:
    return asyncio.run(heard(model(server, **fields).stream(request)))


def answered(server: Loopback, request: Request = HI, **fields: Any) -> Response:
    found = ask(server, request, **fields)
    assert isinstance(found, Response), found
    return found


def streamed(server: Loopback, request: Request = HI, **fields: Any) -> Response:
    last = listen(server, request, **fields)[-1]
    assert isinstance(last, Finished), last
    return last.response


def failed(server: Loopback, request: Request = HI, **fields: Any) -> ModelError:
    found = ask(server, request, **fields)
    assert isinstance(found, ModelError), found
    return found


def failed_stream(server: Loopback, request: Request = HI, **fields: Any) -> Failed:
    last = listen(server, request, **fields)[-1]
    assert isinstance(last, Failed), last
    return last
