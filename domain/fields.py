"""The fields of values: what each is where nobody says, and which of a value's are something else."""

from __future__ import annotations

import enum
from functools import cache
from typing import Any, NamedTuple

import attrs


class Field(NamedTuple):
    """A field of a class, and its default."""

    name: str
    default: Any


@cache
def fields_of(cls: Any) -> tuple[Field, ...]:
    """The fields of an attrs class, in their order."""
    return tuple(Field(field.name, _default(field.default)) for field in attrs.fields(cls))


def _default(default: Any) -> Any:
    return default.factory() if hasattr(default, "factory") else default


def changed(value: Any) -> dict[str, Any]:
    """The fields of an attrs value that aren't what they are by default.

    >>> from modelport.domain.usage import Usage
    >>> changed(Usage(3, 0, reasoning_tokens=1))
    {'input_tokens': 3, 'reasoning_tokens': 1}
    """
    cls: Any = type(value)
    fields = ((name, default, getattr(value, name)) for name, default in fields_of(cls))
    return {name: item for name, default, item in fields if item != default}


def short_repr(self: Any) -> str:
    """What a value says of itself: its class, what it needs, and by name what isn't as it is by default.

    >>> from modelport.domain.message import Message
    >>> Message("user", "Hi", name="Ada")
    Message('user', 'Hi', name='Ada')
    """
    cls: Any = type(self)
    shown = []
    for field, (name, default) in zip(attrs.fields(cls), fields_of(cls), strict=True):
        item = getattr(self, name)
        if field.repr is False or item == default:
            continue
        text = field.repr(item) if callable(field.repr) else _written(item)
        shown.append(text if field.default is attrs.NOTHING else f"{name}={text}")
    return f"{cls.__name__}({', '.join(shown)})"


def _written(item: Any) -> str:
    return repr(item.value if isinstance(item, enum.StrEnum) else item)
