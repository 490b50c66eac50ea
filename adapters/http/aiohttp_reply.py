"""An answer as aiohttp reads it from a connection, which serves the next call once the body has come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from .bounds import TooLarge
from .unpacking import unpacker


class AiohttpReply:
    """The answer on a connection of aiohttp's."""

    __slots__ = ("_connection", "_content", "asked", "headers", "status")

    def __init__(self, connection: Any, message: Any, content: Any, asked: Mapping[str, str]) -> None:
        self._connection, self._content, self.asked = connection, content, asked
        self.status: int = message.code
        self.headers: Mapping[str, str] = message.headers
        if self.status >= 500:
            connection.protocol.force_close()
        content.on_eof(self._ended)

    async def chunks(self, most: int) -> AsyncGenerator[bytes]:
        """The body as it comes, unpacked. Raises `TooLarge`."""
        content = self._content
        left, packed = most, 0
        try:
            unpack = unpacker(self.headers.get("content-encoding"))
            while chunk := await content.readany():
                if unpack is None:
                    left -= len(chunk)
                    if left < 0:
                        raise TooLarge("the answer", most, "answer")
                    yield chunk
                    continue
                packed += len(chunk)
                for piece in unpack.feed(chunk):
                    left -= len(piece)
                    if left < 0:
                        raise TooLarge("the answer", most, "answer")
                    yield piece
                if packed > most:  # of nothing but empty blocks
                    raise TooLarge("the answer", most, "answer")
            if unpack is not None:
                unpack.end()
        finally:
            if not content.at_eof():
                await self.close()

    async def close(self) -> None:
        """Drop what wasn't read, and the connection with it."""
        drop(self._connection)

    def _ended(self) -> None:
        if is_sent(self._connection):
            self._connection.release()
        else:
            drop(self._connection)


def is_sent(connection: Any) -> bool:
    """Whether nothing waits to be sent; also of a connection that is no more."""
    transport = connection.transport
    return transport is None or not transport.get_write_buffer_size()


def drop(connection: Any) -> None:
    """Close a connection at once: what the server hasn't read yet of a question isn't sent any more."""
    if not is_sent(connection):
        connection.transport.abort()
    connection.close()
