"""The schema of `--schema`: JSON, a file of JSON, or fields by name as in "name, age int, bio: one sentence"."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

_TYPES: Final = {
    "str": "string",
    "string": "string",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "bool": "boolean",
    "boolean": "boolean",
}
_FIELD: Final = re.compile(r"(?P<name>\w+)(?:\s+(?P<type>\w+))?\s*(?::\s*(?P<description>.+))?")


def read_schema(text: str) -> dict[str, Any]:
    """The JSON schema. Raises ValueError, with the place, for what is none.

    >>> read_schema("name, age int: in years")["properties"]
    {'name': {'type': 'string'}, 'age': {'type': 'integer', 'description': 'in years'}}
    """
    if text.lstrip().startswith("{"):
        return _json(text, "--schema")
    if text.endswith(".json") or _is_file(text):
        try:
            return _json(Path(text).read_text("utf-8"), f"--schema {text}")
        except OSError as error:
            raise ValueError(f"--schema {text}: {error.strerror or error}") from error
    return _fields(text)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # many fields are longer than a file's name may be
        return False


def _json(text: str, where: str) -> dict[str, Any]:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: it is no JSON: {error}") from error
    if not isinstance(schema, dict):
        raise ValueError(f"{where}: a schema is a JSON object, not {schema!r}")
    return schema


def _fields(text: str) -> dict[str, Any]:
    """Fields are parted by lines or, on one line, by commas; each is `name type: description`, or less."""
    properties: dict[str, Any] = {}
    for field in text.split("\n" if "\n" in text.strip() else ","):
        if not field.strip():
            continue
        found = _FIELD.fullmatch(field.strip())
        if found is None:
            raise ValueError(f"--schema: {field.strip()!r} isn't a field; write name, name int, or name: what it is")
        kind = found["type"] or "str"
        if kind not in _TYPES:
            raise ValueError(f"--schema: {found['name']}: there is no type {kind!r}; use str, int, float or bool")
        properties[found["name"]] = {"type": _TYPES[kind]}
        if found["description"]:
            properties[found["name"]]["description"] = found["description"].strip()
    if not properties:
        raise ValueError("--schema: there are no fields in it")
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
