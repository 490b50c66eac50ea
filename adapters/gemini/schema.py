"""JSON schemas as Gemini takes them: those that an answer is held to, and those that a model is merely told."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from returns.result import Failure, Result

from ...domain.capability import Unsupported
from ...domain.frozen import FrozenDict
from ...domain.schemas.dialects import Refusal, gemini
from ..http.http_errors import Unwritable


def enforced(schema: Mapping[str, Any], where: str, *, strict: bool) -> Mapping[str, Any]:
    """The schema in Gemini's dialect. Raises `Unsupported`, with its place, for what the dialect can't say.

    Where it isn't `strict`, it goes without what an answer can be checked for afterwards.
    """
    said = _in_dialect(schema, where, loosely=not strict)
    if isinstance(said, Failure):
        raise Unsupported(
            f"{where}: {said.failure()}; send it unenforced with strict=False, and check what comes: with_check(schema)"
        )
    return said.unwrap()


def told(schema: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The schema in Gemini's dialect, or as it is where it can't be: a model reads it, and is held to nothing."""
    return _in_dialect(schema, where, loosely=True).value_or(schema)


def _in_dialect(schema: Mapping[str, Any], where: str, *, loosely: bool) -> Result[FrozenDict, Refusal]:
    import orjson

    try:
        return _remembered(orjson.dumps(schema), loosely)
    except (AttributeError, TypeError):  # a list where an object should be, or what JSON can't hold
        raise Unwritable(f"{where}: this is no JSON schema") from None


@lru_cache(maxsize=256)
def _remembered(text: bytes, loosely: bool) -> Result[FrozenDict, Refusal]:
    # by its text: to Python, a schema of 1 is equal to one of true
    import orjson

    return gemini(orjson.loads(text), loosely=loosely)
