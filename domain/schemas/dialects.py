"""The dialects of JSON Schema: what each provider's structured output can say, as values, with the page that says so.

Local runtimes have none here: llguidance says itself, before anything is generated, what it can't follow.
"""

from __future__ import annotations

from typing import Final

from returns.result import Result

from ..frozen import FrozenDict
from .refusal import Refusal
from .rewriting import Dialect, rewritten
from .words import OF_TYPE, Schema

__all__ = [
    "ANTHROPIC",
    "BEDROCK",
    "GEMINI",
    "OPENAI",
    "Refusal",
    "anthropic_output",
    "bedrock",
    "gemini",
    "openai_strict",
]

_NUMBERS: Final = OF_TYPE["number"]
_LOOSE: Final = frozenset(
    (
        *_NUMBERS,
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "propertyNames",
        "contains",
        "minContains",
        "maxContains",
        "dependentRequired",
    )
)
"""What narrows an answer, and isn't needed to make one."""

_FORMATS: Final = frozenset(["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"])

OPENAI: Final = Dialect(
    title="OpenAI's strict mode",
    page="https://platform.openai.com/docs/guides/structured-outputs#supported-schemas",
    keywords=_NUMBERS | {"pattern", "format", "minLength", "maxLength", "minItems", "maxItems"},
    loose=_LOOSE,
    all_required=True,
    object_at_root=True,
    recursive=True,
    types_together=True,
    formats=_FORMATS,
    lenient=True,
    most_properties=5000,
    most_depth=10,
    most_values=1000,
)

ANTHROPIC: Final = Dialect(
    title="Anthropic's output format",
    page="https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations",
    keywords=frozenset(("pattern", "format", "minItems")),
    loose=_LOOSE,
    formats=_FORMATS | {"uri"},
    most_min_items=1,
    looks_around=False,
)

BEDROCK: Final = Dialect(
    title="Bedrock's structured output",
    page="https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html",
    keywords=frozenset(("pattern", "format", "minItems")),
    loose=_LOOSE,
    formats=_FORMATS | {"uri"},
    most_min_items=1,
    looks_around=False,
)

GEMINI: Final = Dialect(
    title="Gemini's responseJsonSchema",
    page="https://ai.google.dev/api/generate-content#generationconfig",
    keywords=frozenset(("format", "prefixItems", "minItems", "maxItems", "minimum", "maximum")),
    loose=_LOOSE,
    closed=False,
    const=False,
    enum_of=frozenset(("string", "integer", "number")),
    any_items=True,
)


def openai_strict(schema: Schema, *, loosely: bool = False) -> Result[FrozenDict, Refusal]:
    """The schema as OpenAI's strict mode takes it, or what it can't say.

    `loosely` leaves out what an answer can be checked for instead, such as `uniqueItems`.

    >>> openai_strict({"type": "object", "properties": {"at": {"type": "string"}}}).failure().place
    'properties.at'
    """
    return rewritten(schema, OPENAI, loosely=loosely)


def anthropic_output(schema: Schema, *, loosely: bool = False) -> Result[FrozenDict, Refusal]:
    """The schema as Anthropic's output format takes it, or what it can't say; `loosely` as in `openai_strict`.

    >>> anthropic_output({"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "null"}}}).unwrap()
    {'type': 'array', 'items': {'type': 'null'}}
    """
    return rewritten(schema, ANTHROPIC, loosely=loosely)


def gemini(schema: Schema, *, loosely: bool = False) -> Result[FrozenDict, Refusal]:
    """The schema as Gemini's `responseJsonSchema` takes it, or what it can't say; `loosely` as in `openai_strict`.

    >>> gemini({"const": "yes"}).unwrap()
    {'type': 'string', 'enum': ('yes',)}
    """
    return rewritten(schema, GEMINI, loosely=loosely)


def bedrock(schema: Schema, *, loosely: bool = False) -> Result[FrozenDict, Refusal]:
    """The schema as Bedrock's Converse takes it, or what it can't say; `loosely` as in `openai_strict`.

    >>> str(bedrock({"type": "integer", "minimum": 1}).failure()).partition(" (")[0]
    "minimum: it is no part of the dialect; Bedrock's structured output has no word for it"
    """
    return rewritten(schema, BEDROCK, loosely=loosely)
