"""A value of the domain as JSON has it, and back: what caches and cassettes keep is data, and reading it runs nothing.

A value is a mapping of its fields under the `type` that it is; fields at their defaults are left out. In what users and
providers put in, the words of `form.py` have a mark: `{"$omit": true}`. A response's `raw` is left out: it may be
anything.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import attrs

from ..attempt import Attempt, Skipped, Wait
from ..error import ModelError
from ..event import Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta
from ..fields import fields_of
from ..message import PARTS, Message
from ..options.option import OMIT, canonical
from ..request import Request
from ..response import Response
from ..response_format import Free, Grammar, JsonObject, JsonSchema, Regex
from ..tool import Tool
from ..usage import Usage
from .form import Form

_QUESTION: Final = (Request, Message, *PARTS, Tool, Free, JsonObject, JsonSchema, Regex, Grammar)
_LEDGER: Final = (Attempt, Wait, Skipped, Usage)
_ANSWER: Final = (Response, ModelError, TextDelta, ReasoningDelta, ToolCallDelta, Finished, Failed, *_LEDGER)


def _tag(cls: type) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in cls.__name__)[1:]


_CLASS: Final[Mapping[str, type]] = {_tag(cls): cls for cls in (*_QUESTION, *_ANSWER)}
_TAG: Final[Mapping[type, str]] = {cls: tag for tag, cls in _CLASS.items()}
_DATA: Final = frozenset({"metadata", "options", "parameters", "schema"})
_LEFT_OUT: Final = frozenset({"raw"})


def to_json(value: Any, *, whole: bool = False) -> dict[str, Any]:
    """The value in plain dicts, lists and scalars; with `whole`, fields at their defaults too.

    Raises ValueError, naming the place, for what can't be kept: a function among the options, say.

    >>> to_json(TextDelta("Hi"))
    {'type': 'text_delta', 'text': 'Hi'}
    """
    return _JsonForm(whole).value(value, _TAG[type(value)])


class _Data(Form):
    """What is JSON already, or nearly: under `type` it may have a member of its own."""

    mark = "$"
    words = frozenset({"$bytes", "$float", "$map", "$omit"})


_DATA_FORM: Final = _Data()


@attrs.frozen
class _JsonForm(_Data):
    """Values of the domain, and what their fields hold."""

    whole: bool

    def value(self, value: Any, where: str) -> dict[str, Any]:
        cls: Any = type(value)
        fields = {"type": _TAG[cls]}
        for name, default in fields_of(cls):
            item = getattr(value, name)
            if name not in _LEFT_OUT and (self.whole or item != default):
                form = _DATA_FORM if name in _DATA else self
                fields[name] = form.write(item, f"{where}.{name}")
        return fields

    def data(self, data: bytes | bytearray | memoryview, where: str) -> str:
        return base64.b64encode(data).decode()

    def other(self, value: Any, where: str) -> Any:
        return self.value(value, where) if type(value) in _TAG else super().other(value, where)


def from_json(data: Any) -> Any:
    """The value that `to_json` wrote. Raises ValueError, naming the place, for what it can't have written.

    >>> from_json({"type": "text_delta", "text": "Hi"})
    TextDelta(text='Hi')
    """
    if not isinstance(data, Mapping) or "type" not in data:
        raise ValueError(f"from_json: takes a mapping with a type, not {data!r}")
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
    known = {name for name, _ in fields_of(cls) if name not in _LEFT_OUT}
    fields: dict[str, Any] = {}
    for name, item in data.items():
        at = f"{where}.{name}"
        if name == "type":
            continue
        if name not in known:
            raise ValueError(f"{at}: {cls.__name__} has no such field")
        fields[name] = _read_data(item, at) if name in _DATA else _read(item, at)
    try:
        if isinstance(fields.get("data"), str):
            fields["data"] = base64.b64decode(fields["data"], validate=True)
        if cls is Request and "options" in fields:  # its names were looked at when it was made
            fields["options"] = canonical(fields["options"])
        return cls(**fields)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"{where}: {error}") from error


def _read_data(data: Any, where: str) -> Any:
    if isinstance(data, list):
        return tuple(_read_data(item, f"{where}[{at}]") for at, item in enumerate(data))
    if not isinstance(data, Mapping):
        return data
    if len(data) == 1 and data.keys() <= _Data.words:
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
