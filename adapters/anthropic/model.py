"""`AnthropicModel`: the Messages API of Anthropic, or of any server that speaks the same wire."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final, Unpack
from urllib.parse import quote

import attrs

from ...domain.capability import Capabilities
from ...domain.facts import anthropic_context_window
from ...domain.options.option_names import ANTHROPIC
from ...domain.request import Request
from ...domain.response import Response
from ...domain.schemas import dialects
from ...domain.schemas.rewriting import Dialect
from ..chat.options import parted
from ..http.address import with_query
from ..http.arguments import base_address, one
from ..http.http_errors import Unwritable
from ..http.http_transport import DEFAULT
from ..http.keys import Key, fetched
from ..http.model import ApiModel
from ..http.post import Post, Timeouts
from ..http.posted import PostedExchange
from ..http.settings import ApiArguments, constructor
from ..http.transport import Reply, Transport
from ..process.secret import Unset, revealed, secrets_in
from .answer import Arriving, decode, decode_event
from .errors import translate
from .request import HEADERS, encode, version_of
from .settings import WHERE, check_arguments, check_headers
from .stream import Reader

__all__ = ["AnthropicModel", "decode", "decode_event", "encode", "translate"]

_URL: Final = "https://api.anthropic.com"
_VERTEX: Final = "/publishers/anthropic/models"
_NO_KEY: Final = (
    "there is no API key: pass api_key=... or set ANTHROPIC_API_KEY; a server that needs none takes any, such as 'none'"
)
_NONE: Final[Mapping[str, Any]] = {}


@attrs.frozen(init=False, kw_only=True, repr=False)
class AnthropicModel(ApiModel):
    """A model behind Anthropic's Messages API.

    Keyword arguments that aren't named here are options of every call (`thinking={"type": "adaptive"}`); `betas` are
    sent as a header. `timeout` is how many seconds the server may be silent; connecting gets 5 of them. `api_key` is
    text, an `Env`, or a function, sync or async, that is asked for it at each call; without it ANTHROPIC_API_KEY, then
    ANTHROPIC_AUTH_TOKEN is read. `base_url` is another server of this wire, or, on Google Cloud, an address that ends
    with `/publishers/anthropic/models`; without it ANTHROPIC_BASE_URL is read. `api_version` says which version of the
    API is spoken: without it the newest that takes what a call says. `transport` is an `HttpTransport` with a proxy,
    certificates or bounds of its own.

    >>> AnthropicModel("claude-sonnet-5-5", max_tokens=500).options
    {'max_tokens': 500}
    """

    known = ANTHROPIC

    base_url: str | None
    api_version: str | None
    _api_key: Key | None = attrs.field(repr=False)
    _transport: Transport | None = None

    @constructor
    def __init__(
        self,
        model_id: str,
        *,
        base_url: str | None = None,
        api_base: str | None = None,
        api_key: Key | None = None,
        api_version: str | None = None,
        transport: Transport | None = None,
        **more: Unpack[ApiArguments],
    ) -> None:
        own: dict[str, Any] = {
            "base_url": base_address(one(WHERE, base_url=base_url, api_base=api_base), f"{WHERE}: base_url"),
            "api_key": api_key,
            "api_version": api_version,
        }
        check_arguments(own, more, transport)
        self._set(more, model_id=model_id, transport=transport, **own)

    def _assumed(self) -> Capabilities:
        window = anthropic_context_window(self.base_model or self.model_id)
        return Capabilities(tools=True, images=True, documents=True, json_schema=True, context_window=window)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "anthropic"

    @property
    def _dialect(self) -> Dialect:
        return dialects.ANTHROPIC

    @property
    def transport(self) -> Transport:
        """What carries its calls."""
        return self._transport or DEFAULT

    def _exchange(self, request: Request) -> _Exchange:
        return _Exchange(self, request)

    @property
    def _base(self) -> str:
        return _checked(self.base_url or os.environ.get("ANTHROPIC_BASE_URL") or _URL)

    async def _post(self, request: Request, stream: bool) -> Post:
        """The question. Raises `Unset`, `Unsupported` or `Unwritable` for one that can't be sent."""
        request, options = self._prepared(request, _NONE)
        options, beside = parted(revealed(options))
        check_headers(options)
        headers = {"content-type": "application/json"}
        base, version, head = self._base, self.api_version or version_of(options), None
        if base.endswith(_VERTEX):
            # cloud.google.com/vertex-ai/generative-ai/docs/partner-models/claude/use-claude
            address = f"{base}/{quote(self.model_id, safe='@')}:{'streamRawPredict' if stream else 'rawPredict'}"
            head = {"anthropic_version": "vertex-2023-10-16" if version == "2023-06-01" else version}
        else:
            address = f"{base}/messages" if base.endswith("/v1") else f"{base}/v1/messages"
            headers["anthropic-version"] = version
        for name in HEADERS.keys() & options.keys():
            value = options[name]
            if value:
                headers[HEADERS[name]] = value if isinstance(value, str) else ",".join(value)
        extra = beside.get("extra_headers") or _NONE
        headers |= {name.lower(): value for name, value in extra.items()}
        body = encode(
            request,
            self.model_id,
            options,
            max_stops=self.capabilities.max_stops,
            stream=stream,
            head=head,
            base_model=self.base_model,
        )
        return Post(
            address=with_query(address, beside.get("extra_query") or _NONE),
            headers={**headers, **await self._identity(headers)},
            body=body,
            timeouts=Timeouts.of(beside.get("timeout", self.timeout)),
        )

    async def _identity(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The header that says who is asking, unless there is one."""
        if "authorization" in headers or "x-api-key" in headers:
            return _NONE
        key = self._api_key or os.environ.get("ANTHROPIC_API_KEY") or os.environ.get("ANTHROPIC_AUTH_TOKEN")
        if not key:
            raise Unset(_NO_KEY)
        return {"authorization": f"Bearer {await fetched(key, 'api_key')}"}


@functools.lru_cache(maxsize=64)
def _checked(base: str) -> str:
    """The address without a slash at its end. Raises `Unwritable`, for the environment's: an argument was checked."""
    try:
        return (base_address(base, "ANTHROPIC_BASE_URL") or "").rstrip("/")
    except ValueError as error:
        raise Unwritable(str(error)) from None


class _Exchange(PostedExchange):
    """One physical request."""

    model: AnthropicModel
    arriving: Arriving
    translate = staticmethod(translate)
    cut_off = "the stream ended without a stop reason"

    def __init__(self, model: AnthropicModel, request: Request) -> None:
        self.transport = model.transport
        super().__init__(model, request, self.transport.bounds)
        self.arriving = Arriving(request.stop_sequences, model.model_id)
        self.reader = Reader(self.arriving, self.bounds.event)
        self.asked: Post | None = None

    def address(self) -> str | None:
        return None if self.asked is None else self.asked.address.partition("?")[0]

    async def post(self, *, stream: bool) -> Reply:
        self.asked = await self.model._post(self.request, stream)
        return await self.transport.send(self.asked)

    def decoded(self, body: bytes) -> Response:
        return decode(body, self.request.stop_sequences, self.model.model_id)

    def secrets(self, error: Exception) -> Iterator[object]:
        for named in (self.model.options, self.request.options):
            yield from secrets_in(named)
        if self.asked is not None:
            yield from secrets_in(dict(self.asked.headers))
        if self.received is not None:
            yield from secrets_in(dict(self.received.asked))
