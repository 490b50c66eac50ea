"""domain/redaction: what looks like a secret, or stands under the name of one, isn't written down."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.adapters import OpenAIModel
from modelport.composition.layers.fallback import with_fallback
from modelport.composition.layers.known_secrets import known_secrets
from modelport.composition.stack.compose import compose
from modelport.domain.forms.redaction import redacted, redacted_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key sk-proj-0123456789abcdef, sorry", "key ***, sorry"),
        ("sk-ant-api03-abcdefghijklmno_1", "***"),
        ("hf_abcdefghijklmn0123", "***"),
        ("ghp_abcdefghijklmnopqrst0123", "***"),
        ("AKIAIOSFODNN7EXAMPLE", "***"),
        ("AIzaSyA0123456789012345678901234567890", "***"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl!", "***!"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----.", "***."),
        ("-----BEGIN PRIVATE KEY-----\nabc and it is cut", "***"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer ***"),
        ('{"api_key": "anything-at-all"}', '{"api_key": "***"}'),
        ("password=hunter22 next", "password=*** next"),
        ("https://user:pass@host/path", "https://user:***@host/path"),
        ("https://host/a.png?w=5&X-Amz-Signature=abc&h=6", "https://host/a.png?w=5&X-Amz-Signature=***&h=6"),
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str, shown: str) -> None:
    assert redacted_text(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The sky is blue.",
        "a bearer of good news",
        "basic understanding, token generation",
        "sk-learn is spelled scikit-learn",
        "https://example.org/a.png?w=5",
        "The key is under the mat; the password is: no",
        "파란 하늘",
    ],
)
def test_words_stay(text: str) -> None:
    assert redacted_text(text) == text


@given(st.text(alphabet="ab0.:/?=& -_", max_size=60))
def test_what_is_hidden_once_stays_as_it_is(text: str) -> None:
    once = redacted_text(text)
    assert redacted_text(once) == once


@given(before=st.text(max_size=9), after=st.text(max_size=9))
def test_a_known_secret_never_stays(before: str, after: str) -> None:
    secret = "correct horse battery"
    shown = json.dumps(redacted({"a": [f"{before}{secret}{after}", {secret: 1}]}, [secret]))
    assert secret not in shown


def test_what_stands_under_the_name_of_a_secret_is_hidden_at_any_depth() -> None:
    options = {
        "api_key": "x",
        "extra_headers": {"x-team": "red"},
        "team_token": ["y"],
        "max_tokens": 5,
        "seed": None,
        "tools": {"properties": {"password": {"type": "string"}}},
    }
    assert redacted(options) == {
        "api_key": "***",
        "extra_headers": {"x-team": "***"},
        "team_token": ["***"],
        "max_tokens": 5,
        "seed": None,
        "tools": {"properties": {"password": {"type": "string"}}},
    }


def test_the_secrets_of_a_stack_and_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TEAM_TOKEN", "environment-0")
    monkeypatch.setenv("SOME_TEAM_KEY", "short")
    monkeypatch.setenv("OTHER_KEY", "production")
    spare = OpenAIModel("b", client_kwargs={"default_headers": {"Authorization": "Bearer of-the-spare-0"}})
    stack = compose(OpenAIModel("a", api_key="of-the-first-0"), with_fallback(spare))
    found = set(known_secrets(stack))
    assert {"environment-0", "of-the-first-0", "Bearer of-the-spare-0"} <= found
    assert not found & {"short", "production"}


class Plain:
    """A model that is no attrs class."""

    def __init__(self) -> None:
        self._api_key = "of-a-plain-one-0"


def test_a_model_of_any_kind_is_looked_into() -> None:
    assert "of-a-plain-one-0" in known_secrets(Plain())  # type: ignore[arg-type]


def test_the_secrets_of_a_model_with_slots_are_known_too():
    class Slotted:
        __slots__ = ("api_key",)

        def __init__(self) -> None:
            self.api_key = "of-one-with-slots-0"

    assert "of-one-with-slots-0" in known_secrets(Slotted())  # type: ignore[arg-type]
