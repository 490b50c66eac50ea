"""The rate-limit headers of an answer, passed on by an adapter to whoever paces the call.

A policy listens while its call is made, or its stream opened; an adapter says what it heard. Nobody has to listen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar

from ...domain.machines.allowance import Allowance, allowance

Listener = Callable[[Allowance], None]

_listener: ContextVar[Listener | None] = ContextVar("modelport_rate_headers", default=None)


def heard(headers: Mapping[str, str]) -> None:
    """Tell whoever paces this call what the headers of its answer say, be it an answer or an error."""
    listener = _listener.get()
    if listener is not None:
        left = allowance(headers)
        if left is not None:
            listener(left)


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
