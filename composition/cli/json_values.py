"""A response or an error as plain JSON values, for a terminal or a pipe."""

from __future__ import annotations

from typing import Any

from ...domain.error import ModelError
from ...domain.forms.json_form import to_json
from ...domain.response import Response


def json_values(value: Response | ModelError) -> dict[str, Any]:
    """All of it except `raw`, fields by name, with the text once more as `content`.

    >>> json_values(Response.of("Hello!"))["content"]
    'Hello!'
    """
    fields = to_json(value, whole=True)
    return {"content": value.content, **fields} if isinstance(value, Response) else fields
