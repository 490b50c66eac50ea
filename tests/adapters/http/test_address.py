"""Errors name the address that was asked, and a query is added to an address that may have one."""

from __future__ import annotations

from typing import Any

import pytest

from modelport import ModelError
from modelport.adapters.http.address import asked_at, with_query

HERE = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("error", "address", "message"),
    [
        (ModelError("connection", "refused"), f"{HERE}/v1/", f"{HERE}/v1: refused"),
        (ModelError("connection", "refused"), "http://me:secret@h/v1?key=secret#x", "http://h/v1: refused"),
        (ModelError("timeout", "too late", sent="no"), HERE, f"{HERE}: too late"),
        (ModelError("timeout", "too late", sent="yes"), HERE, "too late"),
        (ModelError("rate_limited", "slowly"), HERE, "slowly"),
        (ModelError("connection", f"no {HERE}/v1"), f"{HERE}/v1", f"no {HERE}/v1"),
        (ModelError("connection", "refused"), None, "refused"),
        (ModelError("connection", "refused"), "unix:/x", "refused"),
        (ModelError("not_found", "no", status=404), HERE, f"{HERE}: no (is it {HERE}/v1?)"),
        (ModelError("not_found", "no", status=404), f"{HERE}/v1", f"{HERE}/v1: no"),
        (ModelError("not_found", "no", status=404, code="model_not_found"), HERE, f"{HERE}: no"),
    ],
)
def test_the_address_stands_where_it_may_be_what_is_wrong(error: ModelError, address: str | None, message: str) -> None:
    assert asked_at(error, address).message == message


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
