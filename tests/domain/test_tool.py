"""Tools, made of functions."""

# ruff: noqa: UP007, UP045, PYI061 -- the older spellings are what is tested here

import dataclasses
import datetime as dt
import decimal
import enum
import functools
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NewType, NotRequired, Optional, TypedDict, TypeVar, Union

import attrs
import pytest
from typing_extensions import ReadOnly, TypeAliasType

from modelport.domain.frozen import thaw
from modelport.domain.tool import Tool


class Unit(enum.StrEnum):
    C = "celsius"
    F = "fahrenheit"


class Mixed(enum.Enum):
    A = 1
    B = "b"


class Place(TypedDict):
    """A place."""

    city: str
    country: NotRequired[str]
    zip: ReadOnly[int]


@dataclasses.dataclass
class Point:
    """A point.

    Args:
        x: across
    """

    x: float
    y: Annotated[float, "up"] = 0.0
    tags: list[str] = dataclasses.field(default_factory=list)
    hidden: int = dataclasses.field(default=0, init=False)


@dataclasses.dataclass
class Bare:
    x: int


@attrs.frozen
class Box:
    at: Point
    size: int = attrs.field(default=1)
    names: list[str] = attrs.field(factory=list)
    area: int = attrs.field(default=0, init=False)


@dataclasses.dataclass
class Tree:
    value: int
    children: list["Tree"]


def other_tree() -> type:
    @dataclasses.dataclass
    class Tree:
        left: Any

    Tree.__annotations__["left"] = Optional[Tree]
    return Tree


OtherTree = other_tree()


class Own:
    """A class that writes its own schema, as pydantic's models do."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        return {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}, "$defs": {"N": {"type": "integer"}}}


class Note:
    description = "from a note"


T = TypeVar("T")
B = TypeVar("B", bound=int)
UserId = NewType("UserId", int)
Alias = TypeAliasType("Alias", "list[int]")
Alias2 = TypeAliasType("Alias2", list[int])

STRING, INTEGER, NUMBER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "null"}
POINT = {
    "type": "object",
    "description": "A point.",
    "properties": {
        "x": {"type": "number", "description": "across"},
        "y": {"type": "number", "description": "up", "default": 0.0},
        "tags": {"type": "array", "items": STRING},
    },
    "required": ["x"],
}


def schema_of(hint: Any) -> Any:
    def f(x: Any) -> None: ...

    f.__annotations__["x"] = hint
    parameters = thaw(Tool.from_function(f).parameters)
    schema = parameters["properties"]["x"]
    return {**schema, "$defs": parameters["$defs"]} if "$defs" in parameters else schema


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, STRING),
        (int, INTEGER),
        (float, NUMBER),
        (bool, {"type": "boolean"}),
        (None, NULL),
        (Any, {}),
        (object, {}),
        (Optional[int], {"anyOf": [INTEGER, NULL]}),
        (int | None, {"anyOf": [INTEGER, NULL]}),
        (Union[int, str, None], {"anyOf": [INTEGER, STRING, NULL]}),
        (Optional[Any], {}),
        (
            list[Optional[Literal["a", "b"]]],
            {"type": "array", "items": {"anyOf": [{"type": "string", "enum": ["a", "b"]}, NULL]}},
        ),
        (Literal["a", 1, None], {"enum": ["a", 1, None]}),
        (Literal[1, 2], {"type": "integer", "enum": [1, 2]}),
        (Literal[Unit.C], {"type": "string", "enum": ["celsius"]}),
        (Unit, {"type": "string", "enum": ["celsius", "fahrenheit"]}),
        (Mixed, {"enum": [1, "b"]}),
        (list, {"type": "array"}),
        (list[Any], {"type": "array"}),
        (Sequence[int], {"type": "array", "items": INTEGER}),
        (Iterable[list[int]], {"type": "array", "items": {"type": "array", "items": INTEGER}}),
        (set[str], {"type": "array", "items": STRING, "uniqueItems": True}),
        (frozenset, {"type": "array", "uniqueItems": True}),
        (tuple, {"type": "array"}),
        (tuple[int, ...], {"type": "array", "items": INTEGER}),
        (tuple[int, str], {"type": "array", "prefixItems": [INTEGER, STRING], "minItems": 2, "maxItems": 2}),
        (dict, {"type": "object"}),
        (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": {}}),
        (
            dict[Unit, int],
            {
                "type": "object",
                "propertyNames": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "additionalProperties": INTEGER,
            },
        ),
        (Annotated[int, "how many"], {"type": "integer", "description": "how many"}),
        (Annotated[int, 3, Note()], {"type": "integer", "description": "from a note"}),
        (Annotated[int, 3], INTEGER),
        (Optional[Annotated[int, "how many"]], {"anyOf": [{"type": "integer", "description": "how many"}, NULL]}),
        (dt.datetime, {"type": "string", "format": "date-time"}),
        (uuid.UUID, {"type": "string", "format": "uuid"}),
        (decimal.Decimal, NUMBER),
        (T, {}),
        (B, INTEGER),
        (UserId, INTEGER),
        (Alias2, {"type": "array", "items": INTEGER}),
        (
            Place,
            {
                "type": "object",
                "description": "A place.",
                "properties": {"city": STRING, "country": STRING, "zip": INTEGER},
                "required": ["city", "zip"],
            },
        ),
        (Point, POINT),
        (Bare, {"type": "object", "properties": {"x": INTEGER}, "required": ["x"]}),
        (
            Box,
            {
                "type": "object",
                "properties": {
                    "at": POINT,
                    "size": {"type": "integer", "default": 1},
                    "names": {"type": "array", "items": STRING},
                },
                "required": ["at"],
            },
        ),
        (Own, {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}, "$defs": {"N": INTEGER}}),
        (
            Tree,
            {
                "$ref": "#/$defs/Tree",
                "$defs": {
                    "Tree": {
                        "type": "object",
                        "properties": {
                            "value": INTEGER,
                            "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
                        },
                        "required": ["value", "children"],
                    }
                },
            },
        ),
    ],
)
def test_annotations_become_schemas(hint: Any, schema: Any) -> None:
    """Each annotation says which JSON values there may be."""
    assert schema_of(hint) == schema


def test_two_classes_of_one_name_have_two_definitions() -> None:
    """A definition's name stands for one class."""

    def f(a: Tree, b: Tree, c: Any) -> None: ...

    f.__annotations__["c"] = OtherTree
    parameters = thaw(Tool.from_function(f).parameters)
    assert [parameters["properties"][name] for name in "abc"] == [
        {"$ref": "#/$defs/Tree"},
        {"$ref": "#/$defs/Tree"},
        {"$ref": "#/$defs/Tree2"},
    ]
    assert sorted(parameters["$defs"]) == ["Tree", "Tree2"]
    assert parameters["$defs"]["Tree2"]["properties"]["left"] == {"anyOf": [{"$ref": "#/$defs/Tree2"}, NULL]}


def weather(city: str, unit: Unit = Unit.C, days: Annotated[int, "1 to 9"] = 1, at: object = object()) -> str:
    """The weather to come.

    In detail.

    Args:
        city (str): where,
            by name
        unit: in what
        days: how long
        at: from when
    Returns:
        It.
    """
    return city


def test_a_function_is_told() -> None:
    """Name, description, parameters, defaults and what is required; it can be written as JSON."""
    tool = Tool.from_function(weather)
    assert tool == Tool(
        "weather",
        "The weather to come.\n\nIn detail.",
        {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "where, by name"},
                "unit": {
                    "type": "string",
                    "enum": ["celsius", "fahrenheit"],
                    "description": "in what",
                    "default": "celsius",
                },
                "days": {"type": "integer", "description": "1 to 9", "default": 1},
                "at": {"description": "from when"},
            },
            "required": ["city"],
        },
    )
    assert json.loads(json.dumps(tool.parameters))["required"] == ["city"]
    assert Tool.from_function(weather, name="w", description="d", strict=True).description == "d"


class Callable_:
    """Does it."""

    def __call__(self, x: int) -> None: ...

    def method(self, x: str) -> None:
        """A method."""


@pytest.mark.parametrize(
    ("function", "name", "names"),
    [
        (Callable_(), "Callable_", ["x"]),
        (Callable_().method, "method", ["x"]),
        (functools.partial(weather, days=3), "weather", ["city", "unit", "at"]),
        (functools.partial(weather, "Seoul"), "weather", ["unit", "days", "at"]),
        (Bare, "Bare", ["x"]),
        (lambda: None, "named", []),
    ],
)
def test_what_can_be_called_is_a_function(function: Callable[..., Any], name: str, names: list[str]) -> None:
    """Methods, partials, classes and objects with a __call__ are told as functions are."""
    tool = Tool.from_function(function, name="named" if name == "named" else None)
    assert (tool.name, list(tool.parameters["properties"])) == (name, names)


def bare(x, y: int = 1):  # type: ignore[no-untyped-def]
    ...


def many(*names: str) -> None: ...
def more(**names: str) -> None: ...
def strange(x: bytes) -> None: ...
def stranger(x: "list[Callable[[], int]]") -> None: ...
def keyed(x: dict[int, str]) -> None: ...
def unknown(x: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def listed(x: Any) -> None: ...


listed.__annotations__["x"] = [int]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (bare, r"Tool.from_function\(bare\): parameter 'x' has no annotation; write x: str"),
        (many, r"parameter '\*names: str' takes any number of values; name each one"),
        (more, r"parameter '\*\*names: str' takes"),
        (strange, "parameter 'x' is annotated with <class 'bytes'>, which JSON can't say"),
        (stranger, "parameter 'x' is annotated with .*Callable"),
        (keyed, "parameter 'x': the keys of a JSON object are strings, not <class 'int'>"),
        (unknown, "an annotation names what isn't known there: name 'Nowhere' is not defined"),
        (lambda x: x, "a lambda has no name; pass name="),
    ],
)
def test_what_cannot_be_told(function: Callable[..., Any], words: str) -> None:
    """A function that JSON can't say is an error that names the parameter."""
    with pytest.raises(TypeError, match=words):
        Tool.from_function(function)


def test_an_annotation_that_is_no_type() -> None:
    """An unhashable annotation is an error like any other."""
    from modelport.domain.functions.schema import _Schemas

    with pytest.raises(TypeError, match=r"here is annotated with \[<class 'int'>\]"):
        _Schemas("f").of([int], "here")


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Tool(""), ValueError, "Tool: a name is text of at least one character, not ''"),
        (lambda: Tool(3), ValueError, "not 3"),
        (lambda: Tool("f", "", [1]), TypeError, r"Tool: parameters take a JSON schema as a dict, not \[1\]"),
    ],
)
def test_bad_tools(make: Any, error: type[Exception], words: str) -> None:
    """A tool that can't be one is refused at once."""
    with pytest.raises(error, match=words):
        make()


def test_a_tool_without_input() -> None:
    """No parameters are an empty object."""
    assert Tool("f") == Tool("f", parameters={})
    assert Tool("f").parameters["type"] == "object"
