"""What a person sees on a terminal: Markdown while it arrives, no colours where none are wanted, and Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("a pty is of POSIX", allow_module_level=True)

import loopback
import pictures
from command_line import COMMAND, environment, run
from extras import need
from in_process import scripted
from terminal import Terminal

MARKDOWN = """\
# Why

The sky is **blue**.

```python
blue = "sky"

print(blue)
```

1. Light

   of the sun

2. Air
"""


@pytest.fixture
def server() -> Iterator[loopback.Loopback]:
    need("openai")
    with loopback.Loopback(loopback.saying(MARKDOWN, sizes=(7,))) as server:
        yield server


def asking(server: loopback.Loopback, *more: str, **variables: str) -> Terminal:
    command = [*COMMAND, "ask", "Why?", "-m", "openai:m", "--base-url", server.url, *more]
    return Terminal(command, environment(**variables))


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_markdown_is_drawn(server: loopback.Loopback) -> None:
    with asking(server) as terminal:
        assert terminal.ended() == 0
        seen = lines(terminal.text)
    assert seen[1:] == ["The sky is blue.", 'blue = "sky"', "print(blue)", "1 Light", "of the sun", "2 Air"]
    assert "Why" in seen[0]
    assert "**" not in terminal.text
    assert b"\x1b[1m" in terminal.raw  # bold


def test_markdown_is_drawn_while_it_arrives() -> None:
    need("openai")
    begun = loopback.streamed(loopback.chunk({"content": "The sky is **blue**, be"}), then="stall")
    with loopback.Loopback(begun) as server, asking(server) as terminal:
        assert lines(terminal.until("blue, be")) == ["The sky is blue, be"]


def test_a_block_that_is_taller_than_the_screen_is_seen_at_its_end_and_stays_whole() -> None:
    need("openai")
    numbers = "  \n".join(f"line {number}" for number in range(60))
    begun = loopback.streamed(loopback.chunk({"content": numbers}), then="stall")
    with loopback.Loopback(begun, loopback.saying(numbers)) as server:
        with asking(server) as terminal:
            assert "line 0\n" not in terminal.until("line 59")
        with asking(server) as terminal:
            assert terminal.ended() == 0
            assert lines(terminal.text) == [f"line {number}" for number in range(60)]


def test_without_colour_there_is_none(server: loopback.Loopback) -> None:
    with asking(server, NO_COLOR="1") as terminal:
        assert terminal.ended() == 0
    assert b"\x1b[3" not in terminal.raw
    assert b"\x1b[4" not in terminal.raw


@pytest.mark.parametrize("how", ["--plain", "dumb"])
def test_a_terminal_may_have_the_text_as_it_comes(server: loopback.Loopback, how: str) -> None:
    command = [*COMMAND, "ask", "Why?", "-m", "openai:m", "--base-url", server.url]
    command = ["env", "TERM=dumb", *command] if how == "dumb" else [*command, "--plain"]
    with Terminal(command, environment()) as terminal:
        assert terminal.ended() == 0
        assert "The sky is **blue**." in terminal.text


@pytest.mark.parametrize("more", [(), ("--plain",)], ids=["drawn", "plain"])
def test_a_model_gives_the_terminal_no_commands(more: tuple[str, ...]) -> None:
    need("openai")
    with (
        loopback.Loopback(loopback.saying("So \x1b]0;mine\x07 it\x9b2J is \u202egod")) as server,
        asking(server, *more) as terminal,
    ):
        assert terminal.ended() == 0
        assert terminal.text.strip() == "So ␛]0;mine␇ it�2J is �god"


def test_an_error_gives_the_terminal_no_commands() -> None:
    need("openai")
    with (
        loopback.Loopback(loopback.error(400, message="no \x1b]0;mine\x07\u202e")) as server,
        asking(server) as terminal,
    ):
        assert terminal.ended() == 1
        assert "␛]0;mine␇�" in terminal.text
        assert b"\x1b]0;" not in terminal.raw


def test_a_mistake_gives_the_terminal_no_commands(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J.toml").write_text("zzz = 1", "utf-8")
    said = run("ask", "Hi", "-t", "a\x1b[2J.toml", cwd=tmp_path).stderr
    assert "a␛[2J.toml: 'zzz': a template has" in said


def test_what_is_logged_gives_the_terminal_no_commands_and_stays_as_it_is_in_a_pipe(tmp_path: Path) -> None:
    scripted(tmp_path, "So \x1b[2J\u202eis it")
    run("log", "on")
    assert run("ask", "Why \x1b[2J?", "-m", "main", cwd=tmp_path).stdout == "So \x1b[2J\u202eis it\n"
    assert "So \x1b[2J\u202eis it\n" in run("log", "list").stdout
    for more in ((), ("--json",)):
        with Terminal([*COMMAND, "log", "list", *more], environment()) as terminal:
            assert terminal.ended() == 0
            assert "is it" in terminal.text
            assert b"\x1b[2J" not in terminal.raw
            assert "\u202e".encode() not in terminal.raw


def test_in_a_pipe_nothing_is_drawn(server: loopback.Loopback) -> None:
    done = run("ask", "Why?", "-m", "openai:m", "--base-url", server.url)
    assert done.stdout == MARKDOWN


def test_a_schema_s_answer_is_not_drawn(server: loopback.Loopback) -> None:
    with asking(server, "--schema", "name") as terminal:
        assert terminal.ended() == 1
        assert "The sky is **blue**." in terminal.text


def test_no_terminal_is_waited_for(server: loopback.Loopback) -> None:
    with Terminal([*COMMAND, "ask"], environment()) as terminal:
        assert terminal.ended() == 2
        assert "the prompt is empty" in terminal.text


def test_ctrl_c_ends_it_and_gives_the_cursor_back() -> None:
    need("openai")
    begun = loopback.streamed(loopback.chunk({"content": "The sky"}), then="stall")
    with loopback.Loopback(begun) as server, asking(server) as terminal:
        terminal.until("The sky")
        terminal.type("\x03")
        assert terminal.ended() == 130
        assert terminal.raw.rindex(b"\x1b[?25h") > terminal.raw.rindex(b"\x1b[?25l")


def test_an_answer_that_breaks_off_stays_on_the_screen() -> None:
    need("openai")
    broken = loopback.streamed(loopback.chunk({"content": "So **it** is"}), then="reset")
    with loopback.Loopback(broken) as server, asking(server) as terminal:
        assert terminal.ended() == 1
        seen = lines(terminal.text)
    assert seen[0] == "So it is"
    assert seen[1].startswith("interrupted: ")


@pytest.mark.needs("openvino")
def test_the_embedded_model_says_what_it_is_and_answers() -> None:
    with Terminal([*COMMAND, "ask", "What is gravity?", "--max-tokens", "8"], environment()) as terminal:
        assert terminal.ended() == 0
        seen = terminal.text
    assert seen.startswith("(this is a small demonstration model; for others: --model, modelport models)\n")
    assert "Gravity is" in seen


def test_fetching_is_seen_as_a_bar_that_goes_when_it_is_over() -> None:
    code = (
        "import termios\n"
        "silent = termios.tcgetattr(0)\nsilent[3] &= ~termios.ECHO\ntermios.tcsetattr(0, termios.TCSANOW, silent)\n"
        "from modelport.composition.cli.display.progress import bar\n"
        "with bar('fetching it') as progress:\n"
        "    progress(1_000_000, 2_000_000)\n    input()\n    progress(2_000_000, 2_000_000)\n"
        "print('done')\n"
    )
    with Terminal([sys.executable, "-c", code], environment()) as terminal:
        assert "fetching it" in terminal.until("1.0/2.0 MB")
        terminal.type("\r")
        assert terminal.ended() == 0
        assert lines(terminal.text)[-1] == "done"
        assert "fetching" not in terminal.text


def test_a_key_is_typed_without_being_shown(kept: os.PathLike[str]) -> None:
    with Terminal([*COMMAND, "keys", "set", "openai"], environment()) as terminal:
        terminal.until("OPENAI_API_KEY:")
        terminal.type("sk-0123456789abcdef\r")
        assert terminal.ended() == 0
        assert "sk-0123" not in terminal.text
        assert "OPENAI_API_KEY is kept in" in terminal.text


def test_the_picture_of_a_chat_is_what_is_seen() -> None:
    """Draw the pictures anew when this fails: python tests/kit/pictures.py."""
    picture = pictures.PICTURES["chat"]
    shown = (pictures.FOLDER / "chat.svg").read_text("utf-8")
    assert pictures.drawn(picture, pictures.screen_of(picture)) == shown


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_each_picture_is_of_its_command_and_asks_for_nothing_from_elsewhere(name: str) -> None:
    shown = (pictures.FOLDER / f"{name}.svg").read_text("utf-8")
    assert f"<title>modelport {name}" in shown
    assert "http" not in shown.replace("http://www.w3.org/2000/svg", "")
