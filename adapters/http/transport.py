"""What carries a question to a server and its answer back: the port, of which aiohttp and an SDK's client are two.

A transport sends a question once, follows no redirect, keeps no cookie, and gives whatever comes back, a refusal too.
What the network does raises; `http_errors` says what that means.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol

from .bounds import Bounds
from .post import Post


class Reply(Protocol):
    """What a server sends back: its status and its headers, and a body that is read once."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whose names are found however they are spelled."""
        ...

    @property
    def asked(self) -> Mapping[str, str]:
        """The headers that the question was sent with: what stands in them may be a secret."""
        ...

    def chunks(self, most: int) -> AsyncGenerator[bytes]:
        """The body as it comes, unpacked; `TooLarge` is raised once there are more than `most` bytes.

        Closing it early drops the connection. A reader that takes its time holds the server back.
        """
        ...

    async def close(self) -> None:
        """Drop what wasn't read, and the connection with it."""
        ...


class Transport(Protocol):
    """Carries a question to a server, from any thread and event loop."""

    @property
    def bounds(self) -> Bounds:
        """How much of an answer is read."""
        ...

    async def send(self, post: Post, /) -> Reply:
        """Send the question, and give the answer as soon as its headers have come."""
        ...

    async def close(self) -> None:
        """Close the running event loop's connections; the next call opens others."""
        ...
