"""A tool's call as wires want it: an id of few characters, and arguments that are an object, or the text of one."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, NoReturn

from ...domain.message import as_json


def call_id(id_: str, admitted: re.Pattern[str]) -> str:
    """The id of a call as the provider admits it: other makers' (Gemini's thoughts, say) may be longer."""
    return id_ if admitted.fullmatch(id_) else hashlib.sha256(id_.encode(errors="surrogatepass")).hexdigest()


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _not_json(number)


def _object(arguments: str) -> dict[str, Any] | None:
    try:
        value = json.loads(arguments or "{}", parse_constant=_not_json, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def call_input(arguments: str) -> dict[str, Any]:
    """The arguments as the object that this wire wants; what isn't one (broken off, or wrong) is shown as it stands."""
    value = _object(arguments)
    return {"arguments": arguments} if value is None else value


def call_text(arguments: str) -> str:
    """The same as JSON text: an object's is as the model wrote it.

    >>> call_text('{"city":  "Seoul"}'), call_text("Seoul")
    ('{"city":  "Seoul"}', '{"arguments":"Seoul"}')
    """
    return as_json({"arguments": arguments}) if _object(arguments) is None else arguments or "{}"
