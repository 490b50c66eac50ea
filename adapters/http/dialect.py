"""A request whose schemas are said in its provider's dialect of JSON Schema, before anything is sent."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final

import attrs
from returns.result import Result

from ...domain.capability import Unsupported
from ...domain.frozen import FrozenDict
from ...domain.request import Request
from ...domain.response_format import JsonSchema
from ...domain.schemas.refusal import Refusal
from ...domain.schemas.rewriting import Dialect, rewritten
from .http_errors import Unwritable

_UNENFORCED: Final = "send it unenforced with strict=False, and check what comes: with_check(schema)"


def in_dialect(request: Request, dialect: Dialect) -> Request:
    """The request with its response format, and the input of its strict tools, in this dialect.

    Raises `Unsupported` for what the dialect can't say, with its place. A format with `strict=False` goes without what
    an answer can be checked for afterwards, or as it is to a provider that takes it so.
    """
    form = request.response_format
    if isinstance(form, JsonSchema) and (form.strict or not dialect.lenient):
        schema = _said(form.schema, dialect, "response_format", loosely=not form.strict)
        request = attrs.evolve(request, response_format=attrs.evolve(form, schema=schema))
    if any(tool.strict for tool in request.tools):
        tools = [
            attrs.evolve(tool, parameters=_said(tool.parameters, dialect, f"tools[{at}].parameters"))
            if tool.strict
            else tool
            for at, tool in enumerate(request.tools)
        ]
        request = attrs.evolve(request, tools=tools)
    return request


def _said(schema: FrozenDict, dialect: Dialect, where: str, *, loosely: bool = False) -> FrozenDict:
    try:
        text = json.dumps(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unwritable(f"{where}: the schema can't be written as JSON: {error}") from None
    try:
        said = _remembered(text, dialect, loosely)
    except (AttributeError, TypeError):  # a number where a list should be, or an object where a name should
        raise Unwritable(f"{where}: this is no JSON schema") from None
    if isinstance(refusal := said.swap().value_or(None), Refusal):
        raise Unsupported(f"{where}: {refusal}; {_UNENFORCED}")
    return said.unwrap()


@lru_cache(maxsize=256)
def _remembered(text: str, dialect: Dialect, loosely: bool) -> Result[FrozenDict, Refusal]:
    # by its text: to Python, a schema of 1 is equal to one of true
    return rewritten(json.loads(text), dialect, loosely=loosely)
