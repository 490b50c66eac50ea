"""A question is checked when it is made, and shows no secret."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelport.adapters.http.http_errors import Unwritable
from modelport.adapters.http.post import Post, Timeouts


def made(address: str = "http://h/v1", **headers: str) -> Post:
    return Post(address=address, headers=headers, body=b"secret", timeouts=Timeouts.of(5))


def test_it_shows_where_it_goes_and_no_secret() -> None:
    shown = repr(made("https://me:secret@h:1/v1/chat?key=secret", authorization="Bearer secret"))
    assert shown == "Post(POST https://h:1/v1/chat, authorization, 6 bytes)"
    assert repr(made()) == "Post(POST http://h/v1, no headers, 6 bytes)"


@pytest.mark.parametrize("value", ["secret\n", "secret\r\nx: y", "secret\0", "secr\u00e9t", " secret", "\U0001f642"])
def test_a_value_that_no_header_can_carry_is_refused_and_not_quoted(value: str) -> None:
    with pytest.raises(Unwritable, match="^Illegal header value: x-key has a character that HTTP can't carry$"):
        made(**{"x-key": value})


@pytest.mark.parametrize("name", ["", "secret key", "secret:", "secret\n", "secr\u00e9t"])
def test_a_name_that_is_none_is_refused_and_not_quoted(name: str) -> None:
    with pytest.raises(Unwritable, match="^Illegal header name$"):
        made(**{name: "x"})


@pytest.mark.parametrize("value", ["", "x", "Bearer a-b_c.d~e+f/g==", "two words", "tab\tbed"])
def test_other_values_are_carried(value: str) -> None:
    assert made(**{"x-key": value}).headers == {"x-key": value}


@pytest.mark.parametrize(
    ("timeout", "meant"),
    [
        (600, Timeouts(5.0, 600)),
        (2.5, Timeouts(2.5, 2.5)),
        (None, Timeouts(None, None)),
        (SimpleNamespace(connect=1.0, read=None), Timeouts(1.0, None)),
    ],
)
def test_a_timeout_is_read_in_each_form(timeout: Any, meant: Timeouts) -> None:
    assert Timeouts.of(timeout) == meant


def test_what_is_no_timeout_is_refused() -> None:
    with pytest.raises(Unwritable, match="timeout is a positive number of seconds, or None, not 'soon'"):
        Timeouts.of("soon")
