"""The connections of one event loop, which aiohttp opens and keeps; what goes over them is written here.

aiohttp knows names, sockets, TLS and proxies, and reads answers. Its session would cost as much again as all the rest
of a call. Two of aiohttp's habits are mended. A connection that the server closed while it was idle, or on which it
said something unasked, is found out before anything is sent on it, and another one is taken. After a 5xx a connection
isn't used again: servers that failed close it without saying so.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, StreamWriter
from multidict import CIMultiDict
from yarl import URL

from . import sdk
from .aiohttp_reply import AiohttpReply, drop
from .bounds import Bounds
from .post import TIMEOUT, Post, Timeouts
from .unpacking import ACCEPTED

_HEADERS: Final = {"accept-encoding": ACCEPTED, "user-agent": "modelport"}
_SMALL: Final = 64 * 1024
"""The bytes up to which a body is copied behind its head, which costs less than to send the two one after the other."""


class _Route:
    """Where an address leads: what aiohttp must know to connect, and how all questions there begin."""

    __slots__ = ("_begins", "_headers", "request")

    def __init__(self, address: str, tls: ssl.SSLContext | bool, proxy: str | None) -> None:
        url = URL(address, encoded=True)
        through = None if proxy is None else URL(proxy)
        loop = asyncio.get_running_loop()
        self.request = aiohttp.ClientRequest("GET", url, headers=_HEADERS, loop=loop, ssl=tls, proxy=through)
        forwarded = through is not None and not self.request.is_ssl()
        self._begins = f"{url.with_user(None) if forwarded else url.raw_path_qs} HTTP/1.1\r\n"
        self._headers: CIMultiDict[str] | None = None

    def head(self, post: Post) -> bytes:
        """The head of a question, once there is a connection: until then it isn't known what the proxy is told."""
        if self._headers is None:
            self._headers = CIMultiDict(self.request.headers)
        headers = self._headers.copy()
        headers.update(post.headers)
        headers["content-length"] = str(len(post.body))
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        return f"{post.method} {self._begins}{lines}\r\n".encode()


class Pool:
    """Connections that are kept, and nothing else. It is made in its event loop."""

    __slots__ = ("_bounds", "_connector", "_idle", "_route")

    def __init__(self, *, unix_socket: str | None, idle: float, bounds: Bounds) -> None:
        sdk.check()
        self._bounds = bounds
        self._connector: aiohttp.BaseConnector = (
            aiohttp.TCPConnector(limit=0, keepalive_timeout=idle)
            if unix_socket is None
            else aiohttp.UnixConnector(unix_socket, limit=0, keepalive_timeout=idle)
        )
        self._route = lru_cache(maxsize=256)(_Route)
        self._idle: WeakKeyDictionary[Any, Callable[[], Any]] = WeakKeyDictionary()

    async def send(self, post: Post, tls: ssl.SSLContext | bool, proxy: str | None) -> AiohttpReply:
        """The answer, whose headers have come."""
        route = self._route(post.address, tls, proxy)
        timeouts = post.timeouts or _TIMEOUTS
        connection = await self._connected(route, timeouts)
        protocol: Any = connection.protocol
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=timeouts.silence,
            max_line_size=self._bounds.header,
            max_field_size=self._bounds.header,
        )
        writing = _write(protocol, route.head(post), post.body)
        try:
            message, content = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:  # the answer follows
                message, content = await protocol.read()
        except BaseException as error:
            drop(connection)
            if not isinstance(error, HttpProcessingError):
                raise
            asked = route.request.request_info
            raise aiohttp.ClientResponseError(
                asked, (), status=error.code, message=error.message, headers=error.headers
            ) from error
        finally:
            if writing is not None:
                writing.cancel()
        return AiohttpReply(connection, message, content, post.headers)

    async def close(self) -> None:
        """Close all connections."""
        await self._connector.close()

    async def _connected(self, route: _Route, timeouts: Timeouts) -> Connection:
        """A connection of which nothing is to be read, nor was read since its last answer."""
        while True:
            try:
                connection = await self._connector.connect(route.request, [], _client_timeout(timeouts.connect))
            except TimeoutError as error:
                raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {route.request.url}") from error
            protocol: Any = connection.protocol
            is_stale = self._idle.get(protocol)
            if is_stale is None:  # it is new
                self._idle[protocol] = _is_readable(protocol.transport)
                return connection
            if not protocol.should_close and not is_stale():
                return connection
            connection.close()


def _write(protocol: Any, head: bytes, body: bytes) -> asyncio.Task[None] | None:
    """Send a question. A server that reads slowly isn't silent: that begins when all is sent, which the task awaits."""
    transport = protocol.transport
    if len(body) <= _SMALL:
        transport.write(head + body)
    else:
        transport.write(head)
        transport.write(body)
    if protocol.writing_paused:
        return asyncio.ensure_future(_written(protocol))
    protocol.start_timeout()
    return None


async def _written(protocol: Any) -> None:
    with suppress(ConnectionError):  # whoever reads the answer hears of it, too
        await StreamWriter(protocol, asyncio.get_running_loop()).drain()
        protocol.start_timeout()


_poll: Any = getattr(select, "poll", None)  # Windows has none


def _is_readable(transport: Any) -> Callable[[], Any]:
    """Asks whether there is something to read where nothing was asked: the end, or what no answer is."""
    socket = transport.get_extra_info("socket").fileno()
    return _polled(socket) if _poll else lambda: select.select([socket], [], [], 0)[0]


def _polled(socket: int) -> Callable[[], Any]:
    poll = _poll()
    poll.register(socket, select.POLLIN)
    return lambda: poll.poll(0)


@lru_cache(maxsize=256)
def _client_timeout(connect: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(connect=connect)


_TIMEOUTS: Final = Timeouts.of(TIMEOUT)
