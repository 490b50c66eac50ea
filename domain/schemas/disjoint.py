"""Whether no value fits two schemas at once, as far as it can be told: then `oneOf` is `anyOf`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

from .words import Schema, key, types, values

Follow = Callable[[Any], Any]
"""The schema, or what its `$ref` points to."""


def disjoint(schemas: list[Any], follow: Follow) -> bool:
    """Whether no value fits two of them; False where it can't be told."""
    return all(_apart(follow(one), follow(other), follow) for one, other in combinations(schemas, 2))


def _apart(one: Any, other: Any, follow: Follow) -> bool:
    if not isinstance(one, dict) or not isinstance(other, dict):
        return False
    of_one, of_other = types(one), types(other)
    if not of_one or not of_other:
        return False
    common = _common(of_one, of_other)
    if not common:
        return True
    listed, others = values(one), values(other)
    if listed is not None and others is not None:
        return not set(map(key, listed)) & set(map(key, others))
    return common == ("object",) and any(
        _apart(follow(one["properties"][name]), follow(other["properties"][name]), follow)
        for name in _needed(one)
        if name in _needed(other)
    )


def _needed(schema: Schema) -> list[str]:
    properties = schema.get("properties") or {}
    return [name for name in schema.get("required") or () if name in properties]


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    numbers = {"integer", "number"}
    both = [name for name in one if name in other]
    if not both and numbers & set(one) and numbers & set(other):
        both = ["integer"]
    return tuple(both)
