"""A packed body, unpacked in small pieces, so that whoever counts them can stop before there are too many.

gzip and deflate are asked for and read. Servers send deflate with and without zlib's frame; both are read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

from .http_errors import CutOff, Malformed

ACCEPTED: Final = "gzip, deflate"
PIECE: Final = 64 * 1024
"""The bytes that one piece holds at most."""

_GZIP, _ZLIB, _BARE = 31, 15, -15  # what zlib calls `wbits`


def unpacker(encoding: str | None) -> Unpacker | None:
    """What unpacks a body of this `content-encoding`; None where it isn't packed. Raises `Malformed`."""
    coding = (encoding or "").strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Malformed(f"the answer is packed as {coding[:40]!r}, which wasn't asked for")
    return Unpacker(coding != "deflate")


class Unpacker:
    """Unpacks one body."""

    __slots__ = ("_gzip", "_inside")

    def __init__(self, gzip: bool) -> None:
        self._gzip = gzip
        self._inside: Any = None

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """What these bytes hold, piece by piece. Raises `Malformed`."""
        while packed:
            if self._inside is None:
                self._inside = zlib.decompressobj(_GZIP if self._gzip else _ZLIB if _has_frame(packed) else _BARE)
            try:
                piece = self._inside.decompress(packed, PIECE)
            except zlib.error as error:
                raise Malformed(f"the answer can't be unpacked: {error}") from None
            if piece:
                yield piece
            if self._inside.unused_data:
                raise Malformed("the answer can't be unpacked: more follows after its end")
            packed = self._inside.unconsumed_tail

    def end(self) -> None:
        """That no more comes. Raises `CutOff` where something is missing."""
        if self._inside is not None and not self._inside.eof:
            raise CutOff("the packed answer broke off")


def _has_frame(packed: bytes) -> bool:
    return packed[0] & 0x0F == 8
