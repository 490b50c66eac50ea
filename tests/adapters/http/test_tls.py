"""A connection over TLS, with an authority of the test's own: whom it trusts, and as whom it shows itself."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
from certificates import Authority, serving
from posting import answer, failure
from raw_server import RawServer, http, says

HELLO = says(http(b"Hello!"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def test_an_authority_of_ones_own_is_trusted(authority: Authority) -> None:
    with RawServer(HELLO, tls=serving(authority.issue("127.0.0.1"))) as server:
        assert answer(server.url, ca=authority.file) == (200, b"Hello!")


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_environment_may_name_the_authority(
    name: str, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setenv(name, authority.file if name == "SSL_CERT_FILE" else str(tmp_path))
    if name == "SSL_CERT_DIR":
        asked = ["openssl", "x509", "-hash", "-noout", "-in", authority.file]
        found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / f"{found}.0").symlink_to(authority.file)
    with RawServer(HELLO, tls=serving(authority.issue("127.0.0.1"))) as server:
        assert answer(server.url) == (200, b"Hello!")


def test_the_system_trusts_nobody_from_a_test(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    with RawServer(HELLO, tls=serving(authority.issue("127.0.0.1"))) as server:
        kind, sent, says = failure(server.url)
    assert (kind, sent) == ("connection", "no")
    assert "certificate verify failed" in says


def test_a_certificate_of_another_host_is_no_connection(authority: Authority) -> None:
    with RawServer(HELLO, tls=serving(authority.issue("other.example"))) as server:
        kind, sent, says = failure(server.url, ca=authority.file)
    assert (kind, sent) == ("connection", "no")
    assert "IP address mismatch, certificate is not valid for '127.0.0.1'" in says


def test_an_expired_certificate_is_no_connection(authority: Authority) -> None:
    with RawServer(HELLO, tls=serving(authority.issue("127.0.0.1", days=-1))) as server:
        kind, sent, says = failure(server.url, ca=authority.file)
    assert (kind, sent) == ("connection", "no")
    assert "certificate has expired" in says


def test_a_certificate_that_nobody_vouches_for_is_no_connection(authority: Authority) -> None:
    with RawServer(HELLO, tls=serving(authority.self_signed("127.0.0.1"))) as server:
        kind, sent, says = failure(server.url, ca=authority.file)
    assert (kind, sent) == ("connection", "no")
    assert "self-signed certificate" in says


def test_a_server_without_tls_is_no_connection(authority: Authority) -> None:
    def baffled(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(http(b"", status="400 Bad Request"))

    with RawServer(baffled) as server:
        found = failure(server.url.replace("http:", "https:"), ca=authority.file)
    assert found[:2] == ("connection", "no")


def test_a_client_may_show_a_certificate(authority: Authority) -> None:
    mine = authority.issue("me")
    tls = serving(authority.issue("127.0.0.1"), trusts=authority.file)
    with RawServer(HELLO, tls=tls) as server:
        assert answer(server.url, ca=authority.file, certificate=(mine.certificate, mine.key)) == (200, b"Hello!")
        assert failure(server.url, ca=authority.file)[0] in ("connection", "interrupted")


@pytest.mark.parametrize("settings", ["ca", "certificate", "SSL_CERT_FILE"])
@pytest.mark.parametrize("what", ["nothing", "rubbish"])
def test_a_file_that_cannot_be_read_is_named(
    settings: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file.pem"
    if what == "rubbish":
        file.write_text("rubbish")
    if settings == "SSL_CERT_FILE":
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    kind, sent, says = failure("https://127.0.0.1:9", **({} if settings == "SSL_CERT_FILE" else {settings: str(file)}))
    assert (kind, sent) == ("invalid_request", "no")
    assert says.startswith(f"{settings}: {file} can't be read: ")


def test_a_key_that_is_locked_is_named_and_nobody_is_asked_for_a_password(authority: Authority) -> None:
    mine = authority.issue("locked", password=b"secret")
    kind, _, says = failure("https://127.0.0.1:9", certificate=(mine.certificate, mine.key))
    assert kind == "invalid_request"
    assert says == f"certificate: {mine.certificate} and {mine.key} can't be read: its key is encrypted"
