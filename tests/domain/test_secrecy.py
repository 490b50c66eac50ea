"""Options are shown without the secrets in them."""

from __future__ import annotations

from typing import Any

import pytest

from modelport import ScriptedModel, as_request, compose, describe, with_fallback
from modelport.domain.secrecy import shown

KEY = "sk-secret-0123456789"


@pytest.mark.parametrize(
    "options",
    [
        {"aws_secret_access_key": KEY},
        {"extra_headers": {"Authorization": f"Bearer {KEY}"}},
        {"extra_headers": {"x-invented-here": KEY}},
        {"extra_query": {"code": KEY}},
        {"extra_body": {"data_sources": [{"authentication": {"api_key": KEY}}]}},
        {"vertex_credentials": {"anything": KEY}},
    ],
)
def test_no_request_shows_a_secret(options: dict[str, Any]) -> None:
    assert KEY not in repr(as_request("Hi", **options))


@pytest.mark.parametrize("argument", [{"cookies": {"session": KEY}}, {"default_headers": [["x-invented-here", KEY]]}])
def test_no_argument_shows_one(argument: dict[str, Any]) -> None:
    assert KEY not in shown(argument)


def test_no_layer_shows_one_either() -> None:
    stack = compose(
        ScriptedModel("a"), with_fallback(ScriptedModel("b"), options={"seed": 7, "aws_session_token": KEY})
    )
    assert describe(stack).splitlines()[0] == "Fallback(options=[{'seed': 7, 'aws_session_token': '***'}])"
    assert KEY not in repr(stack)


def test_all_else_is_shown() -> None:
    assert shown({"seed": 7, "tokens": ["a"], "extra_body": {"x": "y"}}) == repr(
        {"seed": 7, "tokens": ["a"], "extra_body": {"x": "y"}}
    )
