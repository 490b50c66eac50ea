"""A blocking call in progress, and the connection that it uses, so that another thread can hang up.

boto3 blocks a thread until the answer is there. Its connections are watched (`sdk`): each knows the call that
uses it, and a call that nobody waits for any more is ended by shutting the socket down, which wakes the thread.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Self

_here = threading.local()


class HungUp(Exception):
    """Nobody waits for this call any more."""


class LiveCall:
    """One call, from its begin to its end. `timeout` is for this call alone; `headers` are its answer's."""

    __slots__ = ("asked", "connection", "headers", "hung_up", "over", "timeout")

    def __init__(self, timeout: Any = ...) -> None:
        self.timeout = timeout  # ...: as the client has it
        self.headers: Mapping[str, str] = {}
        self.connection: Any = None
        self.asked = False  # the request is out
        self.hung_up = False
        self.over = False

    def __enter__(self) -> Self:
        _here.call = self
        return self

    def __exit__(self, *_: object) -> None:
        _here.call = None
        self.over = True

    def hang_up(self) -> None:
        """End the call, from any thread: at once where it waits, else before it sends."""
        self.hung_up = True
        if self.connection is not None and not self.over:
            self.connection.hang_up(self)


def current() -> LiveCall | None:
    """The call that this thread makes."""
    call: LiveCall | None = getattr(_here, "call", None)
    return call
