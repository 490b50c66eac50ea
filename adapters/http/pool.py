"""The connections of one event loop, kept by aiohttp.

Two of aiohttp's habits are mended. A connection that the server closed while it was idle is found out before anything
is sent on it, and another one is taken. After a 5xx a connection isn't used again: servers that failed close it without
saying so.
"""

from __future__ import annotations

import select
import ssl
from functools import lru_cache
from typing import Any, Final
from weakref import WeakSet

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from . import sdk
from .bounds import Bounds
from .post import TIMEOUT, Post, Timeouts
from .unpacking import ACCEPTED

_HEADERS: Final = {"accept-encoding": ACCEPTED, "user-agent": "modelport"}


class _Stale(Exception):
    """The server has closed the connection; nothing was sent on it."""


class _Question(aiohttp.ClientRequest):
    """Looks at a connection that was idle before it is used."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        protocol = conn.protocol
        if protocol in _used:
            if _is_stale(conn.transport):
                raise _Stale
        else:
            _used.add(protocol)
        return await super().send(conn)


class _Answer(aiohttp.ClientResponse):
    """Closes the connection of a server that failed."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        protocol = connection.protocol
        await super().start(connection)
        if self.status >= 500 and protocol is not None:
            protocol.force_close()
            if self.connection is None:  # the body has come already, and the connection waits for the next call
                protocol.close()
        return self


_used: WeakSet[Any] = WeakSet()


_poll: Any = getattr(select, "poll", None)  # Windows has none


def _is_stale(transport: Any) -> bool:
    """Whether there is something to read where nothing was asked: the end, or what no answer is."""
    socket = transport.get_extra_info("socket").fileno()
    return bool(_polled(socket) if _poll else select.select([socket], [], [], 0)[0])


def _polled(socket: int) -> Any:
    poll = _poll()
    poll.register(socket, select.POLLIN)
    return poll.poll(0)


class Pool:
    """An aiohttp session that keeps connections, and nothing else. It is made in its event loop."""

    __slots__ = ("_session",)

    def __init__(self, *, unix_socket: str | None, idle: float, bounds: Bounds) -> None:
        sdk.look()
        connector = (
            aiohttp.TCPConnector(limit=0, keepalive_timeout=idle)
            if unix_socket is None
            else aiohttp.UnixConnector(unix_socket, limit=0, keepalive_timeout=idle)
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            max_line_size=bounds.header,
            max_field_size=bounds.header,
            request_class=_Question,
            response_class=_Answer,
        )

    async def send(self, post: Post, tls: ssl.SSLContext | bool, proxy: str | None) -> aiohttp.ClientResponse:
        """The answer, whose headers have come."""
        while True:
            try:
                return await self._session.request(
                    post.method,
                    _url(post.address),
                    data=post.body,
                    headers=post.headers,
                    allow_redirects=False,
                    timeout=_client_timeout(post.timeouts),
                    ssl=tls,
                    proxy=proxy,
                )
            except _Stale:
                continue

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


@lru_cache(maxsize=256)
def _url(address: str) -> URL:
    return URL(address, encoded=True)


@lru_cache(maxsize=256)
def _client_timeout(timeouts: Timeouts | None) -> aiohttp.ClientTimeout:
    timeouts = timeouts or Timeouts.of(TIMEOUT)
    return aiohttp.ClientTimeout(total=None, connect=timeouts.connect, sock_read=timeouts.silence)
