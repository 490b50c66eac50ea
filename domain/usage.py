"""What a call consumed, in tokens."""

from __future__ import annotations

import attrs

from .fields import short_repr


@attrs.frozen
class Usage:
    """Tokens read and written; they add up.

    `cached_tokens` (read from a prompt cache) and `cache_write_tokens` are part of `input_tokens`; `reasoning_tokens`
    are part of `output_tokens`.

    >>> (Usage(10, 5) + Usage(1, 2)).total_tokens
    18
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    __repr__ = short_repr

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )
