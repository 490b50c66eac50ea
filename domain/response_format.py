"""The form that an answer must have: free text, JSON, or what a schema, a pattern or a grammar admits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

import attrs

from .frozen import FrozenDict, freeze_mapping


@attrs.frozen
class Free:
    """Any text."""


@attrs.frozen
class JsonObject:
    """Some JSON object."""


def _schema(schema: Mapping[str, Any]) -> FrozenDict:
    if not isinstance(schema, Mapping):
        raise TypeError(f"JsonSchema takes a JSON schema as a dict, not {schema!r}")
    return freeze_mapping(schema)


def _text(form: Any, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{type(form).__name__} takes its {field.name} as text, not {value!r}")


@attrs.frozen
class JsonSchema:
    """A JSON value that the schema admits; `strict` asks the provider to guarantee it."""

    schema: FrozenDict = attrs.field(converter=_schema)
    name: str = attrs.field(default="response", validator=_text)
    description: str | None = None
    strict: bool = True


@attrs.frozen
class Regex:
    """Text that the pattern matches as a whole."""

    pattern: str = attrs.field(validator=_text)


@attrs.frozen
class Grammar:
    """Text of a formal grammar; `syntax` is `lark`, `gbnf` or `ebnf`."""

    definition: str = attrs.field(validator=_text)
    syntax: str = attrs.field(default="lark", validator=attrs.validators.in_(("lark", "gbnf", "ebnf")))


ResponseFormat = Free | JsonObject | JsonSchema | Regex | Grammar


def as_response_format(
    value: ResponseFormat | Mapping[str, Any] | None, where: str = "response_format"
) -> ResponseFormat:
    """What people pass as `response_format`: one of ours, nothing, the chat-completions wire's dict, or TGI's grammar.

    >>> as_response_format({"type": "regex", "value": "[0-9]+"})
    Regex(pattern='[0-9]+')
    """
    match value:
        case None:
            return Free()
        case Free() | JsonObject() | JsonSchema() | Regex() | Grammar():
            return value
        case {"type": "text"}:
            return Free()
        case {"type": "json_object"}:
            return JsonObject()
        case {"type": "json_schema", "json_schema": {"schema": _} as fields}:
            strict = bool(fields.get("strict", False))
            return JsonSchema(fields["schema"], fields.get("name") or "response", fields.get("description"), strict)
        case {"type": "json", "value": Mapping() as schema}:
            return JsonSchema(schema)
        case {"type": "regex", "value": str(pattern)}:
            return Regex(pattern)
    raise ValueError(f"{where}: can't read {value!r}; use JsonObject(), JsonSchema(...), Regex(...) or Grammar(...)")


def feature(value: ResponseFormat) -> str | None:
    """The name of the capability that this form asks of a model; free text asks none."""
    match value:
        case Free():
            return None
        case JsonObject():
            return "json_object"
        case JsonSchema():
            return "json_schema"
        case Regex():
            return "regex"
        case Grammar():
            return "grammar"
        case _:
            assert_never(value)
