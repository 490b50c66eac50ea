"""Markdown is parted into blocks as they are finished, and completion is what each shell reads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command_line import COMMAND, environment
from hypothesis import given
from hypothesis import strategies as st
from in_process import command, scripted

from modelport.composition.cli.display.blocks import finished_blocks


@pytest.mark.parametrize(
    ("text", "done", "rest"),
    [
        ("", [], ""),
        ("One", [], "One"),
        ("One\n\n", [], "One\n\n"),
        ("One\n\nTwo", ["One"], "Two"),
        ("One\n\n\n\nTwo\n\nThree", ["One", "Two"], "Three"),
        ("1. One\n\n   and more\n\n2. Two", ["1. One\n\n   and more"], "2. Two"),
        ("```\na\n\nb\n", [], "```\na\n\nb\n"),
        ("```\na\n\nb\n```\n\nC", ["```\na\n\nb\n```"], "C"),
        ("````\n```\n\nb\n````\n\nC", ["````\n```\n\nb\n````"], "C"),
        ("~~~\n```\n\nb", [], "~~~\n```\n\nb"),
        ("\n\nOne", [""], "One"),
    ],
)
def test_an_empty_line_ends_a_block(text: str, done: list[str], rest: str) -> None:
    assert finished_blocks(text) == (done, rest)


@given(st.lists(st.sampled_from(["a", " b", "", "```", "1. c"]), max_size=12), st.integers(1, 5))
def test_it_is_the_same_in_whatever_pieces_it_arrives(lines: list[str], size: int) -> None:
    text = "\n".join(lines)
    done: list[str] = []
    rest = ""
    for at in range(0, len(text), size):
        more, rest = finished_blocks(rest + text[at : at + size])
        done += more
    assert (done, rest) == finished_blocks(text)


@pytest.mark.parametrize(
    ("shell", "begins"), [("bash", "_modelport_completion() {"), ("zsh", "#compdef modelport"), ("fish", "function")]
)
def test_each_shell_gets_its_completion(shell: str, begins: str) -> None:
    done = command("completion", shell)
    assert done.exit_code == 0
    assert done.output.lstrip().startswith(begins)
    assert "_MODELPORT_COMPLETE" in done.output


@pytest.mark.parametrize(
    ("words", "index", "expected"),
    [
        ("modelport c", 1, {"chat", "completion"}),
        ("modelport ask --no", 2, {"--no-log"}),
        ("modelport ask -m ma", 3, {"main"}),
        ("modelport ask -m openv", 3, {"openvino:default"}),
        ("modelport ask -t s", 3, {"summarise"}),
        ("modelport zzz x", 2, set()),
        ("modelport keys zzz x", 3, set()),
        ("modelport keys se", 2, {"set"}),
    ],
)
def test_what_is_begun_is_completed(tmp_path: Path, kept: Path, words: str, index: int, expected: set[str]) -> None:
    scripted(tmp_path, "Hi!")
    (kept / "templates").mkdir(parents=True)
    (kept / "templates" / "summarise.toml").touch()
    assert completed(tmp_path, words, index) == expected


def test_a_file_that_can_not_be_read_ends_no_completion(tmp_path: Path) -> None:
    (tmp_path / "modelport.toml").write_text("model = 3", "utf-8")
    assert completed(tmp_path, "modelport ask -m openv", 3) == {"openvino:default"}


def completed(folder: Path, words: str, index: int) -> set[str]:
    """What bash is told."""
    variables = {"_MODELPORT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}
    done = subprocess.run(
        COMMAND, env=environment(**variables), cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return {line.partition(",")[2] for line in done.stdout.split()}


@pytest.mark.skipif(os.name == "nt", reason="bash is of POSIX")
def test_bash_reads_what_it_is_given() -> None:
    script = command("completion", "bash").output + "\ncomplete -p modelport"
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip().endswith("-F _modelport_completion modelport")
