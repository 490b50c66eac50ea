"""The face for people: what a model takes and gives, in asynchronous code and in scripts."""

import asyncio
import inspect
import typing
from collections.abc import AsyncGenerator

import pytest
from returns.result import Result

from modelport import (
    Capabilities,
    ErrorKind,
    Event,
    ModelError,
    ModelFailure,
    Request,
    Response,
    ScriptedModel,
    Tool,
    as_request,
    compose,
    from_function,
    outcome,
    with_retry,
)
from modelport.adapters.process.calling import Calling
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


MODELS = [
    ScriptedModel("Hi", repeat=True),
    from_function(lambda messages: "Hi"),
    compose(ScriptedModel("Hi", repeat=True), with_retry()),
    Own(),
]


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
