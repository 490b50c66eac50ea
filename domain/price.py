"""What a call costs: dollars for a million tokens, by what they are."""

from __future__ import annotations

import math

import attrs

from .checks import Number
from .usage import Usage

_DOLLARS = Number("must be dollars for a million tokens, at least 0", least=0, below=math.inf)
_IF_SAID = attrs.validators.optional(_DOLLARS)


@attrs.frozen
class Price:
    """Dollars for a million tokens, read and written; tokens of a prompt cache cost what `input` does unless said.

    >>> Price(2.5, 10.0, cached=1.25).of(Usage(input_tokens=1_000_000, output_tokens=100_000, cached_tokens=400_000))
    3.0
    """

    input: float = attrs.field(validator=_DOLLARS)
    output: float = attrs.field(validator=_DOLLARS)
    cached: float | None = attrs.field(default=None, validator=_IF_SAID)
    cache_write: float | None = attrs.field(default=None, validator=_IF_SAID)

    def of(self, usage: Usage) -> float:
        """The dollars that this usage costs."""
        cost = usage.input_tokens * self.input + usage.output_tokens * self.output
        if usage.cached_tokens and self.cached is not None:
            cost += usage.cached_tokens * (self.cached - self.input)
        if usage.cache_write_tokens and self.cache_write is not None:
            cost += usage.cache_write_tokens * (self.cache_write - self.input)
        return cost / 1_000_000
