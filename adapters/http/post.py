"""One question to a server as data: where it goes, with which headers and bytes, and how long is waited for it.

It is checked when it is made, so that a `Post` that exists can be sent. Its repr shows no header, no query and no body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from .http_errors import Unwritable

CONNECTING: Final = 5.0
"""The seconds that connecting may take where nobody says another number."""

TIMEOUT: Final = 600.0
"""The seconds of silence that are borne where nobody says another number."""

# What HTTP carries: RFC 9110, 5.1 and 5.5. A key with another character in it would be sent as something else.
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE: Final = re.compile(r"(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?")


@attrs.frozen
class Timeouts:
    """Seconds that connecting may take, and that the server may be silent; None is for ever."""

    connect: float | None
    silence: float | None

    @classmethod
    def of(cls, timeout: Any) -> Timeouts:
        """What `timeout=` means: a number of seconds, None, or an HTTP library's own timeout."""
        if timeout is None:
            return cls(None, None)
        if isinstance(timeout, (int, float)):
            return cls(min(CONNECTING, timeout), timeout)
        try:
            return cls(timeout.connect, timeout.read)
        except AttributeError:
            raise Unwritable(f"timeout is a positive number of seconds, or None, not {timeout!r}") from None


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise Unwritable("Illegal header name")  # it isn't quoted: it may be a secret that stands in a wrong place
        if not _VALUE.fullmatch(value):
            raise Unwritable(f"Illegal header value: {name} has a character that HTTP can't carry")
    return headers


@attrs.frozen(kw_only=True, eq=False)
class Post:
    """A question to a server. Raises `Unwritable`, a ValueError, for a header that HTTP can't carry."""

    address: str
    headers: Mapping[str, str] = attrs.field(converter=_checked)
    body: bytes
    timeouts: Timeouts | None = None  # None: the transport's own
    method: str = "POST"

    def __repr__(self) -> str:
        parts = urlsplit(self.address)
        place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return f"Post({self.method} {place}, {', '.join(self.headers) or 'no headers'}, {len(self.body)} bytes)"
