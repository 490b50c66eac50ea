"""An answer as bytes, read as far as it is to be: whole, as it comes, or only the beginning of a refusal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from .bounds import Bounds, TooLarge
from .transport import Reply


class Refused(Exception):
    """The server refused: its status, its headers, and what was read of the body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        super().__init__(f"HTTP status {status}")
        self.status, self.headers, self.body = status, headers, body


async def checked(reply: Reply, bounds: Bounds) -> Reply:
    """The answer, if it is one. Raises `Refused` where the status isn't one of success."""
    if 200 <= reply.status < 300:
        return reply
    body = []
    left = bounds.refusal
    async with aclosing(reply.chunks(bounds.answer)) as chunks:
        async for chunk in chunks:
            body.append(chunk[:left])
            left -= len(chunk)
            if left <= 0:  # it is only to be shown
                break
    raise Refused(reply.status, reply.headers, b"".join(body))


async def whole(reply: Reply, bounds: Bounds) -> bytes:
    """The whole body. Raises `TooLarge`."""
    async with aclosing(reply.chunks(bounds.answer)) as chunks:
        return b"".join([chunk async for chunk in chunks])


class HttpxReply:
    """An answer that a client on httpx has received, an SDK's for one."""

    __slots__ = ("_response", "headers", "status")

    def __init__(self, response: Any) -> None:
        self._response = response
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    @property
    def asked(self) -> Mapping[str, str]:
        """The headers that the question was sent with, those of the client too."""
        headers: Mapping[str, str] = self._response.request.headers
        return headers

    async def chunks(self, most: int) -> AsyncGenerator[bytes]:
        """The body as it comes, unpacked. Raises `TooLarge`."""
        left = most
        try:
            async with aclosing(self._response.aiter_bytes()) as chunks:
                async for chunk in chunks:
                    left -= len(chunk)
                    if left < 0:
                        raise TooLarge("the answer", most, "answer")
                    yield chunk
        finally:
            await self._response.aclose()

    async def close(self) -> None:
        """Drop what wasn't read."""
        await self._response.aclose()
