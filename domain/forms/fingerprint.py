"""What a request is, in one line: equal requests have equal fingerprints, in any process and on any day.

It is the SHA-256 of a canonical JSON in which mappings are sorted, bytes stand as their own hash, fields at their
defaults are left out (so that a new field doesn't change old fingerprints) and secrets among the options are left out
at any depth. All else counts, metadata too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import Any, Final, NoReturn

import attrs

from ..fields import changed
from ..request import Request
from ..secrecy import without_secrets
from .form import Form

VERSION: Final = "v1"

_DOMAIN: Final = Request.__module__.rpartition(".")[0]


def fingerprint(request: Request) -> str:
    """The version and the hash: `v1:` and 64 hex digits.

    Raises ValueError, naming the option, for a value that has no canonical form, such as a function.
    """
    fields = {name: _CANONICAL.write(value, name) for name, value in changed(request).items() if name != "options"}
    fields["options"] = _CANONICAL.write(without_secrets(request.options), "options")
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{VERSION}:{sha256(text.encode()).hexdigest()}"


class _Canonical(Form):
    """Tells apart all that differs: what isn't a plain scalar is a list that says what it is."""

    def omit(self, _: object, where: str) -> Any:
        return ["omit"]

    def number(self, number: float, where: str) -> Any:
        if not math.isfinite(number):
            self.refuse(number, where)
        return int(number) if number.is_integer() else float(number)

    def data(self, data: bytes | bytearray | memoryview, where: str) -> Any:
        return ["bytes", sha256(data).hexdigest()]

    def named(self, items: dict[Any, Any], where: str) -> Any:
        return ["map", *sorted(([_name(name, where), item] for name, item in items.items()), key=json.dumps)]

    def sequence(self, sequence: Sequence[Any], where: str) -> Any:
        return ["list", *super().sequence(sequence, where)]

    def collection(self, collection: Collection[Any], where: str) -> Any:
        return ["set", *sorted((self.write(item, where) for item in collection), key=json.dumps)]

    def other(self, value: Any, where: str) -> Any:
        cls = type(value)
        if not (cls.__module__.startswith(_DOMAIN) and attrs.has(cls)):
            self.refuse(value, where)
        return [cls.__name__, {name: self.write(item, f"{where}.{name}") for name, item in changed(value).items()}]

    def refuse(self, value: object, where: str) -> NoReturn:
        raise ValueError(f"{where}: {value!r} has no canonical form, so this request has no fingerprint")


_CANONICAL: Final = _Canonical()


def _name(name: object, where: str) -> str:
    if isinstance(name, bool) or not isinstance(name, (str, int)):
        raise ValueError(f"{where}: {name!r} is no name that JSON has, so this request has no fingerprint")
    return str(name)
