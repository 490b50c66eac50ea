"""What a call costs: dollars for a million tokens, by what they are."""

from __future__ import annotations

import math
from typing import Any

import attrs

from .usage import Usage


def _legal(price: Price, field: attrs.Attribute[Any], value: object) -> None:
    if value is None and field.default is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{field.name} must be dollars for a million tokens, at least 0, not {value!r}")


@attrs.frozen
class Price:
    """Dollars for a million tokens, read and written; tokens of a prompt cache cost what `input` does unless said.

    >>> Price(2.5, 10.0, cached=1.25).of(Usage(input_tokens=1_000_000, output_tokens=100_000, cached_tokens=400_000))
    3.0
    """

    input: float = attrs.field(validator=_legal)
    output: float = attrs.field(validator=_legal)
    cached: float | None = attrs.field(default=None, validator=_legal)
    cache_write: float | None = attrs.field(default=None, validator=_legal)

    def of(self, usage: Usage) -> float:
        """The dollars that this usage costs."""
        cost = usage.input_tokens * self.input + usage.output_tokens * self.output
        if usage.cached_tokens and self.cached is not None:
            cost += usage.cached_tokens * (self.cached - self.input)
        if usage.cache_write_tokens and self.cache_write is not None:
            cost += usage.cache_write_tokens * (self.cache_write - self.input)
        return cost / 1_000_000
