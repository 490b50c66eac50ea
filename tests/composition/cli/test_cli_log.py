"""The log is off unless it is turned on, holds no secret, and is what a conversation goes on from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from in_process import command, scripted


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model that answers."""
    monkeypatch.chdir(tmp_path)
    scripted(tmp_path, "Yes.", repeat=True)
    return tmp_path


def test_it_is_off(kept: Path) -> None:
    assert command("log").output == f"the log is off: {kept / 'log.db'}\n"
    command("ask", "Is it?", "-m", "main")
    assert not kept.exists()
    assert command("log", "list").output == "the log is empty\n"


def test_it_keeps_what_is_asked_while_it_is_on(kept: Path) -> None:
    assert command("log", "on").output == f"the log is on: {kept / 'log.db'}\n"
    command("ask", "Is it?", "-m", "main")
    command("ask", "Secretly?", "-m", "main", "--no-log")
    assert command("log", "off").output.startswith(f"the log is off: {kept / 'log.db'}, ")
    command("ask", "And now?", "-m", "main")
    (first, title, *rest) = command("log", "list").output.split("\n\n")
    assert first.startswith("# 20")
    assert first.endswith("  main")
    assert (title, rest) == ("Is it?", ["Yes.", ""])
    assert (kept / "log.db").stat().st_mode & 0o777 == 0o600
    assert command("log", "path").output == f"{kept / 'log.db'}\n"
    assert command("log", "status").output.startswith("the log is off")


def test_no_secret_is_in_it(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "tiny-purple-elephant-0")
    command("log", "on")
    command("ask", "Is tiny-purple-elephant-0 or sk-0123456789abcdef0123 right?", "-m", "main")
    assert "Is *** or *** right?" in command("log", "list").output
    data = (kept / "log.db").read_bytes()
    assert b"elephant" not in data
    assert b"0123456789abcdef" not in data


def test_an_error_is_kept_too(here: Path) -> None:
    command("log", "on")
    (here / "modelport.toml").write_text('[models.main]\nadapter = "OpenVINOModel"\nmodel_id = "/no/such"\n', "utf-8")
    pytest.importorskip("openvino_genai", reason="openvino isn't installed here")
    assert command("ask", "Is it?", "-m", "main").exit_code == 1
    assert "(not_found: " in command("log", "list").output
    done = command("ask", "Go on", "-c")
    assert "there is no conversation to continue: nothing was answered yet" in done.stderr


def test_a_conversation_goes_on() -> None:
    command("log", "on")
    command("ask", "Is it?", "-m", "main", "-s", "Be brief.")
    command("ask", "Really?", "-c")
    command("ask", "Why?", "-c", "-s", "Be long.")
    rows = json.loads(command("log", "list", "-n", "9", "--json").output)
    assert [row["prompt"] for row in rows] == ["Is it?", "Really?", "Why?"]
    assert len({row["conversation"] for row in rows}) == 1
    assert [row["model"] for row in rows] == ["main"] * 3
    assert rows[0]["outcome"]["content"] == "Yes."


def test_what_goes_on_has_all_that_went_before() -> None:
    from modelport.composition.cli.files.log_store import last_conversation

    command("log", "on")
    command("ask", "Is it?", "-m", "main", "-s", "Be brief.")
    command("ask", "Really?", "-c", "-s", "Be long.")
    said = [(message.role, message.text) for message in last_conversation().messages]
    assert said == [
        ("system", "Be long."),
        ("user", "Is it?"),
        ("assistant", "Yes."),
        ("user", "Really?"),
        ("assistant", "Yes."),
    ]
