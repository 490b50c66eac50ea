"""Functions of a file are tools: what the model calls is run and sent back, until it answers or had its rounds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from modelport import Message, ModelError, Response, ScriptedModel, Text, ToolCall
from modelport.composition.cli.display.screens import Plain
from modelport.composition.cli.inputs.tool_functions import called, read_tools
from modelport.composition.cli.model_choice import Choice
from modelport.composition.cli.session import Asked, Session, ledger

TOOLS = '''\
"""Tools of a test."""

from dataclasses import dataclass
from json import dumps


@dataclass
class Weather:
    degrees: int


def weather(city: str) -> str:
    """The weather.

    Args:
        city: where
    """
    if city == "Nowhere":
        raise LookupError("there is no such place")
    return f"sunny in {city}"


async def degrees(city: str) -> dict:
    """How warm it is."""
    return {"degrees": 21}


def _hidden() -> None:
    """Nothing."""
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of tools."""
    monkeypatch.setitem(sys.modules, "tools_of_a_test", None)  # type: ignore[arg-type]
    path = tmp_path / "tools_of_a_test.py"
    path.write_text(TOOLS, "utf-8")
    return str(path)


def calling(city: str, name: str = "weather", id: str = "c1") -> Response:
    return Response(Message("assistant", [ToolCall(id, name, {"city": city})]), "tool_calls")


def session(file: str, *answers: Any, rounds: int = 5) -> tuple[Session, ScriptedModel]:
    model = ScriptedModel(*answers)
    return Session(Asked(Choice("main", model), functions=read_tools([file]), rounds=rounds)), model


def test_the_public_functions_of_a_file_are_tools(file: str) -> None:
    assert sorted(read_tools([file])) == ["degrees", "weather"]
    assert list(read_tools([f"{file}:weather"])) == ["weather"]
    assert list(read_tools(["json:dumps", f"{file}:weather"])) == ["dumps", "weather"]


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("raise RuntimeError('no')", "{}", "it can't be imported: RuntimeError: no"),
        ("x = 1", "{}", "has no functions of its own"),
        ("x = 1", "{}:f", "has no function 'f'; there are none"),
    ],
)
def test_a_file_without_tools_is_told(tmp_path: Path, text: str, place: str, why: str) -> None:
    path = tmp_path / "no_tools.py"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="--tools ") as caught:
        read_tools([place.format(path)])
    assert why in str(caught.value)


@pytest.mark.parametrize(
    ("call", "text", "is_error"),
    [
        (ToolCall("1", "weather", {"city": "Seoul"}), "sunny in Seoul", False),
        (ToolCall("1", "degrees", {"city": "Seoul"}), '{"degrees": 21}', False),
        (ToolCall("1", "weather", {"city": "Nowhere"}), "LookupError: there is no such place", True),
        (ToolCall("1", "weather", "{"), "ValueError: tool call 'weather': arguments are not JSON: '{'", True),
        (ToolCall("1", "wether", {}), "there is no tool 'wether'", True),
    ],
)
def test_what_a_call_gives_is_told_to_the_model(file: str, call: ToolCall, text: str, is_error: bool) -> None:
    result = called(call, read_tools([file]))
    assert (result.text, result.is_error, result.name) == (text, is_error, call.name)


def test_calls_are_run_until_there_is_an_answer(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    talk, model = session(file, calling("Seoul"), calling("Nowhere"), "It is sunny.")
    request, outcome = talk.ask([Text("How is it?")], Plain())
    assert isinstance(outcome, Response)
    assert outcome.content == "It is sunny."
    assert [message.role for message in request.messages] == ["user", "assistant", "tool", "assistant", "tool"]
    assert talk.messages == (*request.messages, outcome.message)
    assert [tool.name for tool in model.requests[0].tools] == ["degrees", "weather"]
    out, err = capsys.readouterr()
    assert out == "It is sunny.\n"
    assert err.splitlines() == [
        '(weather {"city":"Seoul"})',
        "(weather gave: sunny in Seoul)",
        '(weather {"city":"Nowhere"})',
        "(weather failed: LookupError: there is no such place)",
    ]


def test_after_its_rounds_it_is_asked_no_more(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    talk, model = session(file, calling("Seoul" * 50), calling("Seoul"), rounds=1)
    _, outcome = talk.ask([Text("How is it?")], Plain())
    assert isinstance(outcome, Response)
    assert outcome.tool_calls
    assert len(model.requests) == 2
    err = capsys.readouterr().err.splitlines()
    assert err[-1] == "(it wants more tools after 1 rounds; --rounds allows more)"
    assert err[0].endswith("SeoulSeo...)")


def test_a_question_that_failed_is_forgotten(file: str) -> None:
    talk, _ = session(file, ModelError("overloaded", "not now"))
    _, outcome = talk.ask([Text("How is it?")], Plain())
    assert isinstance(outcome, ModelError)
    assert talk.messages == ()


def test_the_ledger_is_told_in_a_line() -> None:
    from modelport import Attempt, Usage

    attempts = (
        Attempt("openai", "gpt", "timeout", started=1.0, duration=2.0),
        Attempt("openai", "gpt", "answered", started=4.0, duration=1.25),
    )
    response = Response.of("Hi!", attempts=attempts, usage=Usage(7, 3))
    assert ledger(response) == "(openai:gpt; 4.2 s; 7 tokens read, 3 written; 2 attempts: timeout, answered)"


def test_a_tool_may_be_a_module_s_own(file: str) -> None:
    functions = read_tools(["json:dumps"])
    assert called(ToolCall("1", "dumps", {"obj": 1}), functions).text == json.dumps(1)
