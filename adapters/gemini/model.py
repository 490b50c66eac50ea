"""`GeminiModel`: Google's models over generateContent, of the Gemini API or of Vertex AI."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypedDict, Unpack

import attrs

from ...domain.capability import Capabilities
from ...domain.facts import gemini_context_window
from ...domain.options.option_names import GEMINI
from ...domain.request import Request
from ...domain.response import Response
from ..chat.calls import made_up_after
from ..chat.options import parted
from ..http.address import with_query
from ..http.arguments import base_address
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
from .request import encode
from .settings import check_arguments, place
from .stream import Reader

__all__ = ["GeminiModel", "decode", "decode_event", "encode", "translate"]

_JSON: Final = {"content-type": "application/json"}
_VARIABLES: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
_NO_KEY: Final = "there is no API key: pass api_key=... or set GEMINI_API_KEY"
_NO_TOKEN: Final = "there is no token for Vertex AI: pass token=..., a function that gives one, or api_key=..."


class Members(TypedDict, total=False):
    """The members of generateContent that are options."""

    audioTimestamp: bool
    cachedContent: str
    enableEnhancedCivicAnswers: bool
    generationConfig: Mapping[str, Any]
    imageConfig: Mapping[str, Any]
    labels: Mapping[str, str]
    mediaResolution: str
    modelArmorConfig: Mapping[str, Any]
    responseModalities: list[str]
    safetySettings: list[Mapping[str, Any]]
    serviceTier: str
    speechConfig: Mapping[str, Any]
    thinkingConfig: Mapping[str, Any]
    toolConfig: Mapping[str, Any]


class GeminiArguments(ApiArguments, Members, total=False):
    """What all models behind an API take, and Gemini's own options."""


@attrs.frozen(init=False, kw_only=True, repr=False)
class GeminiModel(ApiModel):
    """A model of Google's.

    Keyword arguments that aren't named here are options of every call (`temperature=0.2`); generateContent's own
    members (`thinkingConfig`, `safetySettings`, ...) go to their places. `timeout` is how many seconds the server may
    be silent; connecting gets 5 of them. `api_key` is text, an `Env`, or a function, sync or async, that is asked for
    it at each call; without it GEMINI_API_KEY is read, and then GOOGLE_API_KEY. `project` and `location` ask Vertex AI,
    with `token`, which is given as a key is. `base_url` is another address. `base_model` says whose facts hold where
    the id is a name of one's own. `transport` is an `HttpTransport` with a proxy, certificates or bounds of its own.

    >>> GeminiModel("gemini-2.5-flash", temperature=0.2).options
    {'temperature': 0.2}
    """

    known = GEMINI

    base_url: str | None
    project: str | None
    location: str | None
    _api_key: Key | None = attrs.field(repr=False)
    _token: Key | None = attrs.field(repr=False)
    _transport: Transport | None

    @constructor
    def __init__(
        self,
        model_id: str,
        *,
        base_url: str | None = None,
        api_key: Key | None = None,
        token: Key | None = None,
        project: str | None = None,
        location: str | None = None,
        transport: Transport | None = None,
        **more: Unpack[GeminiArguments],
    ) -> None:
        own: dict[str, Any] = {
            "base_url": base_url,
            "api_key": api_key,
            "token": token,
            "project": project,
            "location": location,
        }
        check_arguments(own, more, transport)
        self._set(more, model_id=model_id, transport=transport, **own)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "gemini"

    @property
    def transport(self) -> Transport:
        """What carries its calls."""
        return self._transport or DEFAULT

    def _assumed(self) -> Capabilities:
        # "up to 5" stops: ai.google.dev/api/generate-content, GenerationConfig
        return Capabilities(
            tools=True,
            images=True,
            audio=True,
            documents=True,
            json_object=True,
            json_schema=True,
            max_stops=5,
            context_window=gemini_context_window(self.base_model or self.model_id),
        )

    def _exchange(self, request: Request) -> _Exchange:
        return _Exchange(self, request)

    async def _post(self, request: Request, stream: bool) -> Post:
        """The question. Raises `Unset`, `Unsupported` or `Unwritable` for one that can't be sent."""
        request, options = self._prepared(request, {})
        options, beside = parted(revealed(options))
        body = encode(request, self.base_model or self.model_id, options, max_stops=self.capabilities.max_stops)
        address = _place(
            self.base_url or os.environ.get("GOOGLE_GEMINI_BASE_URL"), self.project, self.location, self.model_id
        )
        query = {**({"alt": "sse"} if stream else {}), **(beside.get("extra_query") or {})}
        headers = {**_JSON, **{name.lower(): value for name, value in (beside.get("extra_headers") or {}).items()}}
        return Post(
            address=with_query(f"{address}:{'streamGenerateContent' if stream else 'generateContent'}", query),
            headers={**headers, **await self._identity(headers)},
            body=body,
            timeouts=Timeouts.of(beside.get("timeout", self.timeout)),
        )

    async def _identity(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers that say who is asking, unless one of `headers` does. Raises `Unset`."""
        if "x-goog-api-key" in headers or "authorization" in headers:
            return {}
        if self._token is not None:
            return {"authorization": f"Bearer {await fetched(self._token, 'token')}"}
        key = self._api_key
        if key is None and self.project is not None:
            raise Unset(_NO_TOKEN)
        if key is None:
            key = next(filter(None, map(os.environ.get, _VARIABLES)), None)
        if not key:
            raise Unset(_NO_KEY)
        return {"x-goog-api-key": await fetched(key, "api_key")}


@lru_cache(maxsize=64)
def _place(base: str | None, project: str | None, location: str | None, model_id: str) -> str:
    """Where it is. Raises `Unwritable`, for the environment's address: an argument was checked before."""
    try:
        return place(base_address(base, "GOOGLE_GEMINI_BASE_URL"), project, location, model_id)
    except ValueError as error:
        raise Unwritable(str(error)) from None


class _Exchange(PostedExchange):
    """One physical request."""

    model: GeminiModel
    arriving: Arriving
    translate = staticmethod(translate)

    def __init__(self, model: GeminiModel, request: Request) -> None:
        super().__init__(model, request, model.transport.bounds)
        self._made_up = made_up_after(request.messages)
        self.arriving = Arriving(request.stop_sequences, self._made_up)
        self.reader = Reader(self.arriving, self.bounds.event)
        self._asked: Post | None = None

    def address(self) -> str | None:
        return None if self._asked is None else self._asked.address.partition("?")[0].rpartition(":")[0]

    async def post(self, *, stream: bool) -> Reply:
        self._asked = asked = await self.model._post(self.request, stream)
        return await self.model.transport.send(asked)

    def decoded(self, body: bytes) -> Response:
        return decode(body, self.request.stop_sequences, self._made_up)

    def secrets(self, error: Exception) -> Iterator[object]:
        for named in (self.model.options, self.request.options):
            yield from secrets_in(named)
        if self._asked is not None:
            yield from secrets_in(dict(self._asked.headers))
        if self.received is not None:
            yield from secrets_in(dict(self.received.asked))
