"""Several schemas that must all hold, as one: `allOf`, and what stands beside a `$ref`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from .refusal import CannotSay, inside
from .words import SHOWN, Schema, constraints, key, types, values

_CLOSING: Final = ("additionalProperties", "patternProperties")
_BOUNDS: Final[Mapping[str, Callable[..., Any]]] = {
    "minimum": max,
    "exclusiveMinimum": max,
    "minLength": max,
    "minItems": max,
    "minProperties": max,
    "maximum": min,
    "exclusiveMaximum": min,
    "maxLength": min,
    "maxItems": min,
    "maxProperties": min,
}


def merged(one: Schema, other: Schema, place: str) -> dict[str, Any]:
    """What admits what both admit. Raises `CannotSay` where one schema can't say so."""
    left, right = constraints(one), constraints(other)
    out = {name: value for schema in (other, one) for name, value in schema.items() if name in SHOWN}
    out |= {**left, **right}
    _merge_values(left, right, out, place)
    _merge_objects(left, right, out, place)
    for first, then in ((left, right), (right, left)):
        if "prefixItems" in first and "items" in then and "prefixItems" not in then:
            raise CannotSay(inside(place, "prefixItems"), "two schemas say it differently of one value")
    for name in left.keys() & right.keys() - {"type", "enum", "const", "properties", "additionalProperties"}:
        if name in _BOUNDS:
            out[name] = _BOUNDS[name](left[name], right[name])
        elif name == "required":
            out[name] = [*dict.fromkeys((*left[name], *right[name]))]
        elif name == "items":
            out[name] = {"allOf": [left[name], right[name]]}
        elif key(left[name]) != key(right[name]):
            raise CannotSay(inside(place, name), "two schemas say it differently of one value")
    return out


def _merge_values(left: Schema, right: Schema, out: dict[str, Any], place: str) -> None:
    listed, others = values(left), values(right)
    if listed is not None and others is not None:
        both = set(map(key, others))
        out["enum"] = [value for value in listed if key(value) in both]
        out.pop("const", None)
    if "type" in left and "type" in right:
        ours, theirs = types(left), types(right)
        both_types = [name for name in ours if name in theirs or (name == "integer" and "number" in theirs)]
        both_types += [name for name in theirs if name == "integer" and "number" in ours]
        if not both_types:
            raise CannotSay(inside(place, "type"), "no value is of both types")
        out["type"] = both_types if len(both_types) > 1 else both_types[0]


def _merge_objects(left: Schema, right: Schema, out: dict[str, Any], place: str) -> None:
    ours, theirs = left.get("properties") or {}, right.get("properties") or {}
    if ours and theirs:
        common = {name: {"allOf": [ours[name], theirs[name]]} for name in ours if name in theirs}
        out["properties"] = {**ours, **theirs, **common}
    for closing, names, others in ((left, ours, theirs), (right, theirs, ours)):
        closed = [name for name in _CLOSING if name in closing and closing[name] is not True]
        if closed and not set(others) <= set(names):
            raise CannotSay(inside(place, closed[0]), "what one schema closes, another opens")
    if "additionalProperties" in left and "additionalProperties" in right:
        both = [extra for extra in (left["additionalProperties"], right["additionalProperties"]) if extra is not True]
        out["additionalProperties"] = True if not both else False if False in both else {"allOf": both}
