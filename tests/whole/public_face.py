"""What type checkers make of the public face; run by them, not by the tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import assert_type

from returns.result import Result

from modelport import (
    Capabilities,
    Decorated,
    Event,
    FinishReason,
    Layer,
    Message,
    Model,
    ModelError,
    Request,
    Response,
    ScriptedModel,
    as_messages,
    as_request,
    blocking,
    compose,
    describe,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.adapters import OpenAIModel, OpenVINOModel, TransformersModel, from_function

models: list[Model] = [
    ScriptedModel("Hello!"),
    from_function(lambda messages: "Hello!"),
    OpenAIModel("gpt-4o"),
    OpenVINOModel("default"),
    TransformersModel("default"),
]
layers: list[Layer] = [with_retry(), with_rate_limit(60), with_fallback(*models)]
stack = compose(models[0], *layers)
assert_type(stack, Decorated)
assert_type(stack("Hello!", stop_sequences=["\n"], temperature=0.5), Response)
assert_type(stack("Hello!").content, str)
assert_type(stack("Hello!").finish_reason, FinishReason)
assert_type(stack.capabilities, Capabilities)
assert_type(describe(stack), str)
request = as_request("Hello!")
assert_type(request, Request)
assert_type(as_messages("Hello!"), tuple[Message, ...])
assert_type(blocking(stack).generate(request), Result[Response, ModelError])
assert_type(blocking(stack).stream(request), Generator[Event, None, None])


async def use(model: Model) -> None:
    """The port's members have types of their own."""
    assert_type(await model.generate(request), Result[Response, ModelError])
    assert_type(model.stream(request), AsyncGenerator[Event, None])


class Custom:
    """Any object with the port's members is a model."""

    capabilities = Capabilities()

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The inner model's answer."""
        return await stack.generate(request)

    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The inner model's stream."""
        return stack.stream(request)


custom: Model = Custom()
