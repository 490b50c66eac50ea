"""What a `$ref` within a schema points to, and which of them come back to themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .refusal import CannotSay
from .words import Schema

_BY_NAME = ("properties", "patternProperties", "dependentSchemas", "$defs", "definitions")
_SET_ASIDE = ("$defs", "definitions")
_NO_SCHEMAS = ("enum", "const", "default", "examples")


def target(root: Schema, ref: object, place: str) -> Any:
    """The schema at this pointer. Raises `CannotSay` for one that leads out of the schema, or nowhere."""
    if not isinstance(ref, str) or not (ref == "#" or ref.startswith("#/")):
        raise CannotSay(place, f"$ref {ref!r} leads out of the schema")
    found: Any = root
    for written in ref.split("/")[1:]:
        step = written.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and step in found:
            found = found[step]
        elif isinstance(found, Sequence) and not isinstance(found, str) and step.isdecimal() and int(step) < len(found):
            found = found[int(step)]
        else:
            raise CannotSay(place, f"$ref {ref!r} leads nowhere")
    return found


def comes_back(root: Schema, ref: str) -> bool:
    """Whether what it points to points to itself again, by whatever way."""
    seen: set[str] = set()
    waiting = [ref]
    while waiting:
        try:
            found = target(root, waiting.pop(), "")
        except CannotSay:  # it is told where it stands
            continue
        for other in _refs(found):
            if other == ref:
                return True
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return False


def _refs(schema: Any) -> Iterator[str]:
    """The pointers that stand in it, but for those of what is only defined there."""
    if isinstance(schema, Mapping):
        ref = schema.get("$ref")
        if isinstance(ref, str) and ref.startswith("#"):
            yield ref
        for name, inner in schema.items():
            if name in _BY_NAME and name not in _SET_ASIDE and isinstance(inner, Mapping):
                for one in inner.values():
                    yield from _refs(one)
            elif name not in _NO_SCHEMAS and name not in _SET_ASIDE:
                yield from _refs(inner)
    elif isinstance(schema, (list, tuple)):
        for one in schema:
            yield from _refs(one)
