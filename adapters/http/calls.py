"""A tool's call as wires want it that aren't OpenAI's: an id of few characters, and the arguments as an object."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any, NoReturn


def call_id(id_: str, admitted: re.Pattern[str]) -> str:
    """The id of a call as the provider admits it: other makers' (Gemini's thoughts, say) may be longer."""
    return id_ if admitted.fullmatch(id_) else hashlib.sha256(id_.encode(errors="surrogatepass")).hexdigest()


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)


def _finite(number: str) -> float:
    value = float(number)
    return value if math.isfinite(value) else _not_json(number)


def call_input(arguments: str) -> dict[str, Any]:
    """The arguments as the object that this wire wants; what isn't one (broken off, or wrong) is shown as it stands."""
    try:
        value = json.loads(arguments or "{}", parse_constant=_not_json, parse_float=_finite)
    except (ValueError, RecursionError):
        value = arguments
    return value if isinstance(value, dict) else {"arguments": arguments}
