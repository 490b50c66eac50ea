"""A typed Python function, told as a `Tool`: its annotations become a JSON schema, its docstring the descriptions.

Classes (TypedDict, dataclass, attrs, a model that writes its own schema) become objects, in place; one that holds
itself becomes a `$ref`. This file is imported when a function is first read, since it needs `inspect` and `typing`.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import functools
import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from .docstring import read_docstring

_SIMPLE: Final[Mapping[Any, Mapping[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}

# By module and name, so that nothing is imported for them.
_FORMATS: Final[Mapping[str, Mapping[str, Any]]] = {
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "datetime.date": {"type": "string", "format": "date"},
    "datetime.time": {"type": "string", "format": "time"},
    "datetime.timedelta": {"type": "string", "format": "duration"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "decimal.Decimal": {"type": "number"},
    "pathlib.Path": {"type": "string"},
    "pathlib._local.Path": {"type": "string"},
}

_LISTS: Final = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_SETS: Final = (set, frozenset, collections.abc.Set, collections.abc.MutableSet)
_DICTS: Final = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def read_function(
    function: Callable[..., Any], name: str | None = None, description: str | None = None
) -> tuple[str, str, dict[str, Any]]:
    """Its name, its description and the schema of its input, as a tool.

    Raises TypeError, naming the parameter, for what can't be told as JSON.
    """
    target, bound = function, frozenset[str]()
    while isinstance(target, functools.partial):
        bound |= frozenset(target.keywords)
        target = target.func
    plain = target if inspect.isroutine(target) or inspect.isclass(target) else type(target).__call__
    name = name or str(getattr(target, "__name__", type(target).__name__))
    if name == "<lambda>":
        raise TypeError("Tool.from_function: a lambda has no name; pass name=...")
    place = f"Tool.from_function({name})"
    hints = _hints(target.__init__ if inspect.isclass(target) else plain, place)
    summary, descriptions = read_docstring(inspect.getdoc(target) or "")
    schemas = _Schemas(place)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in bound:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{place}: parameter '{parameter}' takes any number of values; name each one")
        if parameter.name not in hints:
            raise TypeError(f"{place}: parameter {parameter.name!r} has no annotation; write {parameter.name}: str")
        schema = schemas.of(hints[parameter.name], f"parameter {parameter.name!r}")
        if parameter.name in descriptions and "description" not in schema:
            schema = {**schema, "description": descriptions[parameter.name]}
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        properties[parameter.name] = _with_default(schema, parameter.default)
    whole = {"type": "object", "properties": properties}
    if required:
        whole["required"] = required
    if schemas.definitions:
        whole["$defs"] = schemas.definitions
    return name, summary if description is None else description, whole


def _hints(function: Any, place: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"{place}: an annotation names what isn't known there: {error}") from error


def _with_default(schema: dict[str, Any], default: Any) -> dict[str, Any]:
    """The schema with the default in it, where JSON can write it."""
    if isinstance(default, enum.Enum):
        default = default.value
    try:
        json.dumps(default, allow_nan=False)
    except (TypeError, ValueError):
        return schema
    return {**schema, "default": default}


class _Schemas:
    """The schemas of one function's types; those that hold themselves are kept as definitions."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.definitions: dict[str, Any] = {}
        self._open: list[Any] = []
        self._names: dict[Any, str] = {}

    def of(self, hint: Any, where: str) -> dict[str, Any]:
        """The schema of what this annotation admits."""
        try:
            simple = _SIMPLE.get(hint)
        except TypeError:  # an unhashable annotation, such as Literal[[]]
            simple = None
        if simple is not None:
            return dict(simple)
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            return self._annotated(arguments, where)
        if origin in (typing.Required, typing.NotRequired, typing.Final, typing.ClassVar) or _is_read_only(origin):
            return self.of(arguments[0], where)
        if origin in (typing.Union, types.UnionType):
            return self._union(arguments, where)
        if origin is typing.Literal:
            return _choices([choice.value if isinstance(choice, enum.Enum) else choice for choice in arguments])
        if isinstance(hint, typing.TypeVar):
            return self.of(hint.__bound__ or Any, where)
        for alias in ("__value__", "__supertype__"):  # type X = ..., NewType
            if hasattr(hint, alias):
                return self.of(getattr(hint, alias), where)
        kind = origin or hint
        if kind is tuple:
            return self._tuple(arguments, where)
        if kind in _LISTS or kind in _SETS:
            items = {"items": self.of(arguments[0], where)} if arguments and arguments[0] is not Any else {}
            return {"type": "array", **items, **({"uniqueItems": True} if kind in _SETS else {})}
        if kind in _DICTS:
            return self._dict(arguments, where)
        if isinstance(kind, type):
            return self._class(kind, where)
        raise TypeError(f"{self.place}: {where} is annotated with {hint!r}, which JSON can't say")

    def _annotated(self, arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
        schema = self.of(arguments[0], where)
        for note in arguments[1:]:
            text = note if isinstance(note, str) else getattr(note, "description", None)
            if isinstance(text, str):
                return {**schema, "description": text}
        return schema

    def _union(self, arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
        schemas = [self.of(argument, where) for argument in arguments]
        if {} in schemas:
            return {}
        return {"anyOf": schemas}

    def _tuple(self, arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
        if not arguments:
            return {"type": "array"}
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0], where)}
        items = [self.of(argument, where) for argument in arguments if argument != ()]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

    def _dict(self, arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
        if not arguments:
            return {"type": "object"}
        names, values = arguments
        if names not in (str, Any):
            keys = self.of(names, where)
            if keys.get("type") != "string":
                raise TypeError(f"{self.place}: {where}: the keys of a JSON object are strings, not {names!r}")
            return {"type": "object", "propertyNames": keys, "additionalProperties": self.of(values, where)}
        return {"type": "object", "additionalProperties": self.of(values, where)}

    def _class(self, kind: type, where: str) -> dict[str, Any]:
        known = _FORMATS.get(f"{kind.__module__}.{kind.__qualname__}")
        if known is not None:
            return dict(known)
        if issubclass(kind, enum.Enum):
            return _choices([member.value for member in kind])
        if kind in self._open or kind in self._names:
            name = self._names.setdefault(kind, self._free_name(kind))
            return {"$ref": f"#/$defs/{name}"}
        self._open.append(kind)
        schema = self._object(kind, where)
        self._open.remove(kind)
        if kind in self._names:
            self.definitions[self._names[kind]] = schema
            return {"$ref": f"#/$defs/{self._names[kind]}"}
        return schema

    def _free_name(self, kind: type) -> str:
        taken = {*self._names.values(), *self.definitions}
        name, number = kind.__name__, 1
        while name in taken:
            number += 1
            name = f"{kind.__name__}{number}"
        return name

    def _object(self, kind: type, where: str) -> dict[str, Any]:
        own: Any = getattr(kind, "model_json_schema", None)
        if own is not None:
            written: dict[str, Any] = dict(own())
            self.definitions.update(written.pop("$defs", {}))
            return written
        hints = _hints(kind, self.place)
        defaults = _defaults(kind, hints)
        if defaults is None:
            raise TypeError(f"{self.place}: {where} is annotated with {kind!r}, which JSON can't say")
        summary, descriptions = read_docstring(inspect.cleandoc(kind.__doc__ or ""))
        schema: dict[str, Any] = {"type": "object"}
        if summary and not summary.startswith((f"{kind.__name__}(", "Method generated by attrs")):
            schema["description"] = summary
        schema["properties"] = {
            name: self._member(name, hints[name], default, descriptions, f"{where}, {kind.__name__}.{name}")
            for name, default in defaults.items()
        }
        required = [name for name, default in defaults.items() if default is inspect.Parameter.empty]
        return {**schema, "required": required} if required else schema

    def _member(
        self, name: str, hint: Any, default: Any, descriptions: Mapping[str, str], where: str
    ) -> dict[str, Any]:
        schema = self.of(hint, where)
        if name in descriptions and "description" not in schema:
            schema = {**schema, "description": descriptions[name]}
        return _with_default(schema, default)


_UNWRITTEN: Final = object()  # there is a default, but it isn't known or can't be written


def _defaults(kind: type, hints: Mapping[str, Any]) -> dict[str, Any] | None:
    """The members that one gives to make a value of this class, each with its default; None for other classes."""
    empty = inspect.Parameter.empty
    if typing.is_typeddict(kind):
        required = kind.__required_keys__  # type: ignore[attr-defined]  # is_typeddict narrows nothing
        return {name: empty if name in required else _UNWRITTEN for name in hints}
    if attrs.has(kind):
        members: list[tuple[str, Any, bool, Any]] = [
            (a.name, a.default, a.init, attrs.NOTHING) for a in attrs.fields(kind)
        ]
    elif dataclasses.is_dataclass(kind):
        members = [(f.name, _dataclass_default(f), f.init, dataclasses.MISSING) for f in dataclasses.fields(kind)]
    else:
        return None
    return {name: empty if default is missing else default for name, default, init, missing in members if init}


def _dataclass_default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else _UNWRITTEN


def _choices(values: list[Any]) -> dict[str, Any]:
    kinds = {_SIMPLE.get(type(value), {}).get("type") for value in values}
    kind = kinds.pop() if len(kinds) == 1 else None
    return {"type": kind, "enum": values} if kind else {"enum": values}


def _is_read_only(origin: Any) -> bool:
    return getattr(origin, "_name", None) == "ReadOnly"
