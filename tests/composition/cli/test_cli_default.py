"""The embedded default is told how to answer, is ended where it repeats itself, and says what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport import ScriptedModel, Text
from modelport.composition.cli.display.repetition import repeats_itself
from modelport.composition.cli.display.screens import Plain, Rendered, Silent
from modelport.composition.cli.given import Given, usual
from modelport.composition.cli.model_choice import Choice
from modelport.composition.cli.session import Asked, Session

NOTHING: dict[str, Any] = {
    "model": None,
    "system": None,
    "template": None,
    "params": (),
    "options": (),
    "stop": (),
    "max_tokens": None,
    "temperature": None,
    "seed": None,
    "tools": (),
    "rounds": 5,
    "base_url": None,
    "goes_on": False,
    "usage": False,
    "plain": False,
    "no_log": False,
}


def begun(**typed: Any) -> tuple[list[str], dict[str, Any]]:
    """What the default is told before the question, and its options."""
    asking = Given(**{**NOTHING, **typed})
    session = asking.session(asking.filled("Hi"), None)
    return [message.text for message in session.messages], dict(session.asked.options)


def test_it_is_told_to_be_brief() -> None:
    told = ["You are a helpful assistant. Answer in one short paragraph."]
    assert begun() == (told, {"frequency_penalty": 0.3, "max_tokens": 200})
    assert begun(model="openvino:default")[0] == told


def test_what_the_user_says_comes_first() -> None:
    typed = begun(system="Sing.", max_tokens=9, options=(("frequency_penalty", "0"), ("top_p", "1")))
    assert typed == (["Sing."], {"frequency_penalty": 0, "max_tokens": 9, "top_p": 1})


def test_it_is_told_nothing_where_a_paragraph_is_not_wanted(tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text("def now() -> str: return 'noon'", "utf-8")
    assert begun(schema="name")[0] == []
    assert begun(tools=(str(tmp_path / "tools.py"),))[0] == []


@pytest.mark.parametrize(("spec", "options"), [("transformers:m", {"max_tokens": 512}), ("openai:m", {}), (None, {})])
def test_other_models_have_their_own_ways(spec: str | None, options: dict[str, Any]) -> None:
    assert usual(Choice("m", ScriptedModel("Hi!"), spec)) == options


LOOP = "The sky is blue because of it. "


def asked(spec: str | None, text: str) -> tuple[str, str]:
    talk = Session(Asked(Choice("m", ScriptedModel(text, chunk=10), spec)))
    _, outcome = talk.ask([Text("Why?")], Silent())
    assert not hasattr(outcome, "kind")
    return outcome.content, outcome.finish_reason  # type: ignore[union-attr]


def test_it_is_ended_where_it_repeats_itself(capsys: pytest.CaptureFixture[str]) -> None:
    text, reason = asked("openvino:default", LOOP * 20)
    assert (text.count("The sky is blue"), reason) == (3, "other")
    assert capsys.readouterr().err == "(the model began to repeat itself, and was ended)\n"


def test_another_model_may_repeat_itself() -> None:
    assert asked("openai:m", LOOP * 20) == (LOOP * 20, "stop")


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("", False),
        (LOOP * 2, False),
        (LOOP * 3, True),
        ("Yes. " * 9, False),
        ("1. It is a good day.\n2. It is a good day.\n3. It is a good day.\n", True),
        ("so very very very very good", False),
        ("very " * 14, True),
        ("setting of " * 6, False),
        ("setting of " * 7, True),
        ("You can have a variety of wine with it. You can have a variety of beer with it.", False),
        (
            "In the end one can see that it was so. But one can see that it was so. Yes, one can see that it was so",
            False,
        ),
        ("a b c d e f g h i. j a b c d e f g h k. l a b c d e f g h m", True),
        ("Row, row, row your boat, gently down the stream. Merrily, merrily, merrily, life is but a dream.", False),
    ],
)
def test_a_loop_is_told_from_what_may_be_meant(text: str, repeats: bool) -> None:
    assert repeats_itself(text) is repeats


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=7).map(" ".join))
def test_whatever_is_said_a_dozen_times_is_a_loop(words: str) -> None:
    assert repeats_itself(f"{words} " * 13)


@given(st.lists(st.integers(), unique=True, max_size=60))
def test_words_that_are_all_different_are_none(numbers: list[int]) -> None:
    assert not repeats_itself(" ".join(f"w{number}" for number in numbers))


def test_plain_text_gets_one_end_of_line(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Plain()
    screen.close(complete=False)
    screen.show("So\n")
    screen.close()
    screen.show("it")
    screen.close()
    assert capsys.readouterr().out == "So\nit\n"


def test_nothing_is_drawn_of_an_answer_without_text(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Rendered()
    screen.close()
    screen.show("\n")
    screen.close()
    assert capsys.readouterr().out.strip() == ""


def test_ends_of_lines_are_those_of_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Plain(terminal=True)
    screen.show("One\r\ntwo\x07")
    screen.close()
    assert capsys.readouterr().out == "One\ntwo␇\n"


def test_blocks_have_one_empty_line_between_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    screen = Rendered()
    screen.show("One\n\n---\n\n| a |\n|---|\n| b |\n\n- Two")
    screen.close()
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line[:3] for line in lines if line] == ["One", lines[2][:3], "a", lines[5], "b", "• T"]
    assert [at for at, line in enumerate(lines) if not line] == [1, 3, 7]
