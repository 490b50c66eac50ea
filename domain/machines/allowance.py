"""What a provider says it will still take, in the `x-ratelimit-*` headers of its answers.

For requests and for tokens they name a limit, what remains of it, and the time until all of it is there again. They
don't say for which period a limit counts, so no rate follows from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import attrs


@attrs.frozen
class Left:
    """What remains of `limit`; all of it is there again after `reset` seconds."""

    remaining: float
    limit: float | None = None
    reset: float | None = None

    @property
    def pause(self) -> float:
        """The seconds until one more is allowed, as what is missing comes back at an even rate."""
        if self.remaining >= 1 or self.reset is None:
            return 0.0
        return self.reset / max(1.0, self.limit - self.remaining) if self.limit else self.reset


@attrs.frozen
class Allowance:
    """What remains of requests and of tokens, where the provider says."""

    requests: Left | None = None
    tokens: Left | None = None


def allowance(headers: Mapping[str, str]) -> Allowance | None:
    """What these headers say; None where they say nothing.

    >>> allowance({"X-RateLimit-Remaining-Requests": "0", "X-RateLimit-Reset-Requests": "6m0.5s"}).requests
    Left(remaining=0.0, limit=None, reset=360.5)
    """
    limits = {name.lower(): value for name, value in headers.items() if name.lower().startswith("x-ratelimit-")}
    if not limits:
        return None
    requests, tokens = _left(limits, "requests"), _left(limits, "tokens")
    return Allowance(requests, tokens) if requests or tokens else None


def _left(limits: Mapping[str, str], what: str) -> Left | None:
    remaining = _number(limits.get(f"x-ratelimit-remaining-{what}"))
    if remaining is None:
        return None
    reset = _seconds(limits.get(f"x-ratelimit-reset-{what}"))
    return Left(remaining, _number(limits.get(f"x-ratelimit-limit-{what}")), reset)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_LONGEST = 31 * 86400.0
"""Seconds. Some gateways write a time since 1970 instead: it is far longer than a month."""

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")


def _seconds(text: str | None) -> float | None:
    """A duration as Go writes it (`6m0s`, `120ms`), or plain seconds; None for a point in time."""
    number = _number(text)
    if number is not None:
        return number if 0 <= number <= _LONGEST else None
    pieces = _PIECE.findall(text or "")
    if not pieces or "".join(map("".join, pieces)) != text:
        return None
    return sum(float(amount) * _UNITS[unit] for amount, unit in pieces)
