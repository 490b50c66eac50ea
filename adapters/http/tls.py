"""Whom a connection trusts, and as whom it shows itself: the system's certificates, or those that were named.

SSL_CERT_FILE and SSL_CERT_DIR stand in for the system's, as OpenSSL has it. Reading hundreds of certificates takes
longer than a call, so what is read is kept, for a process, under the names it was read from.
"""

from __future__ import annotations

import functools
import os
import ssl
from typing import Final

from ..process.environment import Variables
from .http_errors import Unwritable

_VARIABLES: Final = Variables("SSL_CERT_FILE", "SSL_CERT_DIR")


def context(ca: str | None, certificate: tuple[str, ...]) -> ssl.SSLContext:
    """What `ca` and `certificate`, of a transport, say. Raises `Unwritable`, which names the file that can't be read.

    `ca` stands in place of the system's certificates; `certificate` is a file, or one and that of its key.
    """
    return _context(ca, certificate, _VARIABLES.read())


@functools.lru_cache(maxsize=16)
def _context(
    ca: str | None, certificate: tuple[str, ...], of_the_environment: tuple[str | None, ...]
) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    file, folder = of_the_environment
    if ca is not None:
        _trust(made, ca, "ca")
    elif file or folder:
        if file:
            _trust(made, file, "SSL_CERT_FILE")
        for each in (folder or "").split(os.pathsep):
            if each:
                made.load_verify_locations(capath=each)  # read when it is needed; it may be empty, or not there
    else:
        made.load_default_certs()
    if certificate:
        try:
            made.load_cert_chain(certificate[0], certificate[-1], _no_password)  # one file may hold both
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise Unwritable(f"certificate: {' and '.join(certificate)} can't be read: {_reason(error)}") from None
    return made


def _trust(made: ssl.SSLContext, file: str, name: str) -> None:
    try:
        made.load_verify_locations(file)
    except OSError as error:
        raise Unwritable(f"{name}: {file} can't be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)


def _no_password() -> str:
    """OpenSSL would ask for it on the terminal, and everybody would wait."""
    raise ValueError("its key is encrypted")
