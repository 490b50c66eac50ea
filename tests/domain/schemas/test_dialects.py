"""What each dialect of JSON Schema says, and what it refuses, by the pages of the providers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from returns.result import Result

from modelport.domain.frozen import FrozenDict, thaw
from modelport.domain.schemas.dialects import Refusal, anthropic_output, bedrock, gemini, openai_strict

Says = Callable[..., Result[FrozenDict, Refusal]]
EACH = pytest.mark.parametrize("says", [openai_strict, anthropic_output, bedrock, gemini])
CLOSED = pytest.mark.parametrize("says", [openai_strict, anthropic_output, bedrock])
OF_CLAUDE = pytest.mark.parametrize("says", [anthropic_output, bedrock])


def obj(required: bool = True, **properties: Any) -> dict[str, Any]:
    """An object of these properties, closed."""
    needed = {"required": [*properties]} if required and properties else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": False}


def said(says: Says, schema: Any, **how: Any) -> Any:
    return thaw(says(schema, **how).unwrap())


def refused(says: Says, schema: Any, **how: Any) -> tuple[str, str]:
    refusal = says(schema, **how).failure()
    return refusal.place, refusal.why


STRING = {"type": "string"}
NUMBER = {"type": "number"}


@EACH
def test_what_all_say_passes_as_it_is(says: Says) -> None:
    schema = obj(
        name={"type": "string", "description": "Who."},
        tags={"type": "array", "items": STRING},
        of={"anyOf": [{"type": "integer"}, {"type": "null"}]},
        colour={"type": "string", "enum": ["red", "green"]},
    )
    assert said(says, schema) == schema


@EACH
def test_what_constrains_nothing_is_left_out(says: Says) -> None:
    schema = obj(at={"type": "string", "default": "here", "minLength": 0, "examples": ["x"], "x-note": 1, "maximum": 3})
    noted = {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": "x", "title": "At"}
    assert said(says, noted) == {**obj(at=STRING), "title": "At"}


@CLOSED
def test_an_object_that_lists_its_properties_is_closed(says: Says) -> None:
    open_ended = {"type": "object", "properties": {"at": STRING}, "required": ["at"]}
    assert said(says, open_ended) == obj(at=STRING)


def test_gemini_s_objects_are_as_open_as_they_were() -> None:
    open_ended = {"type": "object", "properties": {"at": STRING}, "required": ["at", "other"]}
    assert said(gemini, open_ended) == open_ended
    assert said(gemini, {"type": "object"}) == {"type": "object"}
    assert said(gemini, {"type": "object", "additionalProperties": {}})["additionalProperties"] is True
    of_numbers = {"type": "object", "additionalProperties": NUMBER}
    assert said(gemini, of_numbers) == of_numbers


@CLOSED
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "properties": {}, "additionalProperties": True},
        {"type": "object", "properties": {}, "additionalProperties": STRING},
    ],
)
def test_a_map_of_any_names_is_refused_where_objects_are_closed(says: Says, schema: Any) -> None:
    place, why = refused(says, obj(of=schema))
    assert (place, why) == ("properties.of.additionalProperties", "other properties than those that are listed fit")


@CLOSED
def test_a_required_property_without_a_schema_is_refused_where_objects_are_closed(says: Says) -> None:
    place, why = refused(says, {**obj(at=STRING), "required": ["at", "to"]})
    assert (place, why) == ("required", "'to' has no schema")


def test_all_is_required_at_openai_alone() -> None:
    optional = obj(required=False, at=STRING)
    assert refused(openai_strict, obj(of=optional))[0] == "properties.of.properties.at"
    assert said(anthropic_output, optional) == optional
    assert said(gemini, optional) == optional


@pytest.mark.parametrize("schema", [{"type": "array", "items": STRING}, {"anyOf": [obj(), obj(a=STRING)]}, STRING])
def test_an_object_is_at_the_root_at_openai(schema: Any) -> None:
    assert refused(openai_strict, schema) == ("", "it is no object")
    assert said(anthropic_output, schema) == schema


@EACH
def test_a_reference_is_written_out(says: Says) -> None:
    schema = {
        **obj(
            a={"$ref": "#/$defs/n"},
            b={"$ref": "#/definitions/m", "description": "B."},
            c={"$ref": "#/properties/d/e~1f"},
        ),
        "$defs": {"n": {"type": "integer", "title": "N"}},
        "definitions": {"m": {"$ref": "#/$defs/n"}},
    }
    schema["properties"]["d"] = {"type": "string", "e/f": {"type": "boolean"}}
    schema["required"] = ["a", "b", "c", "d"]
    number = {"type": "integer", "title": "N"}
    assert said(says, schema) == obj(a=number, b={**number, "description": "B."}, c={"type": "boolean"}, d=STRING)


@EACH
def test_a_reference_that_leads_nowhere_is_refused(says: Says) -> None:
    assert refused(says, obj(a={"$ref": "#/$defs/no"})) == ("properties.a", "$ref '#/$defs/no' leads nowhere")
    assert refused(says, obj(a={"$ref": "#/required/7"}))[1] == "$ref '#/required/7' leads nowhere"
    assert refused(says, obj(a={"$ref": "https://x/y"}))[1] == "$ref 'https://x/y' leads out of the schema"
    inner = {"$defs": {"n": obj(b={"$ref": "#/$defs/no"})}}
    assert refused(says, {**obj(a={"$ref": "#/$defs/n"}), **inner})[0] == "properties.a.properties.b"


@EACH
def test_a_reference_through_a_list_is_followed(says: Says) -> None:
    schema = obj(a={"anyOf": [STRING, NUMBER]}, b={"$ref": "#/properties/a/anyOf/1"})
    assert said(says, schema) == obj(a={"anyOf": [STRING, NUMBER]}, b=NUMBER)


TREE = {
    "$ref": "#/$defs/Node",
    "$defs": {"Node": obj(name=STRING, of={"type": "array", "items": {"$ref": "#/$defs/Node"}})},
}


def test_a_schema_that_comes_back_to_itself_is_said_by_openai_alone() -> None:
    node = TREE["$defs"]["Node"]  # type: ignore[index]
    assert said(openai_strict, TREE) == {**node, "$defs": {"Node": node}}
    at_the_root = obj(of={"anyOf": [{"$ref": "#"}, {"type": "null"}]})
    assert said(openai_strict, at_the_root) == at_the_root
    why = "$ref '#/$defs/Node' comes back to itself"
    for says in (anthropic_output, bedrock, gemini):
        assert refused(says, TREE) == ("", why)
    twice = {**obj(a={"$ref": "#/$defs/Node"}, b={"$ref": "#/$defs/Node"}), "$defs": TREE["$defs"]}
    assert said(openai_strict, twice)["properties"]["b"] == {"$ref": "#/$defs/Node"}


def test_a_recursion_that_has_no_name_is_refused() -> None:
    schema = obj(a=obj(b={"anyOf": [{"$ref": "#/properties/a"}, {"type": "null"}]}))
    place, why = refused(openai_strict, schema)
    assert place == "properties.a.properties.b.anyOf.0"
    assert why.endswith("stands in no $defs of its own name")
    with_more = obj(a={"anyOf": [{"$ref": "#", "maxProperties": 3}, {"type": "null"}]})
    assert refused(openai_strict, with_more)[1] == "$ref '#' comes back to itself"
    itself = {**obj(a={"$ref": "#/$defs/a"}), "$defs": {"a": {"$ref": "#/$defs/a"}}}
    assert said(openai_strict, itself)["$defs"] == {"a": {"$ref": "#/$defs/a"}}


def test_a_schema_that_grows_too_large_when_it_is_written_out_is_refused() -> None:
    parts = {f"n{at}": obj(a={"$ref": f"#/$defs/n{at + 1}"}, b={"$ref": f"#/$defs/n{at + 1}"}) for at in range(20)}
    schema = {"$ref": "#/$defs/n0", "$defs": {**parts, "n20": STRING}}
    assert refused(anthropic_output, schema)[1] == "with each $ref written out it grows too large"


def test_a_schema_that_is_nested_too_deeply_is_refused() -> None:
    schema: dict[str, Any] = STRING
    for _ in range(100):
        schema = {"type": "array", "items": schema}
    place, why = refused(gemini, schema)
    assert (place.count("items"), why) == (60, "it is nested too deeply")


@pytest.mark.parametrize(
    ("value", "of_gemini"),
    [
        ("yes", {"type": "string", "enum": ["yes"]}),
        (3, {"type": "integer", "enum": [3]}),
        (1.5, {"type": "number", "enum": [1.5]}),
        (None, {"type": "null"}),
    ],
)
def test_one_value_is_a_const_or_a_list_of_one(value: Any, of_gemini: Any) -> None:
    kind = of_gemini["type"]
    one = {"type": kind} if value is None else {"type": kind, "const": value}
    assert said(anthropic_output, {"const": value}) == one
    assert said(anthropic_output, {"enum": [value], "type": kind}) == one
    assert said(gemini, {"const": value}) == of_gemini


def test_a_list_of_several_types_is_one_for_each() -> None:
    several = {"enum": ["a", None, 1, 2.5]}
    assert said(anthropic_output, several) == {
        "anyOf": [
            {"type": "string", "const": "a"},
            {"type": "number", "enum": [1, 2.5]},
            {"type": "null"},
        ]
    }
    assert said(gemini, several)["anyOf"][2] == {"type": "null"}
    assert said(gemini, {"enum": [True, False]}) == {"type": "boolean"}
    assert said(gemini, {"enum": ["a", 1], "type": "string"}) == {"type": "string", "enum": ["a"]}
    assert said(gemini, {"enum": ["a", "b"], "const": "b"}) == {"type": "string", "enum": ["b"]}


@pytest.mark.parametrize(
    ("schema", "place", "why"),
    [
        ({"const": True}, "const", "a list has a value of the type boolean"),
        ({"enum": [[1]]}, "enum", "a list has a value of the type array"),
        ({"enum": [{"a": 1}]}, "enum", "a list has a value of the type object"),
        ({"enum": ["a"], "type": "number"}, "enum", "no value fits"),
        ({"enum": ["a"], "minLength": 1}, "minLength", "it stands beside a list of values"),
    ],
)
def test_a_list_that_gemini_has_no_word_for(schema: Any, place: str, why: str) -> None:
    assert refused(gemini, schema) == (place, why)


def test_several_types_are_one_schema_for_each() -> None:
    nullable = {"type": ["string", "null"], "pattern": "^a"}
    assert said(anthropic_output, nullable) == {"anyOf": [{"type": "string", "pattern": "^a"}, {"type": "null"}]}
    assert said(openai_strict, obj(a=nullable)) == obj(a=nullable)
    assert said(gemini, {"type": ["integer", "number"]}) == NUMBER


@pytest.mark.parametrize(
    "parts",
    [
        [STRING, NUMBER],
        [{"const": 1}, {"enum": [2, "a"]}],
        [obj(kind={"const": "a"}, n=NUMBER), obj(kind={"const": "b"})],
        [obj(kind={"$ref": "#/$defs/a"}), {"$ref": "#/$defs/b"}],
    ],
)
@EACH
def test_one_of_parts_that_can_not_both_hold_is_any_of_them(says: Says, parts: list[Any]) -> None:
    defs = {"$defs": {"a": {"const": "a"}, "b": obj(kind={"const": "b"})}}
    told = said(says, {**obj(x={"oneOf": parts}), **defs})["properties"]["x"]
    assert told == {"anyOf": said(says, {**obj(x={"anyOf": parts}), **defs})["properties"]["x"]["anyOf"]}


@pytest.mark.parametrize(
    "parts",
    [
        [STRING, {"type": ["string", "null"]}],
        [{"type": "integer"}, NUMBER],
        [obj(n=NUMBER), obj(m=NUMBER)],
        [{"const": 1}, {"const": 1.0}],
        [STRING, {"minimum": 1}],
        [STRING, True],
        [{"$ref": "#/$defs/a", "type": "string"}, NUMBER],
    ],
)
@EACH
def test_one_of_parts_that_may_both_hold_is_refused(says: Says, parts: list[Any]) -> None:
    place, why = refused(says, {**obj(x={"oneOf": parts}), "$defs": {"a": STRING}})
    assert (place, why) == ("properties.x.oneOf", "a value may fit several of its schemas")


@EACH
def test_what_stands_beside_any_of_is_refused(says: Says) -> None:
    schema = obj(x={"anyOf": [{"required": ["a"]}], "type": "object"})
    assert refused(says, schema) == ("properties.x.type", "it stands beside anyOf")


@pytest.mark.parametrize(
    ("schemas", "one"),
    [
        ([{"type": "object", "properties": {"a": STRING}}, {"properties": {"b": STRING}, "required": ["a"]}],
         {**obj(a=STRING, b=STRING), "required": ["a"]}),
        ([{"type": ["string", "null"]}, {"type": "string", "title": "x"}], {"type": "string", "title": "x"}),
        ([{"type": "number"}, {"type": "integer"}], {"type": "integer"}),
        ([{"type": "integer"}, {"type": "number"}], {"type": "integer"}),
        ([{"enum": ["a", "b"]}, {"enum": ["b", "c"]}], {"type": "string", "const": "b"}),
        ([{"type": "array", "items": {"type": "number"}}, {"items": {"type": "integer"}}, True],
         {"type": "array", "items": {"type": "integer"}}),
        ([obj(a={"type": "number"}), obj(a={"type": "integer"})], obj(a={"type": "integer"})),
        ([{"$ref": "#/$defs/s"}, {"title": "T"}], {"type": "string", "title": "T"}),
        ([obj(a=STRING), {"type": "object", "additionalProperties": True}], obj(a=STRING)),
    ],
)  # fmt: skip
def test_schemas_that_must_all_hold_are_one(schemas: list[Any], one: Any) -> None:
    assert said(anthropic_output, {"allOf": schemas, "$defs": {"s": STRING}}) == one


@pytest.mark.parametrize(
    ("schemas", "one"),
    [
        ([{"type": "integer", "minimum": 1, "maximum": 9}, {"minimum": 3, "maximum": 4}],
         {"type": "integer", "minimum": 3, "maximum": 4}),
        ([{"type": "object", "additionalProperties": STRING},
          {"additionalProperties": {"type": "string", "title": "T"}}],
         {"type": "object", "additionalProperties": {"type": "string", "title": "T"}}),
        ([{"type": "object", "additionalProperties": True}, {"additionalProperties": True}],
         {"type": "object", "additionalProperties": True}),
        ([{"type": "object", "additionalProperties": False}, {"additionalProperties": STRING}],
         {"type": "object", "additionalProperties": False}),
        ([{"type": "array", "prefixItems": [STRING], "minItems": 1}, {"prefixItems": [STRING], "minItems": 2}],
         {"type": "array", "prefixItems": [STRING], "minItems": 2}),
    ],
)  # fmt: skip
def test_so_are_bounds_and_maps_where_they_are_said(schemas: list[Any], one: Any) -> None:
    assert said(gemini, {"allOf": schemas}) == one


@pytest.mark.parametrize(
    ("schemas", "place", "why"),
    [
        ([STRING, NUMBER], "allOf.1.type", "no value is of both types"),
        ([STRING, False], "allOf.1", "no value fits"),
        ([STRING, {"$ref": "#/$defs/s", "minLength": 1}], "allOf.1", "a $ref stands beside other words"),
        ([{"type": "string", "pattern": "a"}, {"pattern": "b"}], "allOf.1.pattern",
         "two schemas say it differently of one value"),
        ([obj(a=STRING), obj(b=STRING)], "allOf.1.additionalProperties", "what one schema closes, another opens"),
        ([{"type": "array", "prefixItems": [STRING]}, {"items": STRING}], "allOf.1.prefixItems",
         "two schemas say it differently of one value"),
    ],
)  # fmt: skip
def test_schemas_that_are_not_one_are_refused(schemas: list[Any], place: str, why: str) -> None:
    assert refused(anthropic_output, {"allOf": schemas, "$defs": {"s": STRING}}) == (place, why)


def test_what_stands_beside_a_reference_holds_too() -> None:
    schema = {"$ref": "#/$defs/n", "maximum": 3, "$defs": {"n": {"type": "integer", "maximum": 5}}}
    assert said(gemini, schema) == {"type": "integer", "maximum": 3}


@EACH
@pytest.mark.parametrize(
    ("schema", "place", "why"),
    [
        (True, "properties.x", "any value fits"),
        (False, "properties.x", "no value fits"),
        ({}, "properties.x", "it has no type, and no value is refused"),
        ({"minimum": 1}, "properties.x", "it has no type, and no value is refused"),
        ({"type": "string", "not": {"const": "a"}}, "properties.x.not", "it is no part of the dialect"),
        ({"type": "string", "if": STRING, "then": STRING}, "properties.x.if", "it is no part of the dialect"),
        ({"type": "array", "items": [STRING]}, "properties.x.items", "it is a list; prefixItems has taken its place"),
        ({"type": "object", "properties": {}, "patternProperties": {"^a": STRING}, "additionalProperties": False},
         "properties.x.patternProperties", "it is no part of the dialect"),
        ({"type": "array", "items": STRING, "uniqueItems": True}, "properties.x.uniqueItems",
         "it is no part of the dialect"),
        ({"type": "array", "items": STRING, "contains": STRING}, "properties.x.contains",
         "it is no part of the dialect"),
        ({"$ref": "#/$defs/all"}, "properties.x", "any value fits"),
    ],
)  # fmt: skip
def test_what_nobody_says_is_refused_at_its_place(says: Says, schema: Any, place: str, why: str) -> None:
    assert refused(says, {**obj(x=schema), "$defs": {"all": True}}) == (place, why)


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ({"type": "integer", "minimum": 1}, "minimum"),
        ({"type": "number", "exclusiveMaximum": 1}, "exclusiveMaximum"),
        ({"type": "number", "multipleOf": 2}, "multipleOf"),
        ({"type": "string", "minLength": 1}, "minLength"),
        ({"type": "string", "maxLength": 1}, "maxLength"),
        ({"type": "string", "pattern": "(?!a)"}, "pattern"),
        ({"type": "string", "pattern": r"(a)\1"}, "pattern"),
        ({"type": "array", "items": STRING, "minItems": 2}, "minItems"),
        ({"type": "array", "items": STRING, "maxItems": 2}, "maxItems"),
    ],
)
@OF_CLAUDE
def test_bounds_are_no_part_of_claude_s_dialect_and_left_out_where_that_is_wanted(
    says: Says, schema: dict[str, Any], word: str
) -> None:
    assert refused(says, obj(x=schema))[0] == f"properties.x.{word}"
    assert said(openai_strict, obj(x=schema)) == obj(x=schema)
    without = {name: value for name, value in schema.items() if name != word}
    assert said(says, obj(x=schema), loosely=True) == obj(x=without)


def test_what_a_closed_object_is_not_is_no_bound_that_can_be_left_out() -> None:
    place, _ = refused(anthropic_output, {"type": "object"}, loosely=True)
    assert place == "additionalProperties"
    patterns = {"type": "object", "properties": {}, "patternProperties": {"^a": STRING}}
    assert refused(anthropic_output, patterns, loosely=True)[0] == "patternProperties"


def test_gemini_says_bounds_of_whole_numbers_its_own_way() -> None:
    assert said(gemini, {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9}) == {
        "type": "integer",
        "minimum": 1,
        "maximum": 8,
    }
    assert refused(gemini, {"type": "number", "exclusiveMinimum": 0})[0] == "exclusiveMinimum"
    assert refused(gemini, {"type": "integer", "exclusiveMinimum": 0.5})[0] == "exclusiveMinimum"
    assert refused(anthropic_output, {"type": "integer", "exclusiveMinimum": 0})[0] == "exclusiveMinimum"


def test_the_first_items_of_a_list_are_said_by_gemini_alone() -> None:
    pair = {"type": "array", "prefixItems": [STRING, NUMBER], "minItems": 2, "maxItems": 2}
    assert said(gemini, pair) == pair
    assert refused(anthropic_output, pair) == ("prefixItems", "it is no part of the dialect")
    assert said(gemini, {"type": "array", "items": True}) == {"type": "array"}
    assert said(gemini, {"type": "array", "items": {"title": "any"}}) == {"type": "array"}
    assert refused(anthropic_output, {"type": "array"}) == ("items", "any value fits")


def test_a_format_is_a_note_and_left_out_where_it_is_not_known() -> None:
    assert said(anthropic_output, {"type": "string", "format": "uri"}) == {"type": "string", "format": "uri"}
    assert said(anthropic_output, {"type": "string", "format": "binary"}) == STRING
    assert said(openai_strict, obj(a={"type": "string", "format": "uri"})) == obj(a=STRING)
    assert said(gemini, {"type": "string", "format": "binary"}) == {"type": "string", "format": "binary"}


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (obj(**{f"p{at}": STRING for at in range(5001)}), "it has 5001 properties, and 5000 are the most"),
        (obj(a={"enum": [*range(1001)]}), "it has 1001 values in its lists, and 1000 are the most"),
        ({**obj(a={"$ref": "#/$defs/n0"}), "$defs": {
            **{f"n{at}": obj(a={"$ref": f"#/$defs/n{at + 1}"}) for at in range(10)}, "n10": STRING}},
         "it has 11 levels of objects, and 10 are the most"),
    ],
)  # fmt: skip
def test_openai_s_limits_are_told_before_it_is_asked(schema: Any, why: str) -> None:
    assert refused(openai_strict, schema) == ("", why)


def test_a_refusal_is_told_with_its_place_and_its_page() -> None:
    refusal = bedrock(obj(age={"type": "integer", "minimum": 1})).failure()
    assert str(refusal) == (
        "properties.age.minimum: it is no part of the dialect; Bedrock's structured output has no word for it "
        "(https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html)"
    )
    assert str(openai_strict(STRING).failure()).startswith("it is no object; OpenAI's strict mode has no word for it")


def test_the_schema_that_is_given_is_not_changed() -> None:
    schema = {"allOf": [{"$ref": "#/$defs/a"}, {"required": ["a"]}], "$defs": {"a": obj(required=False, a=STRING)}}
    before = repr(schema)
    openai_strict(schema)
    assert repr(schema) == before
