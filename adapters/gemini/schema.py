"""JSON Schema in Gemini's dialect: what it is told the same way, what is said in other words, and what it can't say.

`const` becomes an `enum`, references are inlined, an `allOf` of one is that one. A keyword that Gemini ignores is
refused where the schema is to be kept to, since an answer may break it; elsewhere it is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ...domain.capability import Unsupported
from ...domain.frozen import thaw
from ..http.http_errors import Unwritable

# ai.google.dev/gemini-api/docs/structured-output and ai.google.dev/api/generate-content, responseJsonSchema
_KEPT: Final = frozenset(
    {
        "additionalProperties", "anyOf", "description", "format", "items", "maxItems", "maximum", "minItems",
        "minimum", "oneOf", "prefixItems", "properties", "propertyOrdering", "required", "title", "type",
    }
)  # fmt: skip
_NOTES: Final = frozenset(
    {
        "$anchor", "$comment", "$defs", "$id", "$schema", "default", "definitions", "deprecated", "example", "examples",
        "readOnly", "writeOnly",
    }
)  # fmt: skip
"""What rules nothing out."""

_TYPES: Final[Mapping[type, str]] = MappingProxyType({str: "string", int: "integer", float: "number"})
_SCHEMAS: Final = ("additionalProperties", "items")  # true and false stand there as they are
_LISTS: Final = ("anyOf", "oneOf", "prefixItems")


def dialect(schema: Mapping[str, Any], where: str, *, strict: bool) -> dict[str, Any]:
    """The schema as Gemini takes it. Raises `Unsupported`, naming the place, for what it can't say.

    Where it isn't `strict`, what Gemini would ignore is left out.

    >>> dialect({"anyOf": [{"const": "yes"}, {"type": "null"}]}, "schema", strict=True)
    {'anyOf': [{'enum': ['yes'], 'type': 'string'}, {'type': 'null'}]}
    """
    whole = thaw(schema)
    try:
        return _Writer(whole, strict).written(whole, where, ())
    except (AttributeError, TypeError):  # a list where an object should be, or the other way round
        raise Unwritable(f"{where}: this is no JSON schema") from None


class _Writer:
    """Writes the parts of one schema."""

    def __init__(self, whole: Mapping[str, Any], strict: bool) -> None:
        self._whole, self._strict = whole, strict

    def written(self, schema: Any, where: str, within: tuple[str, ...]) -> dict[str, Any]:
        """One schema; `within` are the references that it stands in."""
        if schema is True:
            return {}
        if schema is False:
            self._refuse(f"{where}: Gemini has no schema that admits nothing")
            return {}
        if "$ref" in schema:
            return self._inlined(schema, where, within)
        written: dict[str, Any] = {}
        for name, value in schema.items():
            place = f"{where}.{name}"
            if name == "properties":
                written[name] = {key: self.written(each, f"{place}.{key}", within) for key, each in value.items()}
            elif name in _SCHEMAS and value not in (True, False):
                written[name] = self.written(value, place, within)
            elif name in _LISTS:
                written[name] = [self.written(each, f"{place}[{at}]", within) for at, each in enumerate(value)]
            elif name in ("const", "enum"):
                written = {**self._one_of([value] if name == "const" else value, place), **written}
            elif name == "allOf" and len(value) == 1:
                written = self._both(written, self.written(value[0], f"{place}[0]", within), place)
            elif name in _KEPT:
                written[name] = value
            elif name not in _NOTES:
                self._refuse(f"{place}: Gemini has no {name!r}")
        return written

    def _one_of(self, values: list[Any], where: str) -> dict[str, Any]:
        """The values that are admitted: an `enum` of Gemini's holds words and numbers."""
        if values == [None]:
            return {"type": "null"}
        kinds = {_TYPES.get(type(value)) for value in values}
        if None in kinds:
            self._refuse(f"{where}: an enum of Gemini's holds words and numbers")
            return {}
        return {"enum": values, **({"type": kinds.pop()} if len(kinds) == 1 else {})}

    def _inlined(self, schema: Mapping[str, Any], where: str, within: tuple[str, ...]) -> dict[str, Any]:
        reference = schema["$ref"]
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        own = self.written(beside, where, within)
        if reference in within:
            self._refuse(f"{where}: {reference} holds itself")
            return own
        target: Any = self._whole
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, Mapping) else None
        if target is None or not reference.startswith("#"):
            raise Unsupported(f"{where}: {reference!r} is nowhere in the schema")
        return self._both(self.written(target, where, (*within, reference)), own, where)

    def _both(self, one: dict[str, Any], other: dict[str, Any], where: str) -> dict[str, Any]:
        """What keeps to the two at once; where they name one keyword, only notes may differ."""
        for name in one.keys() & other.keys() - {"title", "description"}:
            if one[name] != other[name]:
                self._refuse(f"{where}: it says {name!r} twice, and Gemini has no 'allOf'")
        return {**one, **other}

    def _refuse(self, problem: str) -> None:
        if self._strict:
            raise Unsupported(f"{problem}; JsonSchema(..., strict=False) leaves it out, and with_check(...) checks it")
