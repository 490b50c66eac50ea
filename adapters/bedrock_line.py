"""A call's line to the provider: the connection that a blocking call uses, held so that another thread can hang up.

boto3 blocks a thread until the answer is there. Its connections are watched: each knows the call that uses it, and a
call that nobody waits for any more is ended by shutting the socket down, which wakes the thread.
"""

from __future__ import annotations

import contextlib
import functools
import socket
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


class _Watched:
    """What a connection does besides: it knows its line."""

    # It is mixed into urllib3's connections; what they have isn't known to a type checker here, hence the exceptions.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guard = threading.Lock()
        self._line: Line | None = None
        self._shaking: socket.socket | None = None  # while hands are shaken: TLS takes the socket out of its object
        self._reading: Any = None  # its socket, which an answer takes along that closes the connection

    def _take(self) -> None:
        line = current()
        with self._guard:
            self._line = line
        if line is not None:
            line.connection = self
            if line.hung_up:
                self.close()  # type: ignore[attr-defined]
                raise HungUp

    def connect(self) -> None:
        self._take()
        try:
            super().connect()  # type: ignore[misc]
        finally:
            with self._guard:
                if self._shaking is not None:
                    self._shaking.close()
                self._shaking = None
        self._take()

    def _new_conn(self) -> socket.socket:
        made: socket.socket = super()._new_conn()  # type: ignore[misc]
        with self._guard:
            self._shaking = made.dup()
        try:
            self._take()
        except HungUp:
            made.close()
            raise
        return made

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._take()
        super().request(*args, **kwargs)  # type: ignore[misc]
        if self._line is not None:
            self._line.asked = True

    def getresponse(self) -> Any:
        if self._line is not None and self._line.timeout is not ...:
            self.timeout = self._line.timeout
        self._reading = self.sock  # type: ignore[attr-defined]
        return super().getresponse()  # type: ignore[misc]

    def hang_up(self, line: Line) -> None:
        """Shut the socket down, unless it serves another call by now."""
        with self._guard:
            found: Any = self._shaking or getattr(self, "sock", None) or self._reading
            if found is not None and self._line is line:
                # Not `close`, which waits for whoever reads; and not the TLS object's own, which takes it from them.
                with contextlib.suppress(OSError, TypeError):
                    socket.socket.shutdown(getattr(found, "socket", found), socket.SHUT_RDWR)


@functools.cache
def watched_pools() -> dict[str, Any]:
    """Pools of connections as botocore has them, by scheme, of watched ones."""
    from botocore.awsrequest import (
        AWSHTTPConnection,
        AWSHTTPConnectionPool,
        AWSHTTPSConnection,
        AWSHTTPSConnectionPool,
    )

    plain: Any = type("WatchedConnection", (_Watched, AWSHTTPConnection), {})
    secure: Any = type("WatchedTLSConnection", (_Watched, AWSHTTPSConnection), {})
    return {
        "http": type("WatchedPool", (AWSHTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("WatchedTLSPool", (AWSHTTPSConnectionPool,), {"ConnectionCls": secure}),
    }
