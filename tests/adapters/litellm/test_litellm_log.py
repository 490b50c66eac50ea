"""What litellm logs while a call is made shows none of the call's secrets."""

from __future__ import annotations

import logging

import pytest

from modelport.adapters.litellm.log import hiding

ROUTER = logging.getLogger("LiteLLM Router")
KEY = "planted-word-0123456789"  # not of a form that litellm itself takes out


def test_a_secret_is_taken_out_of_the_text_and_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with hiding([KEY, None]):
        try:
            raise ValueError(f"refused: {KEY}")
        except ValueError:
            ROUTER.exception("no: %s", KEY)
    assert "no: ***" in caplog.text
    assert "ValueError: refused: ***" in caplog.text
    assert KEY not in caplog.text


def test_it_is_hidden_for_as_long_as_a_call_has_it(caplog: pytest.LogCaptureFixture) -> None:
    with hiding([KEY]):
        with hiding([KEY]):
            pass
        ROUTER.error(KEY)
    assert KEY not in caplog.text
    ROUTER.error(KEY)
    assert KEY in caplog.text
