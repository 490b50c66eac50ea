"""Which proxy an address is reached through, and that it is."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest
from certificates import Authority, serving
from posting import answer, failure
from raw_server import Answer, RawServer, http, question, says

from modelport.adapters.http.proxies import proxy_for
from modelport.adapters.process.secret import Env

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")


@pytest.fixture(autouse=True)
def no_proxies_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


P, Q = "http://p:1", "http://q:2"


@pytest.mark.parametrize(
    ("address", "environment", "proxy"),
    [
        ("https://h/v1", {}, None),
        ("https://h/v1", {"HTTPS_PROXY": P}, P),
        ("https://h/v1", {"https_proxy": P, "HTTPS_PROXY": Q}, P),
        ("https://h/v1", {"HTTP_PROXY": P}, None),
        ("http://h/v1", {"HTTP_PROXY": P}, P),
        ("http://h/v1", {"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, None),
        ("http://h/v1", {"http_proxy": P, "REQUEST_METHOD": "GET"}, P),
        ("https://h/v1", {"ALL_PROXY": P}, P),
        ("https://h/v1", {"HTTPS_PROXY": "p:1"}, P),
        ("https://h/v1", {"HTTPS_PROXY": P, "NO_PROXY": "h"}, None),
        ("https://h/v1", {"HTTPS_PROXY": P, "NO_PROXY": " other , H "}, None),
        ("https://h/v1", {"HTTPS_PROXY": P, "NO_PROXY": "*"}, None),
        ("https://a.b.example/v1", {"HTTPS_PROXY": P, "NO_PROXY": "b.example"}, None),
        ("https://a.b.example/v1", {"HTTPS_PROXY": P, "NO_PROXY": ".example"}, None),
        ("https://bexample/v1", {"HTTPS_PROXY": P, "NO_PROXY": "example"}, P),
        ("https://h:8443/v1", {"HTTPS_PROXY": P, "NO_PROXY": "h:8443"}, None),
        ("https://h:8443/v1", {"HTTPS_PROXY": P, "NO_PROXY": "h:443"}, P),
        ("http://127.0.0.1:8000/v1", {"HTTP_PROXY": P, "NO_PROXY": "127.0.0.0/8"}, None),
        ("http://10.1.2.3/v1", {"HTTP_PROXY": P, "NO_PROXY": "127.0.0.0/8"}, P),
        ("http://h/v1", {"HTTP_PROXY": P, "NO_PROXY": "127.0.0.0/8"}, P),
        ("http://127.0.0.1/v1", {"HTTP_PROXY": P, "NO_PROXY": "no/network"}, P),
        ("http://[::1]:8000/v1", {"HTTP_PROXY": P, "NO_PROXY": "::1"}, None),
        ("http://[::1]:8000/v1", {"HTTP_PROXY": P, "NO_PROXY": "[::1]"}, None),
    ],
)
def test_the_environment_names_a_proxy(address: str, environment: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(address, environment.get) == proxy


def tunnels(seen: list[bytes]) -> Answer:
    """A proxy that connects to whom it is told to."""

    def answer(connection: socket.socket) -> None:
        head = question(connection)
        seen.append(head)
        host, _, port = head.split(b" ")[1].decode().partition(":")
        with socket.create_connection((host, int(port))) as other:
            connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=_pipe, args=(other, connection), daemon=True)
            back.start()
            _pipe(connection, other)
            back.join()

    return answer


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def test_an_address_over_tls_is_reached_through_a_tunnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, seen = Authority(tmp_path), list[bytes]()
    hello = RawServer(says(http(b"Hello!")), tls=serving(authority.issue("127.0.0.1")))
    with hello as server, RawServer(tunnels(seen)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:secret@127.0.0.1:{proxy.port}")
        assert answer(server.url, ca=authority.file) == (200, b"Hello!")
    assert seen[0].startswith(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n" % server.port)
    assert b"Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in seen[0]


def test_a_plain_address_is_asked_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[bytes]()

    def proxy(connection: socket.socket) -> None:
        seen.append(question(connection))
        connection.sendall(http(b"Hello!"))

    with RawServer(proxy) as server:
        address = f"http://127.0.0.1:{server.port}"
        monkeypatch.setenv("MY_PROXY", address)
        assert answer("http://model.example/v1", proxy=address) == (200, b"Hello!")
        assert answer("http://model.example/v1", proxy=Env("MY_PROXY")) == (200, b"Hello!")
    assert [said.split(b"\r\n")[0] for said in seen] == [b"POST http://model.example/v1 HTTP/1.1"] * 2


def test_no_proxy_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with RawServer(says(http(b"Hello!"))) as server:
        assert answer(server.url, proxy=False) == (200, b"Hello!")
        assert failure(server.url)[:2] == ("connection", "no")


def test_a_proxy_that_refuses_is_no_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(says(http(b"", status="407 Who are you"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        kind, sent, _ = failure("https://model.example/v1")
    assert (kind, sent) == ("connection", "no")


@pytest.mark.parametrize("proxy", ["http://me:secret@127.0.0.1:99999", "http://", "HTTPS://:secret@"])
def test_a_proxy_that_is_no_address_is_told_as_such(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    assert failure("http://model.example/v1") == (
        "invalid_request",
        "no",
        "the proxy that the environment or proxy= names has no address that is one: mend it",
    )


def test_a_proxy_that_aiohttp_does_not_know_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://me:secret@127.0.0.1:9")
    kind, sent, says = failure("http://model.example/v1")
    assert (kind, sent) == ("missing_dependency", "no")
    assert says.startswith("the proxy's scheme is 'socks5', and aiohttp knows proxies of HTTP alone")
    assert "secret" not in says
