"""What is leaned on inside aiohttp. It is read without aiohttp."""

from __future__ import annotations

import functools
from typing import Final

from ..process.inside import Argument, Gone, Inside

_IDLE: Final = "a connection that the server closed while it was idle costs a call"
_FAILED: Final = "a connection is used again after a 5xx, though servers that failed close it without saying so"

SEND: Final = Argument("aiohttp", "aiohttp:ClientRequest.send", "conn", _IDLE)
START: Final = Argument("aiohttp", "aiohttp:ClientResponse.start", "connection", _FAILED)
PROTOCOL: Final = Inside("aiohttp", "aiohttp.connector:Connection", "protocol", f"{_IDLE}, and {_FAILED}")
INSIDES: Final[tuple[Inside, ...]] = (SEND, START, PROTOCOL)


@functools.cache
def look() -> None:
    """Warn of what this release of aiohttp no longer has; calls are made without it."""
    for inside in INSIDES:
        try:
            inside.check()
        except Gone:
            inside.gone()
