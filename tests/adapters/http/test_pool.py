"""A question on its way over a connection: one that is large, one that is answered early, and what comes before."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading

import aiohttp
import pytest
from held_loop import held, later
from posting import failure, post, read
from raw_server import RawServer, http, question, says

from modelport.adapters.http.http_errors import HTTP, meaning
from modelport.adapters.http.http_transport import HttpTransport

LARGE = b"x" * (32 * 1024 * 1024)
"""More than the sockets between two programs hold."""


def test_a_question_that_is_long_on_its_way_finds_no_silent_server() -> None:
    begun, may_read = threading.Event(), threading.Event()

    def slow(connection: socket.socket) -> None:
        head = connection.recv(100)
        begun.set()
        may_read.wait()
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or len(LARGE))
        while length > 0:
            length -= len(connection.recv(1 << 20))
        connection.sendall(http(b"heard"))

    async def main(url: str) -> tuple[int, bytes]:
        calling = asyncio.create_task(read(HttpTransport(), post(url, body=LARGE)))
        await asyncio.to_thread(begun.wait)
        await later()
        await later()  # what is due is done
        may_read.set()
        return await calling

    with RawServer(slow) as server:
        assert held(main(server.url)) == (200, b"heard")


def test_a_server_that_is_silent_once_a_large_question_has_come_is_a_timeout() -> None:
    asked = threading.Event()

    def stalls(connection: socket.socket) -> None:
        question(connection)
        asked.set()
        connection.recv(1)

    async def main(url: str) -> None:
        calling = asyncio.create_task(read(HttpTransport(), post(url, body=LARGE)))
        await asyncio.to_thread(asked.wait)
        await later()
        await calling

    with RawServer(stalls) as server, pytest.raises(TimeoutError) as found:
        held(main(server.url))
    assert meaning(found.value, HTTP) == ("timeout", "perhaps")


def test_a_connection_whose_question_was_answered_before_it_was_sent_serves_no_other_call() -> None:
    def at_once(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(http(b"too large", status="413 Content Too Large"))
        while connection.recv(1 << 20):
            pass

    async def main(url: str) -> list[tuple[int, bytes]]:
        transport = HttpTransport()
        return [await read(transport, post(url, body=LARGE)), await read(transport, post(url))]

    with RawServer(at_once, says(http(b"second"))) as server:
        assert asyncio.run(main(server.url)) == [(413, b"too large"), (200, b"second")]


def test_a_connection_that_breaks_in_a_large_question_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    def breaks(connection: socket.socket) -> None:
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset

    async def main(url: str) -> None:
        await read(HttpTransport(), post(url, body=LARGE))

    with RawServer(breaks) as server, caplog.at_level(logging.WARNING), pytest.raises(aiohttp.ClientError) as found:
        asyncio.run(main(server.url))
    assert (meaning(found.value, HTTP), caplog.messages) == (("interrupted", "perhaps"), [])


def test_what_comes_before_an_answer_is_none() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"

    async def main(url: str) -> list[tuple[int, bytes]]:
        transport = HttpTransport()
        return [await read(transport, post(url)) for _ in range(2)]

    with RawServer(says(early + http(b"Hello!"))) as server:
        assert asyncio.run(main(server.url)) == [(200, b"Hello!"), (200, b"Hello!")]
    assert server.connections == 1


def test_what_is_no_http_is_told_with_the_address() -> None:
    with RawServer(says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")) as server:
        kind, sent, words = failure(server.url)
    assert (kind, sent, server.url in words) == ("malformed_response", "yes", True)


def test_a_header_of_a_call_stands_in_place_of_the_usual_one() -> None:
    heard: list[bytes] = []

    def hears(connection: socket.socket) -> None:
        heard.append(question(connection).lower())
        connection.sendall(http(b""))

    async def main(url: str) -> None:
        await read(HttpTransport(), post(url, **{"User-Agent": "mine/1.0", "Host": "other"}))

    with RawServer(hears) as server:
        asyncio.run(main(server.url))
    assert (heard[0].count(b"user-agent: mine/1.0\r\n"), heard[0].count(b"user-agent")) == (1, 1)
    assert (heard[0].count(b"\r\nhost: other\r\n"), heard[0].count(b"\r\nhost:")) == (1, 1)
