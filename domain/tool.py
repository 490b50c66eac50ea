"""A function that a model may ask to have called: its name, what it is for, and the JSON schema of its input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .frozen import FrozenDict, freeze_mapping

_NO_INPUT: Mapping[str, Any] = {"type": "object", "properties": {}}


@attrs.frozen
class Tool:
    """What a model is told of a function.

    `parameters` is a JSON schema of type `object`. Raises ValueError on an empty name.
    """

    name: str = attrs.field(validator=attrs.validators.min_len(1))
    description: str = ""
    parameters: FrozenDict = attrs.field(default=_NO_INPUT, converter=freeze_mapping)
    strict: bool | None = None
