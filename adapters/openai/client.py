"""A client of the OpenAI SDK that the user injects, as a transport: its `post` carries the bytes that are made here.

Its addresses, keys, headers, proxies and timeouts hold; its retries and redirects are off.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from ..http.bounds import BOUNDS, Bounds
from ..http.http_errors import Unwritable
from ..http.post import Post
from ..http.reply import HttpxReply
from ..http.transport import Reply
from . import sdk as openai_sdk

_OF_A_DEPLOYMENT: Final = ("chat/completions",)  # Azure has Responses beside its deployments
_CLOSED: Final = "the client is closed: one that is passed in serves one event loop; without client= each has its own"


def address_of(client: Any, model_id: str, path: str) -> str:
    """Where this client posts for this model; `path` is that of the wire, such as `chat/completions`."""
    from openai import AsyncAzureOpenAI

    base = str(client.base_url)
    base = base if base.endswith("/") else f"{base}/"
    deployed = isinstance(client, AsyncAzureOpenAI) and path in _OF_A_DEPLOYMENT
    if deployed and "/deployments" not in str(client.base_url.path):
        return f"{base}deployments/{quote(model_id, safe='')}/{path}"  # the SDK would look into its own body
    return f"{base}{path}"


class ClientTransport:
    """Carries calls through an `openai.AsyncOpenAI` or `AsyncAzureOpenAI`. It is its owner's to close."""

    __slots__ = ("_client",)

    def __init__(self, client: Any) -> None:
        self._client = client

    @property
    def bounds(self) -> Bounds:
        """How much of an answer is read."""
        return BOUNDS

    async def send(self, post: Post, /) -> Reply:
        """Send the question, and give the answer as soon as its headers have come."""
        openai_sdk.check()
        import httpx2
        import openai

        if self._client.is_closed():
            raise Unwritable(_CLOSED)
        parts = urlsplit(post.address)
        # Sent on to another address, the SDK would take along the question and each header but Authorization.
        options: dict[str, Any] = {"max_retries": 0, "follow_redirects": False, "headers": post.headers}
        if parts.query:
            options["params"] = {name: it if it[1:] else it[0] for name, it in parse_qs(parts.query, True).items()}
        if post.timeouts is not None:
            options["timeout"] = openai.Timeout(post.timeouts.silence, connect=post.timeouts.connect)
        try:
            response = await self._client.post(
                parts._replace(query="").geturl(),
                cast_to=httpx2.Response,
                content=post.body,
                options=options,
                stream=True,
                stream_cls=openai.AsyncStream,
            )
        except openai.APIStatusError as refusal:
            response = refusal.response
        return HttpxReply(response)

    async def close(self) -> None:
        """Nothing: its owner closes the client."""
