"""`from_function` makes a model of a function, as its signature wants to be called."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from laws import listen
from returns.result import Failure, Success

from modelport import (
    OMIT,
    Capabilities,
    Finished,
    JsonObject,
    JsonSchema,
    ModelError,
    Regex,
    Request,
    Response,
    ScriptedModel,
    TextDelta,
    as_request,
)
from modelport.adapters import from_function

ASK = as_request([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])


def test_it_is_given_plain_messages() -> None:
    def answer(messages: list[dict[str, str]]) -> str:
        return repr(messages)

    expected = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert asyncio.run(from_function(answer).generate(ASK)).unwrap().content == repr(expected)


def test_stops_and_options_come_as_named_arguments() -> None:
    def answer(messages: object, stop_sequences: tuple[str, ...] = (), **options: Any) -> str:
        return f"{stop_sequences} {options}"

    model = from_function(answer, temperature=0.5, seed=1)
    assert model("Hi").content == "() {'temperature': 0.5, 'seed': 1}"
    assert model("Hi", ["END"], seed=2, temperature=OMIT).content == "['"  # its own text is cut there, too


def test_its_own_defaults_stand_where_nothing_is_asked() -> None:
    def answer(messages: object, stop_sequences: list[str] = ["Task"], seed: int = 7) -> str:  # noqa: B006
        return f"{stop_sequences} {seed}"

    assert from_function(answer)("Hi").content == "['Task'] 7"


def test_a_request_is_given_whole_to_whom_takes_one() -> None:
    asked: list[Request] = []

    def annotated(question: Request) -> str:
        asked.append(question)
        return "a"

    async def named(request):
        asked.append(request)
        return "b"

    for function, text in ((annotated, "a"), (named, "b")):
        model = from_function(function, capabilities=Capabilities(json_object=True), seed=1)
        assert model("Hi", ["x"], response_format=JsonObject()).content == text
    assert asked == [as_request("Hi", ["x"], response_format=JsonObject(), seed=1)] * 2


@pytest.mark.parametrize(
    "answer",
    ["text", Response.of("text"), SimpleNamespace(content="text"), Success(Response.of("text")), Success("text")],
    ids=["str", "Response", "content", "Result", "Result of text"],
)
def test_it_reads_what_functions_give(answer: object) -> None:
    assert from_function(lambda messages: answer)("Hi").content == "text"


@pytest.mark.parametrize("answer", [None, 3, SimpleNamespace(content=None), Failure("no"), Success(3)])
def test_what_it_cannot_read_is_malformed(answer: object) -> None:
    error = asyncio.run(from_function(lambda messages: answer).generate(ASK)).failure()
    assert error.kind == "malformed_response"
    assert repr(answer) in error.message


def test_an_error_may_be_given_back_as_a_value() -> None:
    error = ModelError("overloaded", "busy")
    assert asyncio.run(from_function(lambda messages: error).generate(ASK)).failure().message == "busy"


def test_an_exception_becomes_a_server_error_with_its_type_and_text() -> None:
    def raising(messages: object) -> str:
        raise OSError("no route")

    async def raising_later(messages: object) -> str:
        raise StopIteration

    error = asyncio.run(from_function(raising).generate(ASK)).failure()
    assert (error.kind, error.provider) == ("server", "function")
    assert error.message.endswith("raising raised OSError: no route")
    error = asyncio.run(from_function(raising_later, model_id="mine").generate(ASK)).failure()
    assert error.kind == "server"
    assert error.model_id == "mine"


def test_a_plain_function_does_not_block_the_loop() -> None:
    """While it waits in its thread, others go on."""
    go_on = threading.Event()

    def answer(messages: object) -> str:
        return "in time" if go_on.wait(20) else "too late"

    async def main() -> str:
        task = asyncio.ensure_future(from_function(answer).generate(ASK))
        await asyncio.sleep(0.01)
        go_on.set()
        return (await task).unwrap().content

    assert asyncio.run(main()) == "in time"


def test_a_cancelled_call_returns_while_its_function_runs_on() -> None:
    begun, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def answer(messages: object) -> str:
        begun.set()
        go_on.wait(20)
        over.set()
        return "nobody hears it"

    async def main() -> None:
        task = asyncio.ensure_future(from_function(answer).generate(ASK))
        assert await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not over.is_set()
        go_on.set()

    asyncio.run(main())
    assert over.wait(20)


def test_its_stream_is_its_answer() -> None:
    model = from_function(lambda messages: "one two")
    events = asyncio.run(listen(model, as_request("Hi", ["two"])))
    response = asyncio.run(model.generate(as_request("Hi", ["two"]))).unwrap()
    assert events == [TextDelta("one "), Finished(response)]
    assert (response.content, response.stopped_by, response.model_id) == ("one ", "two", model.model_id)


def test_what_it_does_not_take_is_unsupported() -> None:
    model = from_function(lambda messages: "a")
    assert "option 'seed'" in asyncio.run(model.generate(as_request("Hi", seed=1))).failure().message
    error = asyncio.run(model.generate(as_request("Hi", response_format=JsonObject()))).failure()
    assert (error.kind, error.sent) == ("unsupported", "no")


class CustomModel:
    """The page's shape of a custom model."""

    def generate(self, messages: list[dict[str, str]], stop_sequences: list[str] = ["Task"]) -> object:  # noqa: B006
        return SimpleNamespace(content=f"{messages[-1]['content']} {stop_sequences}")


def test_an_object_with_generate_is_taken() -> None:
    model = from_function(CustomModel())
    assert model("Hi").content == "Hi ['Task']"
    assert model("Hi", ["END"]).content == "Hi ['"
    assert repr(model) == "from_function(CustomModel.generate)"


def test_what_cannot_be_called_so_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="is not a function, and has no generate"):
        from_function(3)
    with pytest.raises(TypeError, match="takes no messages"):
        from_function(lambda: "a")
    with pytest.raises(TypeError, match="is a model already"):
        from_function(ScriptedModel("a"))
    with pytest.raises(ValueError, match="tools doesn't fit into plain messages"):
        from_function(lambda messages: "a", capabilities=Capabilities(tools=True))


def test_a_class_in_place_of_one_of_its_kind_is_refused_at_once() -> None:
    class Mine:
        def generate(self, messages: list[dict[str, str]]) -> str:
            return "Hi!"

    with pytest.raises(TypeError, match=r"is a class; make one of it: from_function\(Mine\(\)\)"):
        from_function(Mine)
    assert from_function(Mine())("Hello").content == "Hi!"


def test_an_exception_that_can_t_say_what_it_is_is_an_error_all_the_same() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def fail(messages: object) -> str:
        raise Mute

    error = asyncio.run(from_function(fail).generate(as_request("Hi"))).failure()
    assert (error.kind, error.message.rpartition(" ")[2]) == ("server", "Mute")


def test_a_function_that_names_response_format_is_given_the_wires_form() -> None:
    """It then declares JSON, and is called without a form where none is asked for."""
    asked: list[object] = []

    def model(messages: list[dict[str, str]], response_format: object = "its own", **options: object) -> str:
        asked.append(response_format)
        return "{}"

    told = from_function(model)
    assert told.capabilities == Capabilities(json_object=True, json_schema=True)
    for form in (None, JsonObject(), JsonSchema({"type": "object"}, "it", strict=False)):
        assert told("Hi", response_format=form).content == "{}"
    schema = {"type": "json_schema", "json_schema": {"name": "it", "schema": {"type": "object"}, "strict": False}}
    assert asked == ["its own", {"type": "json_object"}, schema]
    error = asyncio.run(told.generate(as_request("Hi", response_format=Regex("a")))).failure()
    assert (error.kind, len(asked)) == ("unsupported", 3)


def test_a_function_that_names_response_format_may_be_declared_to_take_less() -> None:
    def model(messages: list[dict[str, str]], response_format: object = None) -> str:
        return "{}"

    told = from_function(model, capabilities=Capabilities(json_object=True))
    error = asyncio.run(told.generate(as_request("Hi", response_format=JsonSchema({})))).failure()
    assert error.kind == "unsupported"


def test_what_stands_in_extra_body_is_an_argument_of_the_function() -> None:
    model = from_function(lambda messages, seed=0, mood="calm": f"{seed} {mood}")
    assert model("Hi", seed=7, extra_body={"mood": "happy"}).content == "7 happy"
    error = asyncio.run(model.generate(as_request("Hi", seed=7, extra_body={"seed": 8}))).failure()
    assert (error.kind, error.message) == ("invalid_request", "options: seed stands in extra_body too; keep one")


def test_a_default_that_the_function_does_not_take_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="from_function: there is no option 'mood'"):
        from_function(lambda messages: "Hi", mood="happy")
