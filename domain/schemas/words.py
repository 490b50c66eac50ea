"""The keywords of JSON Schema, by what they are about; draft 2020-12."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

TYPES: Final = ("object", "array", "string", "integer", "number", "boolean", "null")
SHOWN: Final = ("title", "description")
"""What people read, and models: it is kept. All else that constrains nothing is left out."""

OF_TYPE: Final[Mapping[str, frozenset[str]]] = {
    "object": frozenset(
        (
            "properties",
            "required",
            "additionalProperties",
            "patternProperties",
            "propertyNames",
            "minProperties",
            "maxProperties",
            "dependentRequired",
            "dependentSchemas",
            "unevaluatedProperties",
        )
    ),
    "array": frozenset(
        (
            "items",
            "prefixItems",
            "minItems",
            "maxItems",
            "uniqueItems",
            "contains",
            "minContains",
            "maxContains",
            "unevaluatedItems",
        )
    ),
    "string": frozenset(("minLength", "maxLength", "pattern", "format")),
    "number": frozenset(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")),
}
"""Which constrain values of one type alone, and nothing of another."""

OF_ALL: Final = frozenset(("not", "if", "then", "else", "$dynamicRef"))
"""Which constrain values of every type, and no dialect says."""

COMBINING: Final = ("allOf", "anyOf", "oneOf")
CONSTRAINING: Final = frozenset().union(*OF_TYPE.values(), OF_ALL, COMBINING, ("type", "enum", "const", "$ref"))

_NOTHING: Final[Mapping[str, Any]] = {
    "minLength": 0,
    "minItems": 0,
    "minProperties": 0,
    "uniqueItems": False,
    "patternProperties": {},
    "required": (),
    "dependentRequired": {},
    "dependentSchemas": {},
    "unevaluatedProperties": True,
    "unevaluatedItems": True,
    "propertyNames": True,
}


def constrains(name: str, value: Any) -> bool:
    """Whether a keyword of this value refuses anything at all."""
    return name not in _NOTHING or key(value) != key(_NOTHING[name])


def type_of(value: Any) -> str:
    """The type of a JSON value; a whole number is an integer, however it is written."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def key(value: Any) -> object:
    """What is equal for two JSON values that are: 1 and 1.0, but not 1 and true."""
    match value:
        case Mapping():
            return "object", frozenset((name, key(item)) for name, item in value.items())
        case list() | tuple():
            return "array", tuple(map(key, value))
        case _:
            return "number" if type_of(value) == "integer" else type_of(value), value


def constraints(schema: Schema) -> dict[str, Any]:
    """What of a schema refuses anything, without what is only told."""
    return {name: value for name, value in schema.items() if name in CONSTRAINING and constrains(name, value)}


def shown(schema: Schema) -> dict[str, Any]:
    """What of it people read."""
    return {name: schema[name] for name in SHOWN if isinstance(schema.get(name), str)}


def types(schema: Schema) -> tuple[str, ...]:
    """The types that it admits: those that it names, or those of its values; none where it says neither."""
    named = schema.get("type")
    listed: Iterable[Any] = (named,) if isinstance(named, str) else named or ()
    if not listed:
        listed = {type_of(value): None for value in values(schema) or ()}
    return tuple(name for name in TYPES if name in listed and not (name == "integer" and "number" in listed))


def values(schema: Schema) -> list[Any] | None:
    """The values that it admits, of those types that it names; None where it doesn't list them."""
    if "const" not in schema and "enum" not in schema:
        return None
    listed = [schema["const"]] if "const" in schema else list(schema["enum"])
    if "const" in schema and "enum" in schema:
        listed = [value for value in listed if key(value) in set(map(key, schema["enum"]))]
    named = schema.get("type")
    admitted = types({"type": named}) if named else TYPES
    return [value for value in listed if type_of(value) in admitted or _is_number(value, admitted)]


def _is_number(value: Any, admitted: Iterable[str]) -> bool:
    return type_of(value) == "integer" and "number" in admitted
