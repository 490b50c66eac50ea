"""What the exceptions of aiohttp and httpx2 mean, those of the sockets and the JSON beneath and above, and our own.

They are named rather than imported. httpx, on which LiteLLM stands and which a client of the user's own may use, has
the same ones as httpx2: one table serves the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ...domain.error import ErrorKind, Sent
from ...domain.frozen import FrozenDict

_K, _S = ErrorKind, Sent


class Unwritable(ValueError):
    """A value that this wire can't hold."""


class Malformed(ValueError):
    """The answer isn't one of this wire."""


class CutOff(Exception):
    """The answer ended before it was whole."""


Meanings = Mapping[str, tuple[ErrorKind | None, Sent]]
"""By `package.Name`: the kind (None: the status and the body say it), and whether the provider has seen the request."""

HTTP: Final[Meanings] = FrozenDict(
    {
        "modelport.Unset": (_K.AUTHENTICATION, _S.NO),
        "modelport.Unsupported": (_K.UNSUPPORTED, _S.NO),
        "modelport.Unwritable": (_K.INVALID_REQUEST, _S.NO),
        "modelport.Malformed": (_K.MALFORMED_RESPONSE, _S.YES),
        "modelport.CutOff": (_K.INTERRUPTED, _S.YES),
        "modelport.Reported": (None, _S.YES),
        "builtins.ImportError": (_K.MISSING_DEPENDENCY, _S.NO),
        "modelport.Refused": (None, _S.YES),
        "aiohttp.ConnectionTimeoutError": (_K.TIMEOUT, _S.NO),
        "aiohttp.ServerTimeoutError": (_K.TIMEOUT, _S.PERHAPS),
        "aiohttp.ClientConnectorError": (_K.CONNECTION, _S.NO),  # of the name, the socket, TLS, a certificate, a proxy
        "aiohttp.ServerFingerprintMismatch": (_K.CONNECTION, _S.NO),
        "aiohttp.ClientHttpProxyError": (_K.CONNECTION, _S.NO),  # the proxy refused to connect
        "aiohttp.ClientResponseError": (_K.MALFORMED_RESPONSE, _S.YES),  # no HTTP, or headers that are too large
        "aiohttp.InvalidURL": (_K.INVALID_REQUEST, _S.NO),
        "aiohttp.ClientPayloadError": (_K.INTERRUPTED, _S.PERHAPS),
        "aiohttp.ClientError": (_K.INTERRUPTED, _S.PERHAPS),  # resets, a connection that was closed
        "httpx.HTTPStatusError": (None, _S.YES),
        "httpx.ConnectTimeout": (_K.TIMEOUT, _S.NO),
        "httpx.PoolTimeout": (_K.TIMEOUT, _S.NO),
        "httpx.TimeoutException": (_K.TIMEOUT, _S.PERHAPS),  # ReadTimeout, WriteTimeout
        "httpx.ConnectError": (_K.CONNECTION, _S.NO),
        "httpx.ProxyError": (_K.CONNECTION, _S.NO),
        "httpx.UnsupportedProtocol": (_K.CONNECTION, _S.NO),
        "httpx.LocalProtocolError": (_K.INVALID_REQUEST, _S.NO),  # a header that HTTP can't carry
        "httpx.InvalidURL": (_K.INVALID_REQUEST, _S.NO),
        "httpx.TooManyRedirects": (_K.NOT_FOUND, _S.YES),
        "httpx.DecodingError": (_K.MALFORMED_RESPONSE, _S.YES),
        "httpx.CookieConflict": (_K.MALFORMED_RESPONSE, _S.YES),
        "httpx.SSEError": (_K.MALFORMED_RESPONSE, _S.YES),
        "httpx.TransportError": (_K.INTERRUPTED, _S.PERHAPS),  # ReadError, WriteError, RemoteProtocolError, ...
        "httpx.HTTPError": (_K.INTERRUPTED, _S.PERHAPS),
        "httpx.StreamError": (_K.INTERRUPTED, _S.PERHAPS),
        "anyio.EndOfStream": (_K.INTERRUPTED, _S.PERHAPS),
        "anyio.BrokenResourceError": (_K.INTERRUPTED, _S.PERHAPS),
        "anyio.ClosedResourceError": (_K.INTERRUPTED, _S.PERHAPS),
        "json.JSONDecodeError": (_K.MALFORMED_RESPONSE, _S.YES),
        "builtins.UnicodeDecodeError": (_K.MALFORMED_RESPONSE, _S.YES),
        "builtins.UnicodeEncodeError": (_K.AUTHENTICATION, _S.NO),  # headers are ASCII: a key with other letters
        "builtins.ConnectionRefusedError": (_K.CONNECTION, _S.NO),
        "socket.gaierror": (_K.CONNECTION, _S.NO),
        "ssl.SSLCertVerificationError": (_K.CONNECTION, _S.NO),
        "builtins.RecursionError": (_K.MALFORMED_RESPONSE, _S.YES),  # an answer nested without end
        "builtins.TimeoutError": (_K.TIMEOUT, _S.PERHAPS),
        "builtins.OSError": (_K.INTERRUPTED, _S.PERHAPS),  # resets, broken pipes, ssl.SSLError
    }
)
"""httpx2 stands under the name of httpx; a subclass that isn't here means what its nearest parent means."""


def meaning(exception: BaseException, table: Meanings) -> tuple[ErrorKind | None, Sent] | None:
    """What the table says of the exception, or of the nearest of its parents that it knows."""
    for cls in type(exception).__mro__:
        package = cls.__module__.partition(".")[0]
        meant = table.get(f"{'httpx' if package == 'httpx2' else package}.{cls.__name__}")
        if meant is not None:
            return meant
    return None


_QUOTE: Final = re.compile(r"""\s*\b[bu]?['"].*|\s*['"`].*""", re.DOTALL)


def without_quotes(words: str) -> str:
    """The words up to where they quote something: of a header that can't be carried, which may be a secret.

    >>> without_quotes("Illegal header value b'Bearer a-secret'")
    'Illegal header value'
    """
    return _QUOTE.sub("", words)
