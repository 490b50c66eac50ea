"""What a request is, in one line: equal requests have equal fingerprints, in any process and on any day.

It is the SHA-256 of a canonical JSON in which mappings are sorted, bytes stand as their own hash, fields at their
defaults are left out (so that a new field doesn't change old fingerprints) and secrets among the options are left out
at any depth. All else counts, metadata too.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Hashable, Mapping
from functools import cache
from hashlib import sha256
from typing import Any, Final

import attrs

from ..option import OMIT
from ..request import Request
from ..secrecy import without_secrets

VERSION: Final = "v1"

_DOMAIN: Final = Request.__module__.rpartition(".")[0]


def fingerprint(request: Request) -> str:
    """The version and the hash: `v1:` and 64 hex digits.

    Raises ValueError, naming the option, for a value that has no canonical form, such as a function.
    """
    fields = {name: _canonical(value, name) for name, value in _set_fields(request) if name != "options"}
    fields["options"] = _canonical(without_secrets(request.options), "options")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{VERSION}:{sha256(text.encode()).hexdigest()}"


@cache
def _fields(kind: Hashable) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (field.name, field.default.factory() if isinstance(field.default, attrs.Factory) else field.default)  # type: ignore[arg-type]
        for field in attrs.fields(kind)  # type: ignore[arg-type]
    )


def _set_fields(value: Any) -> list[tuple[str, Any]]:
    kind: Any = type(value)
    held = [(name, default, getattr(value, name)) for name, default in _fields(kind)]
    return [(name, item) for name, default, item in held if item != default]


def _canonical(value: Any, where: str) -> Any:
    """A JSON value that tells apart all that differs: what isn't a plain scalar is a list that says what it is."""
    if value is None or isinstance(value, (bool, int)) and not isinstance(value, enum.Enum):
        return value
    if value is OMIT:
        return ["omit"]
    if isinstance(value, enum.Enum):
        return _canonical(value.value, where)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return int(value) if value.is_integer() else float(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return ["bytes", sha256(value).hexdigest()]
    if isinstance(value, Mapping):
        return ["map", *sorted((_pair(name, item, where) for name, item in value.items()), key=json.dumps)]
    if isinstance(value, (list, tuple)):
        return ["list", *(_canonical(item, f"{where}[{at}]") for at, item in enumerate(value))]
    if isinstance(value, (set, frozenset)):
        return ["set", *sorted((_canonical(item, where) for item in value), key=json.dumps)]
    if type(value).__module__.startswith(_DOMAIN) and attrs.has(type(value)):
        fields = {name: _canonical(item, f"{where}.{name}") for name, item in _set_fields(value)}
        return [type(value).__name__, fields]
    raise ValueError(f"{where}: {value!r} has no canonical form, so this request has no fingerprint")


def _pair(name: object, item: Any, where: str) -> list[Any]:
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise ValueError(f"{where}: {name!r} is no name that JSON has, so this request has no fingerprint")
    return [str(name), _canonical(item, f"{where}[{name!r}]")]
