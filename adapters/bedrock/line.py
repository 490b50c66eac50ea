"""A call's line to the provider: the connection that a blocking call uses, held so that another thread can hang up.

boto3 blocks a thread until the answer is there. Its connections are watched (`bedrock_sdk`): each knows the call that
uses it, and a call that nobody waits for any more is ended by shutting the socket down, which wakes the thread.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Self

_here = threading.local()


class HungUp(Exception):
    """Nobody waits for this call any more."""


class Line:
    """One call's, from its begin to its end. `timeout` is for this call alone; `headers` are its answer's."""

    __slots__ = ("asked", "connection", "headers", "hung_up", "over", "timeout")

    def __init__(self, timeout: Any = ...) -> None:
        self.timeout = timeout  # ...: as the client has it
        self.headers: Mapping[str, str] = {}
        self.connection: Any = None
        self.asked = False  # the request is out
        self.hung_up = False
        self.over = False

    def __enter__(self) -> Self:
        _here.line = self
        return self

    def __exit__(self, *_: object) -> None:
        _here.line = None
        self.over = True

    def hang_up(self) -> None:
        """End the call, from any thread: at once where it waits, else before it sends."""
        self.hung_up = True
        if self.connection is not None and not self.over:
            self.connection.hang_up(self)


def current() -> Line | None:
    """The line of the call that this thread makes."""
    line: Line | None = getattr(_here, "line", None)
    return line
