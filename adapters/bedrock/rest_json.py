"""Converse's arguments as HTTP carries them: a path and a JSON body, as botocore's serializer writes them.

Pure. Bytes become base64, and the model's id goes into the path.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..chat.json import parse
from ..http.http_errors import Unwritable


def written(arguments: Mapping[str, Any], *, stream: bool) -> tuple[str, bytes]:
    """The path and the body. Raises `Unwritable`, a ValueError, for what JSON can't hold."""
    import orjson

    body = {name: value for name, value in arguments.items() if name != "modelId"}
    path = f"/model/{quote(arguments['modelId'], safe='')}/{'converse-stream' if stream else 'converse'}"
    try:
        return path, orjson.dumps(body, default=_base64)
    except TypeError:
        pass  # such as a number of more than 64 bits, or a name that is a number
    try:
        return path, json.dumps(body, default=_base64, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise Unwritable(f"the options or tools can't be written as JSON: {error}") from None


def _base64(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def parsed(data: bytes) -> Any:
    """The value that an answer or an event holds. Raises ValueError."""
    return parse(data, whole=True)
