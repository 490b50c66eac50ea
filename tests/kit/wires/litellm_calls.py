"""How the tests ask litellm's two models, whole and streamed; and why they don't where litellm isn't."""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec
from typing import Any

import pytest
from loopback import Loopback
from returns.result import Success

from modelport.adapters.litellm.model import LiteLLMModel
from modelport.adapters.litellm.router import LiteLLMRouterModel
from modelport.domain.error import ModelError
from modelport.domain.event import Event, Failed, Finished
from modelport.domain.message import Message
from modelport.domain.request import Request
from modelport.domain.response import Response

KEY = "sk-secret-0123456789"
HI = Request([Message("user", "hi")])

if find_spec("litellm") is None:
    pytest.skip("litellm isn't installed here", allow_module_level=True)
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # a test may import it before a model does

# litellm's own types warn of how litellm uses them; what it says of how it is used here is an error
QUIET = pytest.mark.filterwarnings(
    "ignore", "error:Router:DeprecationWarning", "error::modelport.adapters.process.inside.LibraryChanged"
)


def model(server: Loopback, model_id: str = "openai/gpt-4o", **fields: Any) -> LiteLLMModel:
    """A model of this server."""
    return LiteLLMModel(model_id, **{"api_base": server.url, "api_key": KEY, **fields})


def deployment(server: Loopback, name: str, group: str = "group", **params: Any) -> dict[str, Any]:
    """A deployment of this server, under an id of ours."""
    given = {"model": "openai/gpt-4o", "api_base": server.url, "api_key": KEY, **params}
    return {"model_name": group, "litellm_params": given, "model_info": {"id": name}}


def router(*deployments: dict[str, Any], **fields: Any) -> LiteLLMRouterModel:
    """A Router before these."""
    return LiteLLMRouterModel("group", model_list=deployments, **fields)


def asked(subject: Any, request: Request = HI) -> tuple[Response | ModelError, list[Event]]:
    """What it answers whole, and the events of a stream."""

    async def main() -> tuple[Any, list[Event]]:
        result = await subject.generate(request)
        whole = result.unwrap() if isinstance(result, Success) else result.failure()
        return whole, [event async for event in subject.stream(request)]

    return asyncio.run(main())


def answered(subject: Any, request: Request = HI) -> tuple[Response, Response, list[Event]]:
    """Its answer whole and streamed, and the events before the last."""
    whole, (*events, last) = asked(subject, request)
    assert isinstance(whole, Response), whole
    assert isinstance(last, Finished), last
    return whole, last.response, events


def failed(subject: Any, request: Request = HI) -> tuple[ModelError, Failed, list[Event]]:
    """Its error whole and streamed, and the events before the last."""
    whole, (*events, last) = asked(subject, request)
    assert isinstance(whole, ModelError), whole
    assert isinstance(last, Failed), last
    return whole, last, events
