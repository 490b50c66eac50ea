"""Secrets: named by their environment variable, revealed when they are needed, hidden wherever something is shown."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport import Env
from modelport.adapters.process.secret import Unset, hidden, revealed, secrets_in

KEY = "sk-secret-0123456789"


def test_a_variable_is_read_each_time_that_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    key = Env("MODELPORT_TEST_KEY")
    monkeypatch.setenv("MODELPORT_TEST_KEY", "one")
    assert key.read() == "one"
    monkeypatch.setenv("MODELPORT_TEST_KEY", "two")
    assert key.read() == "two"


@pytest.mark.parametrize("text", [None, ""])
def test_one_that_is_not_there_is_named(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELPORT_TEST_KEY", raising=False)
    if text is not None:
        monkeypatch.setenv("MODELPORT_TEST_KEY", text)
    with pytest.raises(Unset, match="the environment variable MODELPORT_TEST_KEY isn't set"):
        Env("MODELPORT_TEST_KEY").read()


@pytest.mark.parametrize("name", ["", None, "A=B", "A\0"])
def test_a_name_is_one_that_a_variable_can_have(name: object) -> None:
    with pytest.raises(ValueError, match="takes the name of an environment variable"):
        Env(name)  # type: ignore[arg-type]


def test_it_holds_no_text_that_could_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_TEST_KEY", KEY)
    key = Env("MODELPORT_TEST_KEY")
    assert repr(key) == "Env('MODELPORT_TEST_KEY')"
    assert KEY.encode() not in pickle.dumps(key)
    assert pickle.loads(pickle.dumps(key)) == key


def test_every_variable_in_a_value_is_revealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_TEST_KEY", KEY)
    value = {"models": [{"api_key": Env("MODELPORT_TEST_KEY"), "rpm": 3}], "name": "x"}
    assert revealed(value) == {"models": [{"api_key": KEY, "rpm": 3}], "name": "x"}


def test_secrets_are_found_by_their_names_at_any_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_TEST_KEY", "from-the-environment")
    value = {
        "default_headers": {"Authorization": "Bearer abc", "x-trace": "shown", "x-mine": Env("MODELPORT_TEST_KEY")},
        "models": ({"api_key": Env("MODELPORT_TEST_KEY"), "model": "m"}, {"api_key": None}),
        "cookies": {"session": ["crumbs"]},
    }
    assert secrets_in(value) == ("Bearer abc", "from-the-environment", "from-the-environment", "crumbs")


def test_a_key_is_a_secret_in_a_query_alone() -> None:
    value = {"extra_query": {"key": "abc", "alt": "sse"}, "extra_body": {"key": "primary"}}
    assert secrets_in(value) == ("abc",)


def test_a_secret_is_taken_out_of_a_message() -> None:
    assert hidden(f"Incorrect API key provided: {KEY}.", [KEY]) == "Incorrect API key provided: ***."


def test_what_is_left_of_a_shortened_secret_is_taken_out_too() -> None:
    assert hidden("no such key: sk-secret-01...", [KEY]) == "no such key: ***"


def test_the_scheme_before_a_token_may_show() -> None:
    assert hidden("refused: abcdefghij", ["Bearer abcdefghij"]) == "refused: ***"


def test_a_short_word_is_hidden_only_where_it_stands_alone() -> None:
    assert hidden("abc of them; key abc", ["abc"]) == "*** of them; key ***"
    assert hidden("abcess", ["abc"]) == "abcess"


@pytest.mark.parametrize("word", ["none", "None", "dummy", "Bearer unused", ""])
def test_a_word_that_stands_for_no_key_is_no_secret(word: str) -> None:
    says = "tool_choice must be auto, required or none, not dummy or unused"
    assert hidden(says, [word]) == says


@given(before=st.text(), after=st.text(), secret=st.text("abcdef0123456789", min_size=8))
def test_no_text_shows_a_secret(before: str, after: str, secret: str) -> None:
    assert secret not in hidden(before + secret + after, [secret, None, ""])
