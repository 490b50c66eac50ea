"""A JSON schema in Gemini's dialect admits what it did, or is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.adapters.gemini.schema import dialect
from modelport.adapters.http.http_errors import Unwritable
from modelport.domain.capability import Unsupported

CITY = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
REWRITTEN: dict[str, tuple[Any, Any]] = {
    "nothing to do": (CITY, CITY),
    "const": ({"const": "red"}, {"enum": ["red"], "type": "string"}),
    "const with a type": ({"const": 1, "type": "number"}, {"enum": [1], "type": "number"}),
    "const before its type": ({"type": "number", "const": 1}, {"type": "number", "enum": [1]}),
    "const of nothing": ({"const": None}, {"type": "null"}),
    "anyOf of const": (
        {"anyOf": [{"const": "a"}, {"const": 1.5}]},
        {"anyOf": [{"enum": ["a"], "type": "string"}, {"enum": [1.5], "type": "number"}]},
    ),
    "an enum without a type": ({"enum": ["a", "b"]}, {"enum": ["a", "b"], "type": "string"}),
    "an enum of several types": ({"enum": ["a", 1]}, {"enum": ["a", 1]}),
    "a reference": (
        {"$defs": {"City": CITY}, "type": "array", "items": {"$ref": "#/$defs/City"}},
        {"type": "array", "items": CITY},
    ),
    "a reference with a note": (
        {"definitions": {"a/b~c": CITY}, "anyOf": [{"$ref": "#/definitions/a~1b~0c", "description": "A city."}]},
        {"anyOf": [{**CITY, "description": "A city."}]},
    ),
    "a reference within a reference": (
        {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"type": "string"}}, "$ref": "#/$defs/A"},
        {"type": "string"},
    ),
    "one reference twice": (
        {"$defs": {"A": {"type": "string"}}, "prefixItems": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}]},
        {"prefixItems": [{"type": "string"}, {"type": "string"}]},
    ),
    "an allOf of one": ({"title": "T", "allOf": [{"type": "string", "title": "U"}]}, {"title": "U", "type": "string"}),
    "an allOf of the same": ({"type": "string", "allOf": [{"type": "string"}]}, {"type": "string"}),
    "additionalProperties": (
        {"type": "object", "additionalProperties": {"const": 1}},
        {"type": "object", "additionalProperties": {"enum": [1], "type": "integer"}},
    ),
    "no additionalProperties": (
        {"type": "object", "additionalProperties": False},
        {"type": "object", "additionalProperties": False},
    ),
    "notes": (
        {"$schema": "x", "$id": "y", "type": "string", "default": "a", "examples": ["a"], "title": "T"},
        {"type": "string", "title": "T"},
    ),
    "a property of a keyword's name": (
        {"properties": {"const": {"type": "string"}, "$ref": {"const": "a"}}},
        {"properties": {"const": {"type": "string"}, "$ref": {"enum": ["a"], "type": "string"}}},
    ),
    "numbers": (
        {"type": "array", "minItems": 1, "maxItems": 3, "items": {"minimum": 0, "maximum": 9, "format": "date"}},
        {"type": "array", "minItems": 1, "maxItems": 3, "items": {"minimum": 0, "maximum": 9, "format": "date"}},
    ),
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_what_can_be_said_is_said(name: str) -> None:
    schema, expected = REWRITTEN[name]
    assert dialect(schema, "s", strict=True) == expected
    assert dialect(schema, "s", strict=False) == expected


LIST = {"$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}}, "$ref": "#/$defs/Node"}
IGNORED: dict[str, tuple[Any, str, Any]] = {
    "minLength": (
        {"properties": {"name": {"type": "string", "minLength": 1}}},
        "s.properties.name.minLength: Gemini has no 'minLength'",
        {"properties": {"name": {"type": "string"}}},
    ),
    "pattern": ({"items": {"pattern": "a"}}, "s.items.pattern: Gemini has no 'pattern'", {"items": {}}),
    "not": ({"anyOf": [{}, {"not": {}}]}, "s.anyOf[1].not: Gemini has no 'not'", {"anyOf": [{}, {}]}),
    "an allOf of two": ({"allOf": [{"type": "string"}, {"title": "T"}]}, "s.allOf: Gemini has no 'allOf'", {}),
    "an enum of flags": ({"enum": [True, "a"]}, "s.enum: an enum of Gemini's holds words and numbers", {}),
    "a flag that is constant": ({"const": True, "type": "boolean"}, "s.const: an enum of", {"type": "boolean"}),
    "a reference that holds itself": (
        LIST,
        "s.properties.next: #/$defs/Node holds itself",
        {"type": "object", "properties": {"next": {}}},
    ),
    "what admits nothing": ({"anyOf": [True, False]}, "s.anyOf[1]: Gemini has no schema that", {"anyOf": [{}, {}]}),
    "a reference with more": (
        {"$defs": {"A": {"maximum": 9}}, "$ref": "#/$defs/A", "maximum": 5},
        "s: it says 'maximum' twice, and Gemini has no 'allOf'",
        {"maximum": 5},
    ),
}


@pytest.mark.parametrize("name", IGNORED)
def test_what_gemini_ignores_is_refused_with_its_place_or_left_out(name: str) -> None:
    schema, words, left = IGNORED[name]
    with pytest.raises(Unsupported) as refused:
        dialect(schema, "s", strict=True)
    assert str(refused.value).startswith(words)
    assert str(refused.value).endswith("JsonSchema(..., strict=False) leaves it out, and with_check(...) checks it")
    assert dialect(schema, "s", strict=False) == left


@pytest.mark.parametrize("reference", ["#/$defs/Nowhere", "other.json", "#/title/x"])
@pytest.mark.parametrize("strict", [True, False])
def test_a_reference_to_nowhere_is_refused(reference: str, strict: bool) -> None:
    with pytest.raises(Unsupported, match=r"s\.items: .* is nowhere in the schema"):
        dialect({"title": "T", "items": {"$ref": reference}}, "s", strict=strict)


def test_a_reference_to_the_whole_holds_itself() -> None:
    assert dialect({"properties": {"next": {"$ref": "#"}}}, "s", strict=False) == {
        "properties": {"next": {"properties": {"next": {}}}}
    }


@pytest.mark.parametrize("schema", [{"properties": []}, {"items": [1]}, {"anyOf": 3}, {"enum": 3}, {"allOf": 3}])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(Unwritable, match="s: this is no JSON schema"):
        dialect(schema, "s", strict=False)


def test_nothing_passed_in_is_changed() -> None:
    schema = {"const": 1, "allOf": [{"title": "T"}]}
    dialect(schema, "s", strict=True)
    assert schema == {"const": 1, "allOf": [{"title": "T"}]}
