"""A value of the domain as JSON has it, and back: what caches and cassettes keep is data, and reading it runs nothing.

A value is a mapping of its fields under the `type` that it is; fields at their defaults are left out. What JSON has no
word for is a mapping with one member that names it: `{"$omit": true}`, `{"$bytes": "..."}`, `{"$float": "nan"}`, and
`{"$map": [[name, value], ...]}` for a mapping that looks like one of these or whose names aren't text. A response's
`raw` is left out: it may be anything.
"""

from __future__ import annotations

import base64
import binascii
import enum
import math
from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, NoReturn

import attrs

from ..attempt import Attempt, Skipped, Wait
from ..error import ModelError
from ..event import Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta
from ..message import PARTS, Message
from ..option import OMIT
from ..request import Request
from ..response import Response
from ..response_format import Free, Grammar, JsonObject, JsonSchema, Regex
from ..tool import Tool
from ..usage import Usage

_ASKED: Final = (Request, Message, *PARTS, Tool, Free, JsonObject, JsonSchema, Regex, Grammar)
_LEDGER: Final = (Attempt, Wait, Skipped, Usage)
_SAID: Final = (Response, ModelError, TextDelta, ReasoningDelta, ToolCallDelta, Finished, Failed, *_LEDGER)


def _tag(cls: type) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in cls.__name__)[1:]


_CLASS: Final[Mapping[str, type]] = {_tag(cls): cls for cls in (*_ASKED, *_SAID)}
_TAG: Final[Mapping[type, str]] = {cls: tag for tag, cls in _CLASS.items()}
_DATA: Final = frozenset({"metadata", "options", "parameters", "schema"})
_UNSAID: Final = frozenset({"raw"})
_WORDS: Final = frozenset({"$bytes", "$float", "$map", "$omit"})


class _Member(NamedTuple):
    """A field of a class."""

    name: str
    default: Any
    is_data: bool


@cache
def _members(cls: Hashable) -> tuple[_Member, ...]:
    return tuple(_member(field) for field in attrs.fields(cls) if field.name not in _UNSAID)  # type: ignore[arg-type]


def _member(field: attrs.Attribute[Any]) -> _Member:
    default: Any = field.default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    return _Member(field.name, default, field.name in _DATA)


def to_json(value: Any, *, whole: bool = False) -> dict[str, Any]:
    """The value in plain dicts, lists and scalars; with `whole`, fields at their defaults too.

    Raises ValueError, naming the place, for what can't be kept: a function among the options, say.

    >>> to_json(TextDelta("Hi"))
    {'type': 'text_delta', 'text': 'Hi'}
    """
    return _written(value, whole, _TAG[type(value)])


def _written(value: Any, whole: bool, where: str) -> dict[str, Any]:
    kind: Any = type(value)
    out: dict[str, Any] = {"type": _TAG[kind]}
    for name, default, is_data in _members(kind):
        item = getattr(value, name)
        if whole or item != default:
            at = f"{where}.{name}"
            out[name] = _data(item, at) if is_data else _field(item, whole, at)
    return out


def _field(item: Any, whole: bool, where: str) -> Any:
    if type(item) in _TAG:
        return _written(item, whole, where)
    if isinstance(item, tuple):
        return [_field(each, whole, f"{where}[{at}]") for at, each in enumerate(item)]
    return base64.b64encode(item).decode() if isinstance(item, bytes) else _data(item, where)


def _data(value: Any, where: str) -> Any:
    """What is JSON already, or nearly."""
    if value is None or isinstance(value, (bool, str, int)) and not isinstance(value, enum.Enum):
        return value
    if value is OMIT:
        return {"$omit": True}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [_data(item, f"{where}[{at}]") for at, item in enumerate(value)]
    if isinstance(value, Mapping):
        items = {name: _data(item, f"{where}[{name!r}]") for name, item in value.items()}
        if all(isinstance(name, str) for name in items) and not (len(items) == 1 and items.keys() <= _WORDS):
            return items
        return {"$map": [[_data(name, where), item] for name, item in items.items()]}
    raise ValueError(f"{where}: {value!r} has no form in JSON")


def from_json(data: Any) -> Any:
    """The value that `to_json` wrote. Raises ValueError, naming the place, for what it can't have written.

    >>> from_json({"type": "text_delta", "text": "Hi"})
    TextDelta(text='Hi')
    """
    if not isinstance(data, Mapping) or "type" not in data:
        _unreadable(data, "from_json")
    return _read(data, "from_json")


def _read(data: Any, where: str) -> Any:
    if isinstance(data, list):
        return tuple(_read(item, f"{where}[{at}]") for at, item in enumerate(data))
    if not isinstance(data, Mapping):
        return data
    if "type" not in data:
        return _read_data(data, where)
    tag = data["type"]
    cls: Any = _CLASS.get(tag) if isinstance(tag, str) else None
    if cls is None:
        raise ValueError(f"{where}: {tag!r} is none of {', '.join(_CLASS)}")
    known = {member.name: member for member in _members(cls)}
    fields: dict[str, Any] = {}
    for name, item in data.items():
        at = f"{where}.{name}"
        if name == "type":
            continue
        if name not in known:
            raise ValueError(f"{at}: {cls.__name__} has no such field")
        fields[name] = _read_data(item, at) if known[name].is_data else _read(item, at)
    try:
        if isinstance(fields.get("data"), str):
            fields["data"] = base64.b64decode(fields["data"], validate=True)
        return cls(**fields)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"{where}: {error}") from error


def _read_data(data: Any, where: str) -> Any:
    if isinstance(data, list):
        return tuple(_read_data(item, f"{where}[{at}]") for at, item in enumerate(data))
    if not isinstance(data, Mapping):
        return data
    if len(data) == 1 and data.keys() <= _WORDS:
        ((word, item),) = data.items()
        try:
            return _READ_WORD[word](item, where)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from error
    return {name: _read_data(item, f"{where}[{name!r}]") for name, item in data.items()}


_READ_WORD: Final[Mapping[str, Any]] = {
    "$bytes": lambda text, _: base64.b64decode(text, validate=True),
    "$float": lambda text, _: float(text),
    "$map": lambda items, where: {name: _read_data(item, f"{where}[{name!r}]") for name, item in items},
    "$omit": lambda _, __: OMIT,
}


def _unreadable(data: object, where: str) -> NoReturn:
    raise ValueError(f"{where}: takes a mapping with a type, not {data!r}")
