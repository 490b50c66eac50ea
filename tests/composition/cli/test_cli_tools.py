"""Functions of a file are tools: what the model calls is run and sent back, until it answers or had its rounds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import loopback
import pytest
from command_line import served
from extras import need

from modelport import Message, ModelError, Response, ScriptedModel, Text, ToolCall
from modelport.composition.cli.display.screens import Plain
from modelport.composition.cli.exits import Ended
from modelport.composition.cli.inputs.tool_calls import called
from modelport.composition.cli.inputs.tool_functions import read_tools
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


def leave() -> None:
    """Ends the process."""
    raise SystemExit(3)


async def leave_later() -> None:
    """Ends the process, as a task."""
    raise SystemExit(4)


def interrupt() -> None:
    """Raises what Ctrl-C does."""
    raise KeyboardInterrupt


def places() -> dict:
    """What JSON can't say."""
    return {(1, 2): "here"}


def forecast(days: list[int]) -> str:
    """Some days."""
    return f"{type(days).__name__} {days}"


def loud() -> str:
    """Prints, itself and in a program of its own."""
    import subprocess, sys

    print("from Python")
    subprocess.run([sys.executable, "-c", "print('from a program')"], check=True)
    return "done"


print("imported")


def _hidden() -> None:
    """Nothing."""
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of tools."""
    for name in ("tools_of_a_test", "modelport_tools_tools_of_a_test"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    path = tmp_path / "tools_of_a_test.py"
    path.write_text(TOOLS, "utf-8")
    return str(path)


def calling(city: str, name: str = "weather", id: str = "c1") -> Response:
    return Response(Message("assistant", [ToolCall(id, name, {"city": city})]), "tool_calls")


def session(file: str, *answers: Any, rounds: int = 5) -> tuple[Session, ScriptedModel]:
    model = ScriptedModel(*answers)
    return Session(Asked(Choice("main", model), functions=read_tools([file]), rounds=rounds)), model


def test_the_public_functions_of_a_file_are_tools(file: str) -> None:
    names = ["degrees", "forecast", "interrupt", "leave", "leave_later", "loud", "places", "weather"]
    assert sorted(read_tools([file])) == names
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
        (ToolCall("1", "leave", {}), "SystemExit: 3", True),
        (ToolCall("1", "leave_later", {}), "SystemExit: 4", True),
        (ToolCall("1", "interrupt", {}), "KeyboardInterrupt: ", True),
        (ToolCall("1", "places", {}), "TypeError: keys must be str, int, float, bool or None, not tuple", True),
        (ToolCall("1", "forecast", {"days": [1, 2]}), "list [1, 2]", False),
        (
            ToolCall("1", "forecast", {"days": [1, "2"]}),
            "ValueError: the arguments of 'forecast' don't fit: at $.days[1]: '2' is not of type 'integer'",
            True,
        ),
        (
            ToolCall("1", "weather", {}),
            "ValueError: the arguments of 'weather' don't fit: at $: 'city' is a required property",
            True,
        ),
    ],
)
def test_what_a_call_gives_is_told_to_the_model(file: str, call: ToolCall, text: str, is_error: bool) -> None:
    result = called(call, read_tools([file]))
    assert (result.text, result.is_error, result.name) == (text, is_error, call.name)


def test_half_characters_in_what_a_tool_gives_do_not_end_the_conversation() -> None:
    """Names of files that aren't UTF-8 have them."""

    def listed() -> list[str]:
        """The files."""
        return ["caf\udce9.txt"]

    def opened() -> str:
        """A file."""
        raise FileNotFoundError("caf\udce9.txt")

    functions = {"listed": listed, "opened": opened}
    assert called(ToolCall("1", "listed", {}), functions).text == '["caf?.txt"]'
    assert called(ToolCall("1", "opened", {}), functions).text == "FileNotFoundError: caf?.txt"


def test_calls_are_run_until_there_is_an_answer(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    talk, model = session(file, calling("Seoul"), calling("Nowhere"), "It is sunny.")
    capsys.readouterr()
    request, outcome = talk.ask([Text("How is it?")], Plain())
    assert isinstance(outcome, Response)
    assert outcome.content == "It is sunny."
    assert [message.role for message in request.messages] == ["user", "assistant", "tool", "assistant", "tool"]
    assert talk.messages == (*request.messages, outcome.message)
    assert [request.tool_choice for request in model.requests] == [None, None, None]
    assert {"degrees", "weather"} < {tool.name for tool in model.requests[0].tools}
    out, err = capsys.readouterr()
    assert out == "It is sunny.\n"
    assert err.splitlines() == [
        '(weather {"city":"Seoul"})',
        "(weather gave: sunny in Seoul)",
        '(weather {"city":"Nowhere"})',
        "(weather failed: LookupError: there is no such place)",
    ]


def test_after_its_rounds_it_is_asked_for_an_answer_without_tools(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    talk, model = session(file, calling("Seoul" * 50), calling("Seoul"), "It is sunny.", rounds=2)
    capsys.readouterr()
    _, outcome = talk.ask([Text("How is it?")], Plain())
    assert isinstance(outcome, Response)
    assert talk.asked.reason(outcome) is None
    assert [request.tool_choice for request in model.requests] == [None, None, "none"]
    assert len(model.requests[2].tools) == 8
    out, err = capsys.readouterr()
    assert out == "It is sunny.\n"
    assert err.splitlines()[0].endswith("SeoulSeo...)")


def test_who_wants_tools_all_the_same_has_not_answered(file: str) -> None:
    talk, model = session(file, calling("Seoul"), calling("Seoul"), rounds=1)
    _, outcome = talk.ask([Text("How is it?")], Plain())
    assert isinstance(outcome, Response)
    said = "there is no answer: the model wants more tools after 1 round; --rounds allows more"
    assert talk.asked.reason(outcome) == said
    assert len(model.requests) == 2
    assert talk.messages == ()


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


def test_a_tool_may_be_a_module_s_own(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(file).parent)
    functions = read_tools([f"{Path(file).stem}:weather"])
    assert called(ToolCall("1", "weather", {"city": "Seoul"}), functions).text == "sunny in Seoul"


def asked_of_a_server(file: str, *more: str) -> tuple[Any, list[Any]]:
    """What the command does whose model calls `loud`, and what it has sent."""
    need("openai")
    function = {"name": "loud", "arguments": "{}"}
    calls = [{"index": 0, "id": "c1", "type": "function", "function": function}]
    call = loopback.streamed(loopback.chunk({"tool_calls": calls}), loopback.chunk({}, "tool_calls"))
    with loopback.Loopback(call, loopback.saying("It is sunny.")) as server:
        done = served(server, "How is it?", "--tools", f"{file}:loud", *more)
        return done, [request.json for request in server.requests]


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "JSON"])
def test_what_a_tool_prints_is_not_in_the_answer(file: str, more: tuple[str, ...]) -> None:
    done, _ = asked_of_a_server(file, *more)
    text = json.loads(done.stdout)["content"] if more else done.stdout
    assert text.strip() == "It is sunny."
    for line in ("imported", "from Python", "from a program", "(loud gave: done)"):
        assert line in done.stderr.splitlines()


def test_the_last_round_is_asked_without_a_choice_of_tools(file: str) -> None:
    done, sent = asked_of_a_server(file, "--rounds", "1")
    assert (done.returncode, done.stdout) == (0, "It is sunny.\n")
    assert [body.get("tool_choice") for body in sent] == [None, "none"]


def test_without_standard_error_what_a_tool_prints_goes_nowhere(
    file: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    functions = read_tools([f"{file}:loud"])
    capfd.readouterr()
    monkeypatch.setattr(sys, "stderr", None)
    assert called(ToolCall("1", "loud", {}), functions).text == "done"
    assert capfd.readouterr() == ("", "")


def test_a_file_of_tools_takes_no_module_s_place(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("def f() -> None: ...", "utf-8")
    assert list(read_tools([str(tmp_path / "json.py")])) == ["f"]
    assert sys.modules["json"] is json


def test_ctrl_c_is_no_failure_of_the_tool_that_it_meets() -> None:
    def slow() -> None:
        raise Ended

    with pytest.raises(Ended):
        called(ToolCall("1", "slow", {}), {"slow": slow})
