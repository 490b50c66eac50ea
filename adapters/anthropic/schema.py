"""A JSON schema as the Messages API takes one that it is to enforce, for an answer or for the input of a strict tool.

Every object is closed there. What the API can't enforce is refused, with its place; where nobody asked for a guarantee
(`strict=False`), it is told to the model in the description instead, as Anthropic's own SDK does.
platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...domain.capability import Unsupported
from ...domain.frozen import thaw
from ...domain.message import as_json
from ...domain.options.option_names import names

_TAKEN: Final = names("$ref const default description enum required title type")
_FORMATS: Final = names("date date-time duration email hostname ipv4 ipv6 time uri uuid")
_BY_NAME: Final = names("$defs definitions properties")  # which have schemas by name
_SEVERAL: Final = names("allOf anyOf oneOf")  # which have a list of schemas
_IGNORED: Final = names("$comment $id $schema deprecated examples readOnly writeOnly")  # which hold nothing to anything


def enforced(schema: Mapping[str, Any], where: str, *, strict: bool = True) -> dict[str, Any]:
    """The schema in this dialect. Raises `Unsupported`, naming the place, for what can't be enforced.

    >>> enforced({"type": "integer", "minimum": 1}, "schema", strict=False)
    {'type': 'integer', 'description': '{minimum: 1}'}
    """
    out: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for name, value in schema.items():
        place = f"{where}.{name}"
        if name in _BY_NAME and isinstance(value, Mapping):
            out[name] = {key: _inner(each, strict, f"{place}.{key}") for key, each in value.items()}
        elif name in _SEVERAL and isinstance(value, (list, tuple)):
            if name == "oneOf" and strict:
                raise _unheld(place, "use anyOf")
            out["anyOf" if name == "oneOf" else name] = [
                _inner(each, strict, f"{place}[{at}]") for at, each in enumerate(value)
            ]
        elif name == "items":
            out[name] = _inner(value, strict, place)
        elif name == "additionalProperties":
            if isinstance(value, Mapping):  # closed, it would have none of its properties
                raise Unsupported(f"{place}: the Messages API enforces no such thing; name each property")
        elif name in _TAKEN or (name == "format" and value in _FORMATS) or (name == "minItems" and value in (0, 1)):
            out[name] = thaw(value)
        elif name not in _IGNORED:
            if strict:
                raise _unheld(place, "leave it out")
            told[name] = thaw(value)
    if out.get("type") == "object" or "properties" in out:
        out["additionalProperties"] = False
    if told:
        words = "{" + ", ".join(f"{name}: {as_json(value)}" for name, value in told.items()) + "}"
        out["description"] = f"{out['description']}\n\n{words}" if out.get("description") else words
    return out


def _inner(schema: Any, strict: bool, where: str) -> Any:
    return enforced(schema, where, strict=strict) if isinstance(schema, Mapping) else thaw(schema)


def _unheld(where: str, instead: str) -> Unsupported:
    return Unsupported(
        f"{where}: the Messages API enforces no such thing; {instead}, or say strict=False and check what comes: "
        "with_check(...)"
    )
