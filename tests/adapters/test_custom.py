"""A class that derives from `Model` can be called, and may be written as smolagents' are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from laws import listen
from returns.result import Failure, Result, Success

from modelport import (
    Attempt,
    Capabilities,
    Event,
    Failed,
    Finished,
    Model,
    ModelError,
    Request,
    Response,
    TextDelta,
    as_request,
    compose,
    replay,
    with_retry,
)

HI = as_request("Hi", ["!"])


class Plain(Model):
    """As the page has it, without self."""

    def generate(messages: Any, stop_sequences: Any = None) -> str:  # noqa: N805
        return f"{messages[-1]['content']}, {stop_sequences}!"


class Own(Model):
    """The port's own member, and nothing else."""

    def __init__(self, error: ModelError | None = None) -> None:
        self.error = error

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        return Failure(self.error) if self.error else Success(Response.of("Hello!"))


class Whole(Own):
    """All of the port's members, and a call of its own."""

    capabilities = Capabilities(tools=True)

    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        return self.said()

    async def said(self) -> AsyncGenerator[Event]:
        for event in replay(Response.of("Streamed!")):
            yield event

    def __call__(self, *_: Any, **__: Any) -> str:
        return "called"


class Able(Model):
    """A function of messages that names what it can."""

    capabilities = Capabilities(json_object=True)

    @staticmethod
    def generate(messages: Any, grammar: Any = None) -> str:
        return str(grammar)


class Port(Model, Protocol):
    """A protocol of somebody's own."""


def test_the_class_of_the_page_is_a_model() -> None:
    model: Any = Plain()
    assert isinstance(model, Model)
    assert model("Hi", stop_sequences=["?"]).content == "Hi, ['"
    assert compose(model, with_retry())("Hi").content == "Hi, None!"
    assert model.capabilities == Capabilities()


def test_what_a_class_leaves_out_is_made_of_the_rest() -> None:
    model: Any = Own()
    assert (model("Hi").content, model.capabilities) == ("Hello!", Capabilities())
    events = asyncio.run(listen(model, HI))
    assert [type(event) for event in events] == [TextDelta, Finished]
    error = ModelError("server", "no")
    assert asyncio.run(listen(Own(error), HI)) == [Failed(error.after(Attempt(None, None, "server", message="no")))]


def test_what_a_class_has_stays() -> None:
    model: Any = Whole()
    assert (model("Hi"), model.capabilities.tools) == ("called", True)
    assert asyncio.run(listen(model, HI))[0] == TextDelta("Streamed!")


def test_a_function_of_messages_may_take_a_grammar() -> None:
    model: Any = Able()
    assert model("Hi", grammar={"type": "regex", "value": "a"}).content == "{'type': 'regex', 'value': 'a'}"
    assert model.capabilities == Capabilities(json_object=True)


def test_a_protocol_that_extends_it_is_one() -> None:
    assert "__call__" not in vars(Port)
