"""A tool's arguments as the values that its annotations name: JSON has no dates, sets, enums or objects of a class.

What JSON does have isn't read as anything else: `"5"` is no `int`, and only `5.0` is one, as in JSON.
"""

from __future__ import annotations

import enum
import types
import typing
from collections import abc
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

_READERS: Final[Mapping[Any, tuple[tuple[type, ...], Callable[[Any], object]]]] = {
    str: ((str,), str),
    bool: ((bool,), bool),
    int: ((int, float), int),
    float: ((int, float), float),
    Decimal: ((int, float), lambda number: Decimal(str(number))),
    date: ((str,), date.fromisoformat),
    datetime: ((str,), datetime.fromisoformat),
    time: ((str,), time.fromisoformat),
    UUID: ((str,), UUID),
    Path: ((str,), Path),
}
"""What each is read from, and how."""

_ARRAYS: Final[Mapping[Any, Callable[[list[Any]], object]]] = {
    **dict.fromkeys((list, abc.Sequence, abc.Iterable, abc.Collection), list),
    **dict.fromkeys((set, abc.Set, abc.MutableSet), set),
    frozenset: frozenset,
}
_OBJECTS: Final = (dict, abc.Mapping, abc.MutableMapping)


def as_annotated(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, which fit the tool's schema. Raises ValueError, with the place, for what can't be read."""
    hints = typing.get_type_hints(function)
    values: dict[str, Any] = {}
    for name, value in arguments.items():
        try:
            values[name] = _value(hints.get(name), value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"at $.{name}: {error}") from error
    return values


def _value(hint: Any, value: Any) -> Any:
    kind, inner = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return _first(inner, value)
    if alias := getattr(kind, "__value__", getattr(kind, "__supertype__", None)):  # type X = ..., NewType
        return _value(alias, value)
    if value is None or kind in (Any, object) or not isinstance(kind, type):
        return value
    if kind in _READERS:
        written, read = _READERS[kind]
        return read(_of(value, *written))
    if issubclass(kind, enum.Enum):
        return kind(value)
    if kind is tuple or kind in _ARRAYS:
        return _array(kind, inner, _of(value, list))
    return _object(kind, inner, _of(value, dict))


def _of(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:  # True is no number
        raise TypeError(f"{value!r} is none of {', '.join(kind.__name__ for kind in kinds)}")
    return value


def _first(hints: tuple[Any, ...], value: Any) -> Any:
    """The value as the first of these that admits it."""
    wrong: list[str] = []
    for hint in hints:
        try:
            return _value(hint, value)
        except (ValueError, TypeError) as error:
            wrong.append(str(error))
    raise TypeError("; ".join(wrong))


def _array(kind: type, inner: tuple[Any, ...], values: list[Any]) -> Any:
    if kind is tuple and inner and Ellipsis not in inner:
        return tuple(map(_value, inner, values))
    items = [_value(inner[0] if inner else Any, value) for value in values]
    return tuple(items) if kind is tuple else _ARRAYS[kind](items)


def _object(kind: type, inner: tuple[Any, ...], values: dict[str, Any]) -> Any:
    if kind in _OBJECTS:
        return {name: _value(inner[1] if inner else Any, value) for name, value in values.items()}
    if reads := getattr(kind, "model_validate", None):  # pydantic's
        return reads(values)
    hints = typing.get_type_hints(kind)
    members = {name: _value(hints.get(name, Any), value) for name, value in values.items()}
    return kind(**members)
