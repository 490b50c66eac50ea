"""How a model that stands alone enters its calls into a ledger, as a stack does for the models in it on its own clock.

So an answer has its ledger whoever is asked for it, and however: a model or a stack, whole or streamed.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from returns.result import Failure, Result, Success

from ...domain.error import ModelError
from ...domain.event import Event, Failed, Finished
from ...domain.ledger import Entry
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from .clock import SYSTEM_CLOCK

PORT: Final = "of_the_port"
"""Where a member that keeps a ledger has the one that keeps none."""


def generate_of(model: Model) -> Callable[[Request], Awaitable[Result[Response, ModelError]]]:
    """A model's `generate`, for a stack, which keeps the ledger itself.

    >>> from modelport import ScriptedModel, as_request
    >>> import asyncio
    >>> model = ScriptedModel("Hi!", repeat=True)
    >>> members = model.generate, generate_of(model)
    >>> [len(asyncio.run(member(as_request("Hi"))).unwrap().attempts) for member in members]
    [1, 0]
    """
    member = getattr(getattr(type(model), "generate", None), PORT, None)
    return model.generate if member is None else functools.partial(member, model)


def stream_of(model: Model) -> Callable[[Request], AsyncGenerator[Event]]:
    """The same of its `stream`."""
    member = getattr(getattr(type(model), "stream", None), PORT, None)
    return model.stream if member is None else functools.partial(member, model)


async def entered(
    model: Any, request: Request, generate: Callable[[Any, Request], Awaitable[Result[Response, ModelError]]]
) -> Result[Response, ModelError]:
    """What a whole call comes to, with its attempt."""
    entry = Entry(model, SYSTEM_CLOCK.now())
    result = await generate(model, request)
    match result:
        case Success(response):
            return result if response.attempts else Success(entry.ended(response, SYSTEM_CLOCK.now()))
        case Failure(error):
            return Failure(entry.ended(error, SYSTEM_CLOCK.now()))
    return result


async def entered_stream(
    model: Any, request: Request, stream: Callable[[Any, Request], AsyncGenerator[Event]]
) -> AsyncGenerator[Event]:
    """A streamed call, with its attempt at the end."""
    entry = Entry(model, SYSTEM_CLOCK.now())
    first: float | None = None
    async with aclosing(stream(model, request)) as events:
        async for event in events:
            match event:
                case Finished():
                    yield Finished(entry.ended(event.response, SYSTEM_CLOCK.now(), first))
                case Failed():
                    yield Failed(entry.ended(event.error, SYSTEM_CLOCK.now(), first), event.partial)
                case _:
                    if first is None:
                        first = SYSTEM_CLOCK.now() - entry.started
                    yield event
