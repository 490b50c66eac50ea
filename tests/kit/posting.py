"""How the tests post to a server over a transport, and what comes back."""

from __future__ import annotations

import asyncio
from typing import Any

from modelport.adapters.http.http_errors import HTTP, meaning
from modelport.adapters.http.http_transport import HttpTransport
from modelport.adapters.http.post import Post, Timeouts
from modelport.adapters.http.transport import Transport


def post(address: str, timeout: Any = 30, body: bytes = b"{}", **headers: str) -> Post:
    """A question to this address."""
    return Post(address=address, headers=headers, body=body, timeouts=Timeouts.of(timeout))


async def read(transport: Transport, question: Post) -> tuple[int, bytes]:
    """The status and the body of the answer."""
    reply = await transport.send(question)
    chunks = [chunk async for chunk in reply.chunks(transport.bounds.answer)]
    return reply.status, b"".join(chunks)


def answer(address: str, **settings: Any) -> tuple[int, bytes]:
    """The same, over a transport with these settings, in a loop of its own."""
    return asyncio.run(read(HttpTransport(**settings), post(address)))


def failure(address: str, timeout: Any = 30, **settings: Any) -> tuple[str, str, str]:
    """The kind of what goes wrong, whether the question was sent, and the exception's words."""
    try:
        got = asyncio.run(read(HttpTransport(**settings), post(address, timeout)))
    except Exception as error:
        kind, sent = meaning(error, HTTP) or (None, None)
        return str(kind), str(sent), str(error)
    raise AssertionError(f"it was answered: {got}")
