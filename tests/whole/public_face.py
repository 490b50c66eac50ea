"""What type checkers make of the public face; run by them, not by the tests."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import assert_type

from returns.result import Result

from modelport import (
    OMIT,
    Capabilities,
    Decorated,
    ErrorKind,
    Event,
    Fallback,
    FinishReason,
    Layer,
    Message,
    Model,
    ModelError,
    Policy,
    Request,
    Response,
    Retry,
    ScriptedModel,
    Tool,
    as_messages,
    as_request,
    blocking,
    compose,
    describe,
    outcome,
    with_circuit_breaker,
    with_defaults,
    with_fallback,
    with_rate_limit,
    with_retry,
    with_route,
    with_timeout,
)
from modelport.adapters import MLXModel, OpenAIModel, OpenVINOModel, TransformersModel, VLLMModel, from_function

weather = Tool("weather")
models: list[Model] = [
    ScriptedModel("Hello!"),
    from_function(lambda messages: "Hello!"),
    OpenAIModel("gpt-4o"),
    OpenVINOModel("default"),
    TransformersModel("default"),
]
layers: list[Layer] = [with_retry(), with_rate_limit(60), with_fallback(*models)]
request = as_request("Hello!")
assert_type(request, Request)
stack = compose(models[0], *layers)
assert_type(stack, Decorated[Policy])
assert_type(stack("Hello!", stop_sequences=["\n"], temperature=0.5), Response)
assert_type(stack("Hello!").content, str)
assert_type(stack("Hello!").text, str)
assert_type(stack(request), Response)
assert_type(stack("Hello!").finish_reason, FinishReason)
assert_type(stack.capabilities, Capabilities)
assert_type(describe(stack), str)
assert_type(as_messages("Hello!"), tuple[Message, ...])
twin = blocking(stack)
assert_type(twin.generate(request), Result[Response, ModelError])
assert_type(twin.generate("Hello!", temperature=0.5), Result[Response, ModelError])
assert_type(twin.stream("Hello!", max_tokens=5), Generator[Event, None, None])
assert_type(twin("Hello!", temperature=OMIT), Response)
assert_type(twin.ask("Hello!"), Response)

# What the outermost layer was told is its policy, if a checker can know it.
assert_type(compose(models[0], with_rate_limit(60), with_retry(attempts=2)), Decorated[Retry])
assert_type(compose(models[0], with_timeout(total=5), with_retry()).policy.attempts, int)
assert_type(compose(models[0], with_retry(), with_timeout(total=5)), Decorated[Policy])
assert_type(compose(models[0], *layers, with_fallback(models[1])).policy, Fallback)
assert_type(compose(compose(models[0], with_retry())), Decorated[Retry])


async def use(model: Model) -> None:
    """The port's members have types of their own."""
    assert_type(await model.generate(request), Result[Response, ModelError])
    assert_type(model.stream(request), AsyncGenerator[Event, None])


async def ask() -> None:
    """Every member of the face takes what people pass."""
    assert_type(await stack.ask("Hello!", max_tokens=5, extra_body={"mirostat": 2}), Response)
    assert_type(await stack.generate([{"role": "user", "content": "Hello!"}], ["\n"]), Result[Response, ModelError])
    assert_type(stack.stream("Hello!", tools=[weather], tool_choice=weather), AsyncGenerator[Event, None])
    scripted = ScriptedModel("Hello!")
    assert_type(await scripted.ask("Hello!"), Response)
    assert_type(await scripted.generate("Hello!", seed=7), Result[Response, ModelError])
    async for event in OpenAIModel("gpt-4o").stream("Hello!", tool_choice="none"):
        assert_type(event, Event)


def tell(result: Result[Response, ModelError]) -> str:
    """A result is matched by what is in it, with its type."""
    match outcome(result):
        case Response() as response:
            return assert_type(response, Response).text
        case ModelError(kind=ErrorKind.TIMEOUT):
            return "too late"
        case ModelError() as error:
            return assert_type(error, ModelError).message


def wrong() -> None:
    """What a checker finds before anything is sent; an ignore that finds nothing is an error itself."""
    stack("Hello!", temprature=0.5)  # type: ignore[call-arg]
    stack("Hello!", max_tokens="lots")  # type: ignore[arg-type]
    stack("Hello!", tool_choice="sometimes")  # type: ignore[arg-type]
    _ = stack.ask("Hello!", temprature=0.5)  # type: ignore[call-arg]
    stack.stream("Hello!", max_tokens="lots")  # type: ignore[arg-type]
    twin.generate("Hello!", temprature=0.5)  # type: ignore[call-arg]
    as_request("Hello!", temprature=0.5)  # type: ignore[call-arg]
    OpenAIModel("m", temprature=0.5)  # type: ignore[call-arg]
    TransformersModel("m", temprature=1)  # type: ignore[call-arg]
    TransformersModel("m", max_tokens="lots")  # type: ignore[arg-type]
    MLXModel("m", temprature=1)  # type: ignore[call-arg]
    OpenVINOModel("m", temprature=1)  # type: ignore[call-arg]
    VLLMModel("m", temprature=1)  # type: ignore[call-arg]
    with_defaults(temprature=1)  # type: ignore[call-arg]
    with_retry(on="sever")  # type: ignore[arg-type]
    with_retry(on=["server", "timout"])  # type: ignore[list-item]
    with_retry(resend="maybe")  # type: ignore[arg-type]
    with_fallback(models[0], on="sever")  # type: ignore[arg-type]
    with_fallback(models[0], on_response="emtpy")  # type: ignore[arg-type]
    with_circuit_breaker(on="sever")  # type: ignore[arg-type]
    with_route(*models, by="cheapest")  # type: ignore[arg-type]
    ModelError("sever", "it broke")  # type: ignore[arg-type]
    Message("usr", "Hello!")  # type: ignore[arg-type]
    compose(models[0], 5)  # type: ignore[call-overload]
    _ = compose(models[0], with_retry()).policy.atempts  # type: ignore[attr-defined]


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
