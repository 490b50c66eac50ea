"""What a rewritten schema admits is what the schema that was given does, as jsonschema judges it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from extras import need
from hypothesis import HealthCheck, assume, find, given, settings
from hypothesis import strategies as st
from returns.result import Result

from modelport.domain.frozen import FrozenDict, thaw
from modelport.domain.schemas.dialects import Refusal, anthropic_output, bedrock, gemini, openai_strict

need("check")
Says = Callable[..., Result[FrozenDict, Refusal]]
EACH = pytest.mark.parametrize("says", [openai_strict, anthropic_output, bedrock, gemini])
NAMES = ("a", "b", "kind")

SCALARS = st.sampled_from([None, True, False, 0, 1, 1.0, 2, 2.5, "a", "b", "abc", ""])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "null"])


@st.composite
def scalars(draw: st.DrawFn) -> dict[str, Any]:
    """A schema of plain values."""
    match draw(st.integers(0, 4)):
        case 0:
            return {"type": draw(TYPES)}
        case 1:
            return {"const": draw(SCALARS)}
        case 2:
            return {"enum": draw(st.lists(SCALARS, min_size=1, max_size=4))}
        case 3:
            return {"type": draw(st.lists(TYPES, min_size=1, max_size=3, unique=True))}
        case _:
            bounds = {
                "type": "integer",
                "minimum": draw(st.integers(-1, 2)),
                "exclusiveMaximum": draw(st.integers(1, 4)),
            }
            return draw(
                st.sampled_from([bounds, {"type": "string", "minLength": 1}, {"type": "string", "pattern": "^a"}])
            )


def composed(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects, lists and combinations of schemas."""
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(_object, st.dictionaries(st.sampled_from(NAMES), inner, max_size=3), st.sets(st.sampled_from(NAMES))),
        st.builds(lambda items, least: {"type": "array", "items": items, "minItems": least}, inner, st.integers(0, 2)),
        st.builds(lambda parts: {"anyOf": parts}, several),
        st.builds(lambda parts: {"oneOf": parts}, several),
        st.builds(lambda parts: {"allOf": parts}, several),
        st.builds(lambda first: {"type": "array", "prefixItems": first}, several),
        st.just({"$ref": "#/$defs/one"}),
        st.just({"$ref": "#/$defs/two", "title": "Two"}),
    )


def _object(properties: dict[str, Any], required: set[str]) -> dict[str, Any]:
    needed = sorted(required & properties.keys())
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


SCHEMAS = st.recursive(scalars(), composed, max_leaves=8)


@st.composite
def whole_schemas(draw: st.DrawFn) -> dict[str, Any]:
    """An object at the root, as all four take one, with two definitions."""
    of = {name: draw(SCHEMAS) for name in NAMES[: draw(st.integers(1, 3))]}
    plain = scalars()
    return {**_object(of, set(of)), "$defs": {"one": draw(plain), "two": {"type": "array", "items": draw(plain)}}}


def sides(schema: dict[str, Any], value: Any, says: Says) -> tuple[bool, bool] | None:
    """Whether the value fits what is given, and what it is rewritten to; None where that is refused."""
    from jsonschema import Draft202012Validator

    said = says(schema).map(thaw).value_or(None)
    if said is None:
        return None
    return Draft202012Validator(schema).is_valid(value), Draft202012Validator(said).is_valid(value)


def near(schema: Any, root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that may well fit."""
    if not isinstance(schema, dict):
        return VALUES
    if "$ref" in schema:
        return near(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "const" in schema or "enum" in schema:
        return st.sampled_from([schema["const"]] if "const" in schema else schema["enum"])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return st.one_of([near(part, root) for part in schema[word]])
    if schema.get("type") == "object":
        fields = {name: near(one, root) for name, one in schema["properties"].items()}
        optional = {name: one for name, one in fields.items() if name not in schema["required"]}
        return st.fixed_dictionaries({name: fields[name] for name in schema["required"]}, optional=optional)
    if schema.get("type") == "array":
        items = schema.get("items")
        return st.lists(VALUES if items is None else near(items, root), max_size=3)
    return SCALARS


@EACH
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data())
def test_a_value_fits_what_is_rewritten_if_and_only_if_it_fits_what_was_given(says: Says, data: st.DataObject) -> None:
    schema = data.draw(whole_schemas())
    value = data.draw(near(schema, schema) | st.fixed_dictionaries(dict.fromkeys(schema["properties"], VALUES)))
    fits = sides(schema, value, says)
    assume(fits is not None)
    assert fits is not None
    given_fits, rewritten_fits = fits
    assert given_fits == rewritten_fits


def opened(schema: Any) -> Any:
    """The same, with no word of what else an object may have."""
    if isinstance(schema, dict):
        return {name: opened(inner) for name, inner in schema.items() if name != "additionalProperties"}
    return [opened(inner) for inner in schema] if isinstance(schema, list) else schema


@EACH
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data())
def test_an_answer_that_fits_always_fits_what_was_given(says: Says, data: st.DataObject) -> None:
    schema = opened(data.draw(whole_schemas()))
    loosely = data.draw(st.booleans())
    said = says(schema, loosely=loosely).map(thaw).value_or(None)
    assume(said is not None)
    from jsonschema import Draft202012Validator

    value = data.draw(st.fixed_dictionaries(dict.fromkeys(schema["properties"], VALUES)) | VALUES)
    if not loosely and Draft202012Validator(said).is_valid(value):
        assert Draft202012Validator(schema).is_valid(value)
    strictly = says(schema).map(thaw).value_or(None)
    if strictly is not None and Draft202012Validator(strictly).is_valid(value):
        assert Draft202012Validator(said).is_valid(value)


@EACH
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=whole_schemas())
def test_what_is_rewritten_is_said_again_as_it_is(says: Says, schema: dict[str, Any]) -> None:
    said = says(schema).map(thaw).value_or(None)
    if said is not None:
        assert says(said).map(thaw).unwrap() == said


@pytest.mark.parametrize("word", ["oneOf", "allOf", "$ref", "const", "minItems"])
def test_schemas_with_each_word_are_said(word: str) -> None:
    """Else the properties above would hold of nothing."""
    found = find(whole_schemas(), lambda schema: word in str(schema["properties"]) and bool(_said(schema)))
    assert word in str(found["properties"])


def _said(schema: dict[str, Any]) -> Any:
    return gemini(schema).value_or(None)
