"""What models of every family are told, checked where it is told: the error names the adapter and the fix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from attrs import Converter

from ..domain.capability import Capabilities
from ..domain.frozen import FrozenDict
from ..domain.options.option import canonical
from ..domain.reading.preparation import as_role_conversions


def check_kind(where: str, name: str, value: object, kind: type, words: str) -> None:
    """Raises TypeError for an argument that is neither of this kind nor None."""
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{where}: {name} is {words}, not {value!r}")


def read_by(read: Callable[[Any, Any], Any], **how: Any) -> Any:
    """A field that this function reads, given the value and the model; to type checkers, simply of its type."""
    return attrs.field(converter=Converter(read, takes_self=True), **how)


def capabilities_of(declared: Capabilities | None, model: Any) -> Capabilities:
    """What it can; where nobody declares it, what the model assumes of itself."""
    check_kind(type(model).__name__, "capabilities", declared, Capabilities, "Capabilities(...)")
    capabilities: Capabilities = model._assumed() if declared is None else declared
    return capabilities


def options_of(options: Mapping[str, Any], model: Any) -> FrozenDict:
    """The options of every call."""
    cls = type(model)
    return canonical(options, cls.__name__, known=cls.known, takes=cls)


def role_conversions_of(conversions: Mapping[str, str] | None, model: Any) -> FrozenDict:
    """Which role to send for which."""
    return as_role_conversions(conversions, type(model).__name__)


def flatten_of(flatten: Any, model: Any) -> bool:
    """Whether the content of each message becomes one text."""
    check_kind(type(model).__name__, "flatten_messages_as_text", flatten, bool, "True or False")
    return bool(flatten)
