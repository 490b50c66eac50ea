"""Streams that are closed, full or gone, and files that can't be kept, are told in a line, and never in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import loopback
import pytest
from command_line import COMMAND, environment, run
from extras import need

if sys.platform == "win32":
    pytest.skip("POSIX shells close streams so", allow_module_level=True)

FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a disk that is always full")


@pytest.fixture
def server() -> Iterator[loopback.Loopback]:
    need("openai")
    with loopback.Loopback(loopback.saying("Yes.")) as server:
        yield server


def redirected(where: str, *arguments: str) -> tuple[int, str, str]:
    """What the command does with its streams redirected so by a shell."""
    done = subprocess.run(
        ["sh", "-c", f'"$@" {where}', "sh", *COMMAND, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_closed_standard_input_is_an_empty_prompt() -> None:
    status, _, said = redirected("<&-", "ask")
    assert status == 2
    assert "the prompt is empty" in said


@FULL
@pytest.mark.parametrize(
    "arguments",
    [
        ("--version",),
        ("--help",),
        ("ask", "--help"),
        ("models",),
        ("errors",),
        ("keys",),
        ("log",),
        ("templates",),
        ("completion", "bash"),
    ],
    ids=" ".join,
)
def test_a_full_disk_is_told_by_every_command(arguments: tuple[str, ...]) -> None:
    said = "standard output: No space left on device\n"
    assert redirected(">/dev/full", *arguments) == (1, "", said)


@FULL
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "JSON"])
def test_a_full_disk_ends_an_answer(server: loopback.Loopback, more: tuple[str, ...]) -> None:
    asked = ("ask", "Is it?", "-m", "openai:m", "--base-url", server.url, *more)
    assert redirected(">/dev/full", *asked) == (1, "", "standard output: No space left on device\n")


def test_nothing_is_asked_where_no_answer_can_be_written(server: loopback.Loopback) -> None:
    asked = ("ask", "Is it?", "-m", "openai:m", "--base-url", server.url)
    assert redirected(">&-", *asked) == (1, "", "standard output is closed\n")
    assert server.requests == []


@pytest.mark.parametrize("arguments", [("--version",), ("models",)], ids=" ".join)
def test_a_closed_standard_output_is_told(arguments: tuple[str, ...]) -> None:
    assert redirected(">&-", *arguments) == (1, "", "standard output is closed\n")


def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*COMMAND, "errors"], check=False, stdout=writer, stderr=subprocess.PIPE, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("where", ["2>&-", pytest.param("2>/dev/full", marks=FULL)])
def test_without_standard_error_nothing_else_is_in_the_answer(server: loopback.Loopback, where: str) -> None:
    asked = ("ask", "Is it?", "-u", "-m", "openai:m", "--base-url", server.url)
    assert redirected(where, *asked) == (0, "Yes.\n", "")


@pytest.mark.parametrize("arguments", [("log", "on"), ("ask", "Hi", "--save", "hi")], ids=" ".join)
def test_a_folder_that_can_not_be_written_is_told_by_name(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "config"
    done = run(*arguments, env={"MODELPORT_CONFIG": str(folder)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(": Not a directory\n")
    assert done.stderr.startswith(str(folder))


def test_a_log_that_is_none_is_told_by_name(kept: Path) -> None:
    kept.mkdir()
    (kept / "log.db").write_bytes(b"no database, but long enough to be looked at as one")
    done = run("log", "list")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{kept / 'log.db'}: file is not a database\n")
