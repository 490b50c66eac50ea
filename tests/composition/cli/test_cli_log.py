"""The log is off unless it is turned on, holds no secret, and is what a conversation goes on from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from extras import need
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


def test_a_conversation_goes_on_at_the_address_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    need("openai")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    from loopback import Loopback, saying

    command("log", "on")
    with Loopback(saying("Yes.")) as server:
        command("ask", "Is it?", "-m", "openai:tiny", "--base-url", server.url)
        assert command("ask", "Really?", "-c").output == "Yes.\n"
        asked = [message["content"] for message in server.requests[-1].json["messages"]]
    assert asked == ["Is it?", "Yes.", "Really?"]


def test_a_conversation_does_not_go_to_another_folders_model(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("log", "on")
    command("ask", "Is it?", "-m", "main")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    scripted(elsewhere, "No.", repeat=True)
    done = command("ask", "Really?", "-c")
    assert done.exit_code == 2
    place = tmp_path / "modelport.toml"
    assert f"the conversation was with 'main' of {place}; name who goes on with it: -m NAME" in done.stderr
    assert command("ask", "Really?", "-c", "-m", "main").output == "No.\n"


def test_a_conversation_with_an_adapters_own_address_goes_to_no_other_place(
    kept: Path,
) -> None:
    from modelport import Response, as_request
    from modelport.composition.cli.files import log_store

    command("log", "on")
    log_store.write("1", "main", "", as_request("Is it?"), Response.of("Yes."), ())
    assert "the conversation was with 'main'; name who goes on with it" in command("ask", "Really?", "-c").stderr


def test_calls_of_tools_that_were_never_made_do_not_go_on() -> None:
    from modelport import Message, Response, ToolCall, as_request
    from modelport.composition.cli.files import log_store

    command("log", "on")
    calls = Message("assistant", [ToolCall("c1", "weather", {})])
    log_store.write("1", "main", "", as_request("Is it?"), Response(calls, "tool_calls"), ())
    assert [message.role for message in log_store.last_conversation().messages] == ["user"]


def test_while_the_log_is_off_nothing_goes_on() -> None:
    command("log", "on")
    command("ask", "Is it?", "-m", "main")
    command("log", "off")
    done = command("ask", "Really?", "-c")
    assert (done.exit_code, "the log is off; modelport log on keeps what is asked" in done.stderr) == (2, True)


def test_an_answer_stands_where_the_log_cannot_be_written(kept: Path) -> None:
    command("log", "on")
    (kept / "log.db").write_bytes(b"no database, but long enough to be looked at as one")
    done = command("ask", "Is it?", "-m", "main")
    assert (done.exit_code, done.stdout) == (0, "Yes.\n")
    assert f"(this isn't in the log {kept / 'log.db'}: file is not a database)" in done.stderr
    done = command("ask", "Really?", "-c")
    assert done.exit_code == 2
    assert f"the log {kept / 'log.db'} can't be read: file is not a database" in done.stderr


@pytest.mark.parametrize("lost", [("--base-url", "http://127.0.0.1:9/v1"), ("--stop", "x"), ("--attach", "x.png")])
def test_what_a_template_cannot_hold_is_not_lost(lost: tuple[str, str]) -> None:
    done = command("ask", "Sum: $input", *lost, "--save", "sum")
    assert done.exit_code == 2
    assert f"--save: a template can't hold {lost[0]}; leave it out, and say it with --template" in done.stderr
