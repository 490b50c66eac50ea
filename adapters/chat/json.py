r"""JSON as the servers of the chat-completions wire write it: with characters that were cut in two.

Servers that cut a stream by UTF-16 units, as those in JavaScript do, send one half of a character as `"\ud83d"` and
the other with the next chunk. Strict JSON libraries refuse both.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from ..http.http_errors import Malformed

# What orjson refuses and servers send: halves of characters, and numbers such as -Infinity, which Python's own read.
_LENIENT: Final = re.compile(rb"\\u[dD][89a-fA-F]|\bNaN\b|\bInfinity\b")
_BOM: Final = b"\xef\xbb\xbf"


def parse(data: bytes, *, whole: bool = False) -> Any:
    """The value. Raises ValueError. Where no other half can come, `whole` makes half a character U+FFFD."""
    import orjson

    try:
        return orjson.loads(data)
    except ValueError:
        data = data.removeprefix(_BOM)
        if not _LENIENT.search(data):
            return orjson.loads(data)
    try:
        value = json.loads(data)
    except ValueError as error:  # Python also refuses whole numbers of thousands of digits
        raise Malformed(f"the answer is not JSON: {error}") from None
    return mended(value) if whole else value


class Halves:
    """First halves of characters, waiting for the second, by what they are part of; true if there are any."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[object, str] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def left(self, channel: object) -> bool:
        """Whether half a character is left over there."""
        return channel in self._waiting

    def joined(self, channel: object, piece: str) -> str:
        """The piece with whole characters alone: half a one at its end waits for the next piece."""
        half = self._waiting.pop(channel, "") if self._waiting else ""
        if not half:
            try:
                piece.encode()
            except UnicodeEncodeError:
                pass
            else:
                return piece
        piece = half + piece
        if "\ud800" <= piece[-1:] <= "\udbff":
            self._waiting[channel], piece = piece[-1], piece[:-1]
        joined: str = mended(piece)
        return joined


def mended(value: Any) -> Any:
    """The value with the halves of characters joined; a half that is alone becomes U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [mended(item) for item in value]
    return {key: mended(item) for key, item in value.items()} if isinstance(value, dict) else value


def shown(value: object) -> str:
    """The beginning of what a server sent, bytes or a value that was read, quoted for a message."""
    if not isinstance(value, bytes):
        value = json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace")
    text = " ".join(value[:400].decode("utf-8", "replace").split())
    return repr(text if len(text) <= 120 else text[:117] + "...")
