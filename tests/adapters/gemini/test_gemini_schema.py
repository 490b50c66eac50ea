"""A JSON schema is sent in Gemini's dialect, or refused with its place; a tool's is refused only if it is strict."""

from __future__ import annotations

from typing import Any

import pytest

from modelport import JsonSchema, Message, Request, Tool
from modelport.adapters.gemini.request import wire_body
from modelport.adapters.http.http_errors import Unwritable
from modelport.domain.capability import Unsupported

NAMED = {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}}}
PLAIN = {"type": "object", "properties": {"name": {"type": "string"}}}
COLOUR = {"type": "object", "properties": {"colour": {"anyOf": [{"const": "red"}, {"const": 1}]}}}
NODE = {"type": "object", "properties": {"next": {"$ref": "#"}}}


def sent(**fields: Any) -> Any:
    return wire_body(Request([Message("user", "Hi")], **fields), "gemini-2.5-flash", {})


def form(schema: Any, strict: bool = True) -> Any:
    return sent(response_format=JsonSchema(schema, strict=strict))["generationConfig"]["responseJsonSchema"]


def tool(schema: Any, strict: bool | None = None) -> Any:
    (declared,) = sent(tools=[Tool("f", "", schema, strict)])["tools"][0]["functionDeclarations"]
    return declared.get("parametersJsonSchema")


def test_const_is_written_as_gemini_reads_it() -> None:
    colour = ({"type": "string", "enum": ("red",)}, {"type": "integer", "enum": (1,)})
    expected = {"type": "object", "properties": {"colour": {"anyOf": colour}}}
    assert form(COLOUR) == tool(COLOUR) == tool(COLOUR, strict=True) == expected


def test_what_gemini_ignores_is_refused_with_its_place_where_it_would_count() -> None:
    with pytest.raises(
        Unsupported, match=r"^response_format: properties\.name\.minLength: .*; send it unenforced with"
    ):
        form(NAMED)
    with pytest.raises(Unsupported, match=r"^tools\[0\]\.parameters: properties\.name\.minLength: "):
        tool(NAMED, strict=True)


def test_what_gemini_ignores_is_left_out_where_it_would_not() -> None:
    assert form(NAMED, strict=False) == tool(NAMED) == tool(NAMED, strict=False) == PLAIN


def test_a_tool_is_told_as_it_is_what_the_dialect_can_not_say() -> None:
    with pytest.raises(Unsupported, match="comes back to itself"):
        form(NODE, strict=False)
    assert tool(NODE) == NODE


def test_a_tool_that_takes_nothing_has_no_schema() -> None:
    assert tool({}) is None
    assert tool({"type": "object"}) is None


@pytest.mark.parametrize("schema", [{"enum": 3}, {"allOf": 3}, {"default": object()}])
def test_what_is_no_schema_is_refused(schema: Any) -> None:
    with pytest.raises(Unwritable, match="response_format: this is no JSON schema"):
        form(schema, strict=False)
    with pytest.raises(Unwritable, match=r"tools\[0\]\.parameters: this is no JSON schema"):
        tool(schema)
