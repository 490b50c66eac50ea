"""The face for people: what a model takes and gives, in asynchronous code and in scripts."""

import asyncio
import inspect
import typing
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from returns.result import Result, Success

from modelport import (
    Attempt,
    Capabilities,
    Decorated,
    ErrorKind,
    Event,
    Failed,
    Finished,
    Model,
    ModelError,
    ModelFailure,
    Request,
    Response,
    ScriptedModel,
    Tool,
    VirtualClock,
    as_request,
    blocking,
    compose,
    from_function,
    outcome,
    with_retry,
)
from modelport.adapters.process.calling import Calling
from modelport.composition.stack.policy import Direct
from modelport.domain.error import KindName
from modelport.domain.machines.router import By, ByName
from modelport.domain.message import Role, RoleName
from modelport.domain.options.call_options import CallOptions
from modelport.domain.options.option import ALIASES

REQUEST = as_request("Hello!")


class Own(Calling):
    """A model of one's own."""

    capabilities = Capabilities()

    def __init__(self) -> None:
        self.inner = ScriptedModel("Hi", repeat=True)

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        return await self.inner.generate(request)

    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        return self.inner.stream(request)


class Derived(Model):
    """One that has what the port asks for."""

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        return Success(Response.of("Hi"))


class Plain(Model):
    """One that is written as a function of messages."""

    def generate(self, messages: Any) -> str:
        return "Hi"


MODELS = [
    ScriptedModel("Hi", repeat=True),
    from_function(lambda messages: "Hi"),
    compose(ScriptedModel("Hi", repeat=True), with_retry()),
    Own(),
]


def ledgers(model: Any) -> dict[str, list[str]]:
    """The outcomes in the ledger of a call, for each way of making one."""

    async def streamed() -> Response:
        *_, last = [event async for event in model.stream(REQUEST)]
        assert isinstance(last, Finished)
        return last.response

    responses = {
        "model(...)": model(REQUEST),
        "ask": asyncio.run(model.ask(REQUEST)),
        "generate": asyncio.run(model.generate(REQUEST)).unwrap(),
        "stream": asyncio.run(streamed()),
        "blocking": blocking(model)(REQUEST),
        "blocking stream": [*blocking(model).stream(REQUEST)][-1].response,  # type: ignore[union-attr]
        "compose": compose(model)(REQUEST),
    }
    return {way: [attempt.outcome for attempt in response.attempts] for way, response in responses.items()}


@pytest.mark.parametrize("model", [*MODELS, Derived(), Plain()], ids=lambda model: type(model).__name__)
def test_an_answer_has_its_ledger_whoever_is_asked_and_however(model: Any) -> None:
    ways = ("model(...)", "ask", "generate", "stream", "blocking", "blocking stream", "compose")
    assert ledgers(model) == {way: ["answered"] for way in ways}


def test_a_failure_of_a_model_that_stands_alone_has_its_ledger() -> None:
    model = ScriptedModel(ModelError("overloaded", "busy"), repeat=True, provider="me", model_id="m")
    whole = asyncio.run(model.generate(REQUEST)).failure()
    *_, last = blocking(model).stream(REQUEST)
    assert [(each.provider, each.model_id, each.outcome, each.message) for each in whole.attempts] == [
        ("me", "m", "overloaded", "busy")
    ]
    assert last == Failed(whole)


def test_a_stack_keeps_the_ledger_on_its_own_clock() -> None:
    clock = VirtualClock(1_000.0)
    for model in (ScriptedModel("Hi"), Derived(), from_function(lambda messages: "Hi")):
        stack = Decorated(model, Direct(), clock)
        (attempt,) = asyncio.run(stack.generate(REQUEST)).unwrap().attempts
        assert (attempt.started, attempt.duration) == (1_000.0, 0.0)


def test_answers_are_equal_however_long_they_took_and_not_whatever_was_tried() -> None:
    tried = Attempt("me", "m", "answered", started=1.0, duration=2.0, first_event=0.5)
    again = Attempt("me", "m", "answered", started=5.0, duration=9.0)
    other = Attempt("me", "other", "answered", started=1.0, duration=2.0, first_event=0.5)
    one, same, different = (Response.of("Hi", attempts=(each,)) for each in (tried, again, other))
    assert (one == same, hash(one) == hash(same), one == different) == (True, True, False)
    failed, too = (ModelError("server", "no", attempts=(each,)) for each in (tried, again))
    assert failed == too


def test_what_breaks_the_law_passes_as_it_is() -> None:
    class Lawless(Calling):
        capabilities = Capabilities()

        async def generate(self, request: Request, /) -> Any:
            return "Hi"

    assert asyncio.run(Lawless().generate(REQUEST)) == "Hi"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_every_member_takes_what_people_pass(model):
    async def main():
        asked = await model.ask("Hello!")
        generated = outcome(await model.generate([{"role": "user", "content": "Hello!"}], ["."]))
        *_, last = [event async for event in model.stream("Hello!")]
        return asked.text, generated.text, last.response.text

    assert asyncio.run(main()) == ("Hi", "Hi", "Hi")
    assert model("Hello!").text == "Hi"


def test_a_request_passes_as_it_is():
    model = ScriptedModel("Hi", repeat=True)
    asyncio.run(model.ask(REQUEST))
    asyncio.run(model.generate(REQUEST))
    assert all(request is REQUEST for request in model.requests)
    assert as_request(REQUEST) is REQUEST


def test_a_request_and_more_is_refused():
    with pytest.raises(TypeError, match=r"as_request: a Request says all of it already; change it: attrs\.evolve"):
        ScriptedModel("Hi")(REQUEST, temperature=0.5)


def test_what_cannot_be_read_is_refused_where_it_is_passed_and_not_where_it_is_awaited():
    with pytest.raises(ValueError, match="unknown role"):
        ScriptedModel("Hi").generate([{"role": "usr", "content": "Hello!"}])


def test_ask_raises_where_there_is_no_answer():
    with pytest.raises(ModelFailure, match="it broke"):
        asyncio.run(ScriptedModel(ModelError("server", "it broke")).ask("Hello!"))


def test_a_choice_of_a_tool_may_be_the_tool():
    weather = Tool("weather")
    assert as_request("Rain?", tools=[weather], tool_choice=weather).tool_choice == "weather"


@pytest.mark.parametrize("member", ["__call__", "ask", "generate", "stream"])
def test_help_shows_the_arguments(member):
    shown = inspect.signature(getattr(MODELS[0], member)).parameters
    assert list(shown) == ["messages", "stop_sequences", "tools", "tool_choice", "response_format", "options"]


def test_a_response_is_written_as_its_text():
    response = Response.of("Hi")
    assert (str(response), f"{response}", response.text) == ("Hi", "Hi", "Hi")


def test_an_outcome_is_what_is_in_a_result():
    model = ScriptedModel("Hi", ModelError("server", "it broke"))
    assert outcome(asyncio.run(model.generate("Hello!"))).text == "Hi"
    assert outcome(asyncio.run(model.generate("Hello!"))).kind is ErrorKind.SERVER


@pytest.mark.parametrize(("written", "kinds"), [(KindName, ErrorKind), (RoleName, Role), (ByName, By)])
def test_the_words_that_checkers_know_are_all_of_them(written, kinds):
    assert typing.get_args(written) == tuple(kinds)


def test_checkers_know_every_spelling_of_an_option():
    assert set(ALIASES) | set(ALIASES.values()) <= CallOptions.__annotations__.keys()
