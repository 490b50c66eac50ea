"""A schema is written in Anthropic's dialect, or refused with the place that it has no word for."""

from __future__ import annotations

from typing import Any

import pytest

from modelport.adapters.anthropic.schema import enforced
from modelport.domain.capability import Unsupported


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, {"type": "string"}),
        ({"type": "string", "format": "date-time"}, {"type": "string", "format": "date-time"}),
        ({"enum": ["a", None]}, {"enum": ["a", None]}),
        ({"const": 1, "title": "One"}, {"const": 1, "title": "One"}),
        ({"type": "array", "items": {"type": "null"}, "minItems": 1}, None),
        ({"type": "array", "items": True}, None),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}),
        ({"type": "object", "additionalProperties": True}, {"type": "object", "additionalProperties": False}),
        ({"type": "object", "additionalProperties": False}, None),
        ({"properties": {"a": {}}}, {"properties": {"a": {}}, "additionalProperties": False}),
        ({"anyOf": [{"type": "object"}]}, {"anyOf": [{"type": "object", "additionalProperties": False}]}),
        ({"allOf": ({"type": "string"},)}, {"allOf": [{"type": "string"}]}),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}, "$schema": "https://json-schema.org/"},
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "additionalProperties": False}}},
        ),
        ({"type": "string", "examples": ["a"], "$comment": "x"}, {"type": "string"}),
    ],
)
def test_what_the_dialect_has_is_written(schema: dict[str, Any], written: dict[str, Any] | None) -> None:
    assert enforced(schema, "schema") == (schema if written is None else written)


WITH_PLACES: list[tuple[dict[str, Any], str]] = [
    ({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}}, "schema.properties.age.minimum"),
    ({"type": "array", "items": {"type": "string", "pattern": "a"}}, "schema.items.pattern"),
    ({"anyOf": [{"type": "string"}, {"type": "string", "maxLength": 3}]}, "schema.anyOf[1].maxLength"),
    ({"$defs": {"A": {"type": "string", "format": "ipv9"}}}, "schema.$defs.A.format"),
    ({"type": "array", "minItems": 2}, "schema.minItems"),
    ({"oneOf": [{"type": "string"}]}, "schema.oneOf"),
]


@pytest.mark.parametrize(("schema", "place"), WITH_PLACES)
def test_what_it_has_not_is_refused_with_its_place(schema: dict[str, Any], place: str) -> None:
    with pytest.raises(Unsupported) as refused:
        enforced(schema, "schema")
    assert str(refused.value).startswith(f"{place}: the Messages API enforces no such thing")
    assert "strict=False" in str(refused.value)


@pytest.mark.parametrize("strict", [True, False])
def test_an_open_map_is_refused_in_any_case(strict: bool) -> None:
    """Closed, as the API wants it, it could have nothing in it."""
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    with pytest.raises(Unsupported, match=r"^schema\.additionalProperties: .*; name each property"):
        enforced(schema, "schema", strict=strict)


def test_where_nobody_asks_for_a_guarantee_the_model_is_told() -> None:
    schema = {"type": "integer", "minimum": 0, "maximum": 9, "description": "A digit."}
    assert enforced(schema, "schema", strict=False) == {
        "type": "integer",
        "description": "A digit.\n\n{minimum: 0, maximum: 9}",
    }
    assert enforced({"oneOf": [{"type": "string", "pattern": "a"}]}, "schema", strict=False) == {
        "anyOf": [{"type": "string", "description": '{pattern: "a"}'}]
    }
