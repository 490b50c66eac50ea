"""A server on the loopback that says bytes as they are, over TCP, TLS or a unix socket: broken ones, too."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Self

Answer = Callable[[socket.socket], None]


def question(connection: socket.socket) -> bytes:
    """One whole request, as it comes; empty where the client has gone."""
    said = b""
    while b"\r\n\r\n" not in said:
        more = connection.recv(65536)
        if not more:
            return b""
        said += more
    head, _, rest = said.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(rest) < length:
        rest += connection.recv(65536)
    return head + b"\r\n\r\n" + rest


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def says(*pieces: bytes) -> Answer:
    """Answers each request of a connection with these bytes."""

    def answer(connection: socket.socket) -> None:
        while question(connection):
            for piece in pieces:
                connection.sendall(piece)

    return answer


def says_and_closes(*pieces: bytes) -> Answer:
    """Answers one request with these bytes, and closes the connection."""

    def answer(connection: socket.socket) -> None:
        question(connection)
        for piece in pieces:
            connection.sendall(piece)

    return answer


def never_stops(begin: bytes, piece: bytes) -> Answer:
    """Answers one request with the same piece, again and again, until nobody listens."""

    def answer(connection: socket.socket) -> None:
        question(connection)
        connection.sendall(begin)
        while True:
            connection.sendall(piece)

    return answer


class RawServer:
    """The server, as a context manager. Each connection has the next of these answers, and later ones the last."""

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None, unix: str | None = None) -> None:
        self._answers, self._tls = answers, tls
        self.connections = 0
        self._open: list[socket.socket] = []
        if unix is None:
            self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
            self.port: int = self._listening.getsockname()[1]
        else:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(unix)
            self._listening.listen(128)
            self.port = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        """Its address."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            answer = self._answers[min(self.connections, len(self._answers) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._converse, args=(connection, answer), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket, answer: Answer) -> None:
        connection.settimeout(60)  # as long as a test may take
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.append(connection)
            answer(connection)
        except OSError:  # the client has gone, or wants nothing to do with this certificate
            pass
        finally:
            connection.close()
