"""`Model` for whoever inherits from it: the port, and a class derived from it can be called like a function.

A derived class may write `generate(messages, stop_sequences=...)`, as smolagents' models do, in place of the port's
`generate(request)`: it becomes what `from_function` makes of that. What it leaves out is made of the rest.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator
from typing import Any, Protocol, runtime_checkable

from returns.result import Failure, Result

from ..domain import model as port
from ..domain.capability import Capabilities
from ..domain.error import ModelError
from ..domain.event import Event, Failed, replay
from ..domain.request import Request
from ..domain.response import Response
from .function import FunctionModel, from_function
from .process.calling import Calling, with_face
from .process.entered import generate_of


@runtime_checkable
class Model(port.Model, Protocol):
    """Answers a request, whole or as a stream of events. Whatever has these members is one; nobody need inherit.

    >>> class Echo(Model):
    ...     def generate(self, messages, stop_sequences=None):
    ...         return messages[-1]["content"]
    >>> Echo()("Hello!").content
    'Hello!'
    """

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__dict__.get("_is_protocol"):
            return
        generate = cls.__dict__.get("generate")
        if generate is not None and "messages" in inspect.signature(_function(generate)).parameters:
            _of_function(cls, generate)
        for name, member in (("capabilities", Capabilities()), ("stream", _stream)):
            if _first(cls, name) is vars(port.Model)[name]:
                setattr(cls, name, member)
        for name, member in vars(Calling).items():
            if inspect.isfunction(member) and _first(cls, name) is None:
                setattr(cls, name, member)
        with_face(cls)


def _first(cls: type, name: str) -> Any:
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def _function(generate: Any) -> Any:
    return generate.__func__ if isinstance(generate, staticmethod | classmethod) else generate


def _of_function(cls: Any, generate: Any) -> None:
    """Gives the class the port's members, which ask this function of messages."""
    if next(iter(inspect.signature(_function(generate)).parameters)) == "messages":
        generate = staticmethod(_function(generate))  # it is written without self

    def made(self: Any) -> FunctionModel:
        return from_function(generate.__get__(self, type(self)), model_id=type(self).__name__)

    async def generate_(self: Any, request: Request, /) -> Result[Response, ModelError]:
        return await generate_of(made(self))(request)

    cls.generate = generate_
    if _first(cls, "capabilities") is vars(port.Model)["capabilities"]:
        cls.capabilities = property(lambda self: made(self).capabilities)


async def _stream(self: Any, request: Request, /) -> AsyncGenerator[Event]:
    """The whole answer as a stream."""
    result = await generate_of(self)(request)
    if isinstance(result, Failure):
        yield Failed(result.failure())
        return
    for event in replay(result.unwrap()):
        yield event
