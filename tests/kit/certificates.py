"""Certificates of a test's own: an authority, and whom it vouches for."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = dt.timedelta(days=1)


@attrs.frozen
class Files:
    """A certificate and its key, as files."""

    certificate: str
    key: str


class Authority:
    """Signs certificates, and writes them into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("the authority of a test")
        built = _built(self._name, self._name, self._key, 1)
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = self._write("authority", built.sign(self._key, hashes.SHA256()), self._key).certificate

    def issue(self, host: str, *, days: int = 1, password: bytes | None = None) -> Files:
        """A certificate for this name or address, until so many days from now; its key may be locked."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _built(_name(host), self._name, key, days).add_extension(_stands_for(host), critical=False)
        return self._write(host, built.sign(self._key, hashes.SHA256()), key, password)

    def self_signed(self, host: str) -> Files:
        """A certificate that nobody vouches for."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = _built(_name(host), _name(host), key, 1).add_extension(_stands_for(host), critical=False)
        return self._write(f"self-{host}", built.sign(key, hashes.SHA256()), key)

    def _write(
        self, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey, password: bytes | None = None
    ) -> Files:
        lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        files = Files(str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key"))
        Path(files.certificate).write_bytes(made.public_bytes(serialization.Encoding.PEM))
        Path(files.key).write_bytes(key.private_bytes(serialization.Encoding.PEM, form, lock))
        return files


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _stands_for(host: str) -> x509.SubjectAlternativeName:
    try:
        return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
    except ValueError:
        return x509.SubjectAlternativeName([x509.DNSName(host)])


def _built(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number())
    return built.not_valid_before(now - 30 * DAY).not_valid_after(now + days * DAY)


def serving(files: Files, trusts: str | None = None) -> ssl.SSLContext:
    """The context of a server that shows this certificate, and wants one from an authority in this file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    if trusts is not None:
        context.load_verify_locations(trusts)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
