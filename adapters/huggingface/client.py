"""The transport of a model that was given a client of the SDK: HTTP clients as the SDK's factory makes them.

What the client was made with, its token, headers and cookies, stands in the question already. Its proxies and
certificates are those of `huggingface_hub.set_async_client_factory`; redirects aren't followed.
"""

from __future__ import annotations

from typing import Any

from ..http.bounds import BOUNDS, Bounds
from ..http.post import TIMEOUT, Post, Timeouts
from ..http.reply import HttpxReply
from ..http.transport import Reply
from ..process.per_loop import PerLoop


class ClientTransport:
    """Carries the calls of one model."""

    __slots__ = ("_https",)

    def __init__(self) -> None:
        self._https: PerLoop[Any] = PerLoop()

    @property
    def bounds(self) -> Bounds:
        """How much of an answer is read."""
        return BOUNDS

    async def send(self, post: Post, /) -> Reply:
        """Send the question, and give the answer as soon as its headers have come."""
        http = await self._https.get(_made, _closed)
        timeouts = post.timeouts or Timeouts.of(TIMEOUT)
        waits = (timeouts.connect, timeouts.silence, timeouts.silence, timeouts.silence)  # the last is for the pool
        asked = http.build_request(post.method, post.address, content=post.body, headers=post.headers, timeout=waits)
        return HttpxReply(await http.send(asked, stream=True, follow_redirects=False))

    async def close(self) -> None:
        """Close the running event loop's connections; the next call opens others."""
        await self._https.drop()


def _made() -> Any:
    from huggingface_hub import get_async_session

    return get_async_session()


async def _closed(http: Any) -> None:
    await http.aclose()
