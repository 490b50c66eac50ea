"""A response or an error as plain JSON values, for a terminal or a pipe."""

from __future__ import annotations

import base64
import enum
from collections.abc import Mapping
from typing import Any

import attrs

from ..domain.error import ModelError
from ..domain.response import Response


def as_json(value: Response | ModelError) -> dict[str, Any]:
    """All of it except `raw`, fields by name, with the text once more as `content`.

    >>> as_json(Response.of("Hello!"))["content"]
    'Hello!'
    """
    fields: dict[str, Any] = _plain(value)
    return {"content": value.content, **fields} if isinstance(value, Response) else fields


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if attrs.has(type(value)):
        fields = {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
        fields.pop("raw", None)
        kind = _PARTS.get(type(value).__name__)
        return {"type": kind, **fields} if kind else fields
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


_PARTS = {
    "Text": "text",
    "Image": "image",
    "Audio": "audio",
    "Document": "document",
    "Reasoning": "reasoning",
    "ToolCall": "tool_call",
    "ToolResult": "tool_result",
}
