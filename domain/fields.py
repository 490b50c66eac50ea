"""The fields of values: what each is where nobody says, and which of a value's are something else."""

from __future__ import annotations

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
