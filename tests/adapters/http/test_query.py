"""A query is added to an address that may have one."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.adapters.http.query import with_query


@pytest.mark.parametrize(
    ("address", "query", "together"),
    [
        ("http://h/v1", {}, "http://h/v1"),
        ("http://h/v1?a=%C3%BC", {"b": None}, "http://h/v1?a=%C3%BC"),
        ("http://h/v1", {"a": "ü b", "c": 2}, "http://h/v1?a=%C3%BC+b&c=2"),
        ("http://h/v1?a=1&b=&a=2", {"a": 3}, "http://h/v1?b=&a=3"),
        ("http://h/v1?a=1", {"b": ["x", True], "c": None}, "http://h/v1?a=1&b=x&b=true"),
    ],
)
def test_a_query_is_added(address: str, query: dict[str, Any], together: str) -> None:
    assert with_query(address, query) == together
