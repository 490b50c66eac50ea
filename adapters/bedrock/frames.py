"""AWS's binary event stream: bytes in, frames out, each with both of its checksums checked. Pure; knows no SDK.

A frame is a prelude (its length, that of its headers, the CRC-32 of the two), headers, a payload, and the CRC-32 of all
before: docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from struct import Struct
from typing import Final
from zlib import crc32

from ..http.bounds import BOUNDS, TooLarge

_PRELUDE: Final = Struct(">III")
_NUMBER: Final = Struct(">I")
_LIMIT: Final = 24 * 1024 * 1024 + 128 * 1024  # of botocore: a longer one isn't a frame
_SIZES: Final[Mapping[int, int]] = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}  # of values that have one
_BYTES, _STRING = 6, 7


class Corrupt(ValueError):
    """What came is no frame, or not the one that was sent."""


class Frames:
    """Cuts a stream into frames, however its bytes fall."""

    __slots__ = ("_held", "_most")

    def __init__(self, most: int = BOUNDS.event) -> None:
        self._held, self._most = b"", most

    @property
    def broken(self) -> bool:
        """Whether the stream stands in the midst of a frame."""
        return bool(self._held)

    def feed(self, data: bytes) -> Iterator[tuple[Mapping[str, str], bytes]]:
        """The headers and the payload of each frame that is whole now. Raises `Corrupt`, or `TooLarge` for one."""
        if self._held:
            data = self._held + data
        at, end = 0, len(data)
        try:
            while end - at >= 12:
                length, headers, checksum = _PRELUDE.unpack_from(data, at)
                if crc32(data[at : at + 8]) != checksum:
                    raise Corrupt(
                        "the stream is no event stream, or it was damaged: the checksum of a prelude is wrong"
                    )
                if not 16 + headers <= length <= _LIMIT:
                    raise Corrupt(f"a frame of {length} bytes with {headers} bytes of headers can't be")
                if length > self._most:
                    raise TooLarge("an event of the stream", self._most, "event")
                if end - at < length:
                    break
                body = at + length - 4
                if crc32(data[at:body]) != _NUMBER.unpack_from(data, body)[0]:
                    raise Corrupt("an event was damaged: its checksum is wrong")
                start = at + 12 + headers
                at += length
                yield _headers(data[start - headers : start]), data[start:body]
        finally:
            self._held = data[at:]


@lru_cache(maxsize=256)  # each kind of event always has the same
def _headers(data: bytes) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            named = at + 1 + data[at]
            name, kind = data[at + 1 : named].decode(), data[named]
            at = named + 1
            if kind in (_BYTES, _STRING):
                size = int.from_bytes(data[at : at + 2], "big")
                at += 2
                if kind == _STRING:
                    headers[name] = data[at : at + size].decode()
            else:
                size = _SIZES[kind]
            at += size
        if at > len(data):
            raise IndexError
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise Corrupt(f"the headers of an event can't be read: {type(error).__name__}") from None
    return headers
