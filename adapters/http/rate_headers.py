"""The rate-limit headers of an answer, passed on by an adapter to whoever paces the call.

A policy listens while its call is made, or its stream opened; an adapter says what it heard. Nobody has to listen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ...domain.machines.allowance import Allowance, allowance

Listener = Callable[[Allowance], None]

_listener: ContextVar[Listener | None] = ContextVar("modelport_rate_headers", default=None)


def heard(headers: Mapping[str, str]) -> None:
    """Tell whoever paces this call what the headers of its answer say, be it an answer or an error."""
    listener = _listener.get()
    if listener is not None:
        left = allowance(headers) or allowance(_of_anthropic(headers))
        if left is not None:
            listener(left)


_MEMBERS: Final = tuple((what, member) for what in ("requests", "tokens") for member in ("limit", "remaining", "reset"))


def _of_anthropic(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Anthropic's headers under the names of others, with seconds where it has a point in time.

    platform.claude.com/docs/en/api/rate-limits#response-headers
    """
    named = {}
    for what, member in _MEMBERS:
        value = headers.get(f"anthropic-ratelimit-{what}-{member}")
        if value is not None:
            named[f"x-ratelimit-{member}-{what}"] = _until(value, headers) if member == "reset" else value
    return named


def _until(point: str, headers: Mapping[str, str]) -> str:
    """The seconds up to a point in time, as the answer's own clock has it; nothing, where it is none."""
    try:
        now = parsedate_to_datetime(headers["date"]).timestamp() if headers.get("date") else time.time()
        return f"{max(0.0, datetime.fromisoformat(point).timestamp() - now):.3f}"
    except (ValueError, OverflowError):
        return ""


class listening:
    """Has `listener` told of the headers of all calls that are made inside."""

    __slots__ = ("_before", "_listener")

    def __init__(self, listener: Listener) -> None:
        self._before, self._listener = _listener.get(), listener

    def __enter__(self) -> None:
        _listener.set(self._listener)

    def __exit__(self, *_: object) -> None:
        # Not by token: whoever closes an abandoned coroutine does so in a context of its own, where a token is refused.
        if _listener.get() is self._listener:
            _listener.set(self._before)
