"""Options as they are typed, `-o top_p 0.9`: a value is read as JSON where it is JSON, and is else text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from ....domain.secrecy import is_secret

_OWN: Final = {
    "base_url": "--base-url",
    "api_base": "--base-url",
    "url": "--base-url",
    "model": "--model",
    "prompt": "the prompt",
    "response_format": "--schema",
    "schema": "--schema",
    "stop": "--stop",
    "stop_sequences": "--stop",
    "system": "--system",
    "tools": "--tools",
}
"""What has an option of the command line's own."""


def read_options(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The options by name. Raises ValueError for a name that is there twice, or that isn't an option.

    >>> read_options([("top_p", "0.9"), ("user", "ada"), ("logit_bias", '{"50256": -100}')])
    {'top_p': 0.9, 'user': 'ada', 'logit_bias': {'50256': -100}}
    """
    options: dict[str, Any] = {}
    for name, text in pairs:
        if is_secret(name):
            raise ValueError(f"-o {name}: a key comes from its variable or from modelport keys, never as an argument")
        if name in _OWN:
            raise ValueError(f"-o {name}: that isn't an option of the model; use {_OWN[name]}")
        if name in options:
            raise ValueError(f"-o {name}: it is there twice; keep one")
        options[name] = _value(text)
    return options


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
