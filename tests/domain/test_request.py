"""Requests, the form of their answers, and what they need."""

from typing import Any

import pytest

from modelport.domain.capability import Capabilities, missing
from modelport.domain.message import Audio, Document, Image, Message, Text, ToolCall, ToolResult
from modelport.domain.model import Model
from modelport.domain.request import Request
from modelport.domain.response_format import (
    Free,
    Grammar,
    JsonObject,
    JsonSchema,
    Regex,
    as_response_format,
    feature,
)
from modelport.domain.tool import Tool

HI = [Message("user", "hi")]
TOOL = Tool("f")


def test_a_request_reads_what_it_is_given() -> None:
    """Lists become tuples, stops are made one each, options canonical."""
    request = Request(HI, ["a", "a"], [TOOL], "f", {"type": "json_object"}, {"max_new_tokens": 5})
    assert request == Request(tuple(HI), ("a",), (TOOL,), "f", JsonObject(), {"max_tokens": 5})
    assert Request(HI, None).stop_sequences == ()


@pytest.mark.parametrize(
    "choice", [None, "auto", "none", "required", "f", {"type": "function", "function": {"name": "f"}}]
)
def test_tool_choices(choice: Any) -> None:
    """A choice is a word, a tool's name, or the wire's dict of one."""
    assert Request(HI, tools=[TOOL], tool_choice=choice).tool_choice == ("f" if isinstance(choice, dict) else choice)


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"messages": []}, ValueError, "messages: there are none"),
        ({"messages": "hi"}, TypeError, r"messages: Request takes Message values; as_messages\(...\)"),
        ({"messages": Message("user", "")}, TypeError, "messages: Request takes"),
        ({"messages": 3}, TypeError, "messages: Request takes"),
        ({"messages": [*HI, {"role": "user"}]}, TypeError, r"messages\[1\]: dict is not a Message"),
        ({"stop_sequences": [""]}, ValueError, r"stop_sequences\[0\]"),
        ({"tools": [len]}, TypeError, r"tools\[0\]: <built-in function len> is not a Tool; see Tool.from_function"),
        ({"tools": TOOL}, TypeError, "tools: a list of Tool values"),
        ({"tools": 3}, TypeError, "tools: a list of Tool values"),
        ({"tools": [TOOL, TOOL]}, ValueError, r"tools\[1\]: 'f' is there already"),
        ({"tool_choice": "g", "tools": [TOOL]}, ValueError, r"tool_choice: 'g' is not .* one of the tools: \['f'\]"),
        ({"tool_choice": "required"}, ValueError, "tool_choice: 'required' is not"),
        ({"tool_choice": {"type": "web"}}, ValueError, "tool_choice"),
        ({"response_format": "json"}, ValueError, "response_format: can't read 'json'"),
        ({"options": {"temperature": float("nan")}}, ValueError, "options: temperature must be a finite number"),
    ],
)
def test_bad_requests(fields: dict[str, Any], error: type[Exception], words: str) -> None:
    """What no model could answer is refused at once, with its place."""
    with pytest.raises(error, match=words):
        Request(**{"messages": HI, **fields})


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, Free()),
        ({"type": "text"}, Free()),
        ({"type": "json_object"}, JsonObject()),
        (Regex("a+"), Regex("a+")),
        (Grammar("start: x"), Grammar("start: x")),
        (
            {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"a": []}, "strict": True, "description": "d"},
            },
            JsonSchema({"a": ()}, "n", "d"),
        ),
        ({"type": "json_schema", "json_schema": {"schema": {}}}, JsonSchema({}, strict=False)),
    ],
)
def test_response_formats(given: Any, read: Any) -> None:
    """A form is one of ours, nothing, or the wire's dict."""
    assert as_response_format(given) == read


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: JsonSchema("{}"), TypeError, "JsonSchema takes a JSON schema as a dict, not '{}'"),
        (lambda: Grammar("x", "abnf"), ValueError, "abnf"),
        (lambda: as_response_format({"type": "json_schema", "json_schema": {}}), ValueError, "can't read"),
        (lambda: as_response_format({"type": "json_schema", "json_schema": {"schema": 3}}), TypeError, "not 3"),
    ],
)
def test_bad_response_formats(make: Any, error: type[Exception], words: str) -> None:
    """A form that can't be read is refused at once."""
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (Free(), None),
        (JsonObject(), "json_object"),
        (JsonSchema({}), "json_schema"),
        (Regex(""), "regex"),
        (Grammar(""), "grammar"),
    ],
)
def test_the_feature_of_a_form(form: Any, name: str | None) -> None:
    """Each form asks for the capability of its name."""
    assert feature(form) == name
    assert missing(Request(HI, response_format=form), Capabilities()) == ((name,) if name else ())


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({"messages": HI}, ()),
        ({"messages": [Message("user", [Image(b""), Audio(b""), Document(b"")])]}, ("images", "audio", "documents")),
        ({"messages": [Message("tool", [ToolResult("1", [Text("x"), Image(b"")])])]}, ("tools", "images")),
        ({"messages": [Message("assistant", [ToolCall("1", "f")])]}, ("tools",)),
        ({"messages": HI, "tools": [TOOL], "response_format": JsonObject()}, ("tools", "json_object")),
    ],
)
def test_missing(fields: dict[str, Any], needed: tuple[str, ...]) -> None:
    """What a request needs is missing from a model that has nothing, in order, and from one that has all nothing is."""
    assert missing(Request(**fields), Capabilities()) == needed
    assert missing(Request(**fields), Capabilities(**dict.fromkeys(needed, True))) == ()


def test_the_port_can_be_checked() -> None:
    """An object without the port's members is no model."""
    assert not isinstance(object(), Model)
