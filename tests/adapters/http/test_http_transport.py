"""`HttpTransport` over real sockets: whom it reaches, which connections it keeps, and what it doesn't do."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import pickle
import socket
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer as Scripted
from loopback import Loopback, error, whole
from posting import answer, failure, post, read
from raw_server import RawServer, http, question, says

from modelport.adapters.http.bounds import Bounds
from modelport.adapters.http.http_transport import HttpTransport


def test_a_question_is_sent_as_it_is_and_its_answer_read() -> None:
    with Loopback(whole("Hello!")) as server:
        status, body = asyncio.run(read(HttpTransport(), post(server.url, authorization="Bearer k", body=b'{"a": 1}')))
    seen = server.requests[0]
    assert (status, b"Hello!" in body) == (200, True)
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1", b'{"a": 1}')
    assert (seen.headers["authorization"], seen.headers["user-agent"]) == ("Bearer k", "modelport")


def test_a_refusal_is_an_answer() -> None:
    with Loopback(error(429, "slow_down")) as server:
        assert answer(server.url)[0] == 429


def test_a_redirect_is_given_and_not_followed() -> None:
    with Loopback(whole()) as other:
        with Loopback(Scripted(307, {"location": other.url})) as server:
            assert answer(server.url) == (307, b"")
        assert other.requests == []


def test_no_cookie_is_kept() -> None:
    async def main(server: Loopback) -> None:
        transport = HttpTransport()
        await read(transport, post(server.url))
        await read(transport, post(server.url))

    with Loopback(Scripted(200, {"set-cookie": "who=me; path=/"})) as server:
        asyncio.run(main(server))
    assert [seen.headers.get("cookie") for seen in server.requests] == [None, None]


def test_a_server_behind_a_unix_socket_is_reached(tmp_path: Path) -> None:
    where = str(tmp_path / "server")
    with RawServer(says(http(b"Hello!")), unix=where):
        assert answer("http://localhost/v1", unix_socket=where) == (200, b"Hello!")
    os.unlink(where)
    assert failure("http://localhost/v1", unix_socket=where)[:2] == ("connection", "no")


@pytest.mark.parametrize("packed", [gzip.compress(b"Hello!"), zlib.compress(b"Hello!")], ids=["gzip", "deflate"])
def test_a_packed_answer_is_unpacked(packed: bytes) -> None:
    coding = "gzip" if packed.startswith(b"\x1f") else "deflate"
    with RawServer(says(http(packed, f"content-encoding: {coding}"))) as server:
        assert answer(server.url) == (200, b"Hello!")


def test_a_name_that_is_nowhere_is_no_connection() -> None:
    assert failure("http://nowhere.invalid/v1")[:2] == ("connection", "no")


def test_a_server_that_does_not_accept_is_a_timeout_and_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = []
        for _ in range(8):  # more than its queue holds
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(full.getsockname())
        found = failure(f"http://127.0.0.1:{full.getsockname()[1]}", timeout=0.2)
        for one in waiting:
            one.close()
    assert found[:2] == ("timeout", "no")


def test_a_silent_server_is_a_timeout_and_the_question_may_have_come() -> None:
    with Loopback(Scripted(0, then="stall")) as server:
        assert failure(server.url, timeout=0.2)[:2] == ("timeout", "perhaps")


# Which connections are kept


def test_a_connection_serves_call_after_call() -> None:
    async def main(server: Loopback) -> None:
        transport = HttpTransport()
        for _ in range(3):
            await read(transport, post(server.url))

    with Loopback(whole()) as server:
        asyncio.run(main(server))
    assert (len(server.requests), server.connections) == (3, 1)


@pytest.mark.parametrize("then", [whole(), Scripted(500, pieces=(b"no", b"no"), pause=0.01), error(503)])
def test_after_a_failure_of_the_server_a_connection_serves_no_other_call(then: Scripted) -> None:
    async def main(server: Loopback) -> None:
        transport = HttpTransport()
        for _ in range(2):
            await read(transport, post(server.url))

    with Loopback(then) as server:
        asyncio.run(main(server))
    assert server.connections == (1 if then.status == 200 else 2)


def test_a_connection_that_was_closed_while_the_loop_did_something_else_costs_no_call() -> None:
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        question(connection)
        connection.sendall(http(b"first"))
        connection.close()
        closed.set()

    async def main(url: str) -> list[tuple[int, bytes]]:
        transport = HttpTransport()
        first = await read(transport, post(url))
        closed.wait()  # the loop hears nothing of it
        return [first, await read(transport, post(url))]

    with RawServer(once, says(http(b"second"))) as server:
        assert asyncio.run(main(server.url)) == [(200, b"first"), (200, b"second")]


def test_a_connection_that_was_closed_while_no_loop_ran_costs_no_call() -> None:
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        question(connection)
        connection.sendall(http(b"first"))
        connection.close()
        closed.set()

    transport = HttpTransport()
    with RawServer(once, says(http(b"second"))) as server, asyncio.Runner() as runner:
        assert runner.run(read(transport, post(server.url))) == (200, b"first")
        closed.wait()
        assert runner.run(read(transport, post(server.url))) == (200, b"second")


def test_what_a_server_says_unasked_is_no_answer_to_the_next_question() -> None:
    answered, said = threading.Event(), threading.Event()

    def says_more(connection: socket.socket) -> None:
        question(connection)
        connection.sendall(http(b"first"))
        answered.wait()
        connection.sendall(http(b"late", status="408 Request Timeout"))
        said.set()
        connection.recv(1)

    async def main(url: str) -> list[tuple[int, bytes]]:
        transport = HttpTransport()
        first = await read(transport, post(url))
        answered.set()
        await asyncio.to_thread(said.wait)
        for _ in range(3):
            await asyncio.sleep(0)  # the loop reads what was said
        return [first, await read(transport, post(url))]

    with RawServer(says_more, says(http(b"second"))) as server:
        assert asyncio.run(main(server.url)) == [(200, b"first"), (200, b"second")]


def test_a_question_that_a_server_may_have_read_is_not_sent_again() -> None:
    def once_and_no_more(connection: socket.socket) -> None:
        question(connection)
        connection.sendall(http(b"first"))
        question(connection)

    async def main(url: str) -> None:
        transport = HttpTransport()
        await read(transport, post(url))
        await read(transport, post(url))

    with RawServer(once_and_no_more) as server:
        with pytest.raises(Exception, match="disconnected"):
            asyncio.run(main(server.url))
        assert server.connections == 1


def test_a_connection_is_kept_as_long_as_it_is_told() -> None:
    async def main(server: Loopback) -> None:
        transport = HttpTransport(idle=0.001)
        for _ in range(2):
            await read(transport, post(server.url))
            until = time.monotonic() + 0.002
            while time.monotonic() < until:
                pass

    with Loopback(whole()) as server:
        asyncio.run(main(server))
    assert server.connections == 2


def test_each_loop_has_connections_of_its_own_and_closes_them() -> None:
    transport = HttpTransport()
    with Loopback(whole()) as server:
        for _ in range(2):
            assert asyncio.run(read(transport, post(server.url)))[0] == 200
        assert server.until(lambda seen: seen.connected == 0)
    assert server.connections == 2


def test_closing_a_transport_closes_the_connections_of_this_loop() -> None:
    async def main(server: Loopback) -> None:
        transport = HttpTransport()
        await transport.close()  # there are none
        await read(transport, post(server.url))
        await transport.close()
        assert await asyncio.to_thread(server.until, lambda seen: seen.connected == 0)
        await read(transport, post(server.url))

    with Loopback(whole()) as server:
        asyncio.run(main(server))
    assert server.connections == 2


def test_what_is_not_read_drops_its_connection() -> None:
    async def main(server: Loopback) -> None:
        transport = HttpTransport()
        reply = await transport.send(post(server.url))
        async for _ in (chunks := reply.chunks(1000)):
            break
        await chunks.aclose()
        await (await transport.send(post(server.url))).close()
        assert await asyncio.to_thread(server.until, lambda seen: seen.dropped == 2)

    with Loopback(Scripted(pieces=(b"one",), then="stall")) as server:
        asyncio.run(main(server))


def test_a_stream_that_nobody_reads_holds_the_server_back() -> None:
    sent, ended = 0, threading.Event()
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"

    def endless(connection: socket.socket) -> None:
        nonlocal sent
        question(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        connection.settimeout(0.5)
        try:
            while True:  # until the client takes no more
                connection.sendall(piece)
                sent += len(piece)
        finally:
            ended.set()

    async def main(url: str) -> None:
        reply = await HttpTransport().send(post(url))
        await asyncio.to_thread(ended.wait)  # the loop runs meanwhile, and reads what it may
        await reply.close()

    with RawServer(endless) as server:
        asyncio.run(main(server.url))
    assert sent < 32 * 1024 * 1024  # what the sockets hold


# Settings


def test_a_transport_is_a_value_without_secrets() -> None:
    one, two = (HttpTransport(proxy="http://me:secret@h:1", certificate=("a.pem", "a.key")) for _ in range(2))
    assert (one, hash(one)) == (two, hash(two))
    assert one != HttpTransport()
    assert pickle.loads(pickle.dumps(one)) == one
    assert "secret" not in repr(one)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"proxy": 7}, "proxy is an address"),
        ({"proxy": "secret:3128"}, "proxy is an address of HTTP"),
        ({"ca": 7}, "ca is the name of a file"),
        ({"certificate": 7}, "certificate is the name of a file"),
        ({"certificate": ("a", "b", "c")}, "certificate is the name of a file"),
        ({"unix_socket": 7}, "unix_socket is the name of a file"),
        ({"idle": 0}, "idle must be a number of seconds above 0"),
        ({"bounds": 7}, "bounds"),
    ],
)
def test_a_mistake_is_named_at_construction(settings: dict[str, Any], says: str) -> None:
    with pytest.raises((ValueError, TypeError), match=says) as found:
        HttpTransport(**settings)
    assert "secret" not in str(found.value)


def test_a_bound_is_a_number_of_bytes() -> None:
    with pytest.raises(ValueError, match="Bounds: answer must be a number of bytes"):
        Bounds(answer=0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a process with threads
def test_a_forked_child_has_connections_of_its_own() -> None:
    transport = HttpTransport()
    with Loopback(whole()) as server, asyncio.Runner() as runner:
        assert runner.run(read(transport, post(server.url)))[0] == 200
        child = os.fork()
        if child == 0:
            os._exit(0 if asyncio.run(read(transport, post(server.url)))[0] == 200 else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert runner.run(read(transport, post(server.url)))[0] == 200
    assert (len(server.requests), server.connections) == (3, 2)
    gc.collect()
