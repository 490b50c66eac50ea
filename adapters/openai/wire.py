"""The wires of OpenAI and Azure: what is posted for a request, and over which transport.

Models differ in where they post to, in who they say is asking, and in the words of the body: for chat completions
`chat.request` makes the bytes, `chat.answer` and `chat.stream` read them. A client of the SDK that was injected is a
transport, too: it brings its own address, and says itself who is asking.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import attrs

from ...domain.capability import Capabilities
from ...domain.facts import wants_max_completion_tokens
from ...domain.options.option_names import CHAT
from ...domain.request import Request
from ..chat.exchange import WITH_USAGE, ChatExchange
from ..chat.options import assumed, parted
from ..chat.request import encode
from ..http.address import with_query
from ..http.http_transport import DEFAULT
from ..http.model import ApiModel
from ..http.post import Post, Timeouts
from ..http.posted import PostedExchange
from ..http.transport import Reply, Transport
from ..process.secret import revealed, secrets_in
from .client import ClientTransport, address_of
from .errors import translate
from .server import Server

_JSON: Final = {"content-type": "application/json"}
_NONE: Final[Mapping[str, Any]] = {}


@attrs.frozen(kw_only=True, repr=False)
class OpenAIWire(ApiModel):
    """A model behind one of OpenAI's wires.

    An adapter says where it is, which headers say who is asking, and what is in the body.
    """

    path: ClassVar[str]
    """What stands behind the base of the address."""

    _transport: Transport | None = None

    @property
    def transport(self) -> Transport:
        """What carries its calls."""
        return self._transport or DEFAULT

    @property
    def _carrier(self) -> Transport:
        """What carries a call: the client that was injected, if one was."""
        return self.transport if self._client is None else ClientTransport(self._client)

    @property
    def _row(self) -> Server | None:
        """The row of the server, where it is known by name."""
        return None

    @abstractmethod
    def _address(self) -> tuple[str, Mapping[str, Any]]:
        """Where it posts to, and the query there. Raises `Unset`."""

    @abstractmethod
    async def _identity(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The headers that say who is asking, unless one of `headers`, by names in lower case, does. Raises `Unset`."""

    @abstractmethod
    def _encoded(self, request: Request, stream: bool) -> tuple[bytes, dict[str, Any]]:
        """The body, and what goes beside it in this call."""

    def _told(self, name: str, value: Any) -> Any:
        """The value of an argument, or what stands for it in `client_kwargs`."""
        return self._client_kwargs.get(name) if value is None else value

    async def _post(self, request: Request, stream: bool) -> Post:
        """The question. Raises `Unset`, `Unsupported` or `Unwritable` for one that can't be sent."""
        body, beside = self._encoded(request, stream)
        kwargs = revealed(self._client_kwargs) if self._client_kwargs else _NONE
        address, query = self._address()
        query = {**query, **(kwargs.get("default_query") or _NONE), **(beside.get("extra_query") or _NONE)}
        headers = {**_JSON, **_lower(kwargs.get("default_headers")), **_lower(beside.get("extra_headers"))}
        return Post(
            address=with_query(address, query),
            headers={**headers, **await self._identity(headers)},
            body=body,
            timeouts=Timeouts.of(beside.get("timeout", kwargs.get("timeout", self.timeout))),
        )


class ChatWire(OpenAIWire):
    """A model behind the chat-completions wire."""

    __slots__ = ()
    known = CHAT
    path = "chat/completions"

    def _assumed(self) -> Capabilities:
        return assumed(self.base_model or self.model_id)

    @property
    def _knows_cache_markers(self) -> bool:
        return False

    @property
    def _wants_reasoning_as(self) -> str | None:
        return None

    @property
    def _reads_calls_in_text(self) -> bool:
        return False

    def _exchange(self, request: Request) -> _Exchange:
        return _Exchange(self, request)

    def _encoded(self, request: Request, stream: bool) -> tuple[bytes, dict[str, Any]]:
        row = self._row
        asks = stream and (row is None or row.tells_usage_if_asked)
        request, options = self._prepared(request, WITH_USAGE if asks else {})
        if row is not None:
            request, options = row.taken(request, options)
        options, beside = parted(revealed(options))
        refuses = wants_max_completion_tokens(self.base_model or self.model_id)
        body = encode(
            request,
            self.model_id,
            options,
            max_stops=self.capabilities.max_stops,
            stream=stream,
            provider=self.provider,
            max_tokens_name="max_completion_tokens" if refuses else "max_tokens",
            cache_markers=self._knows_cache_markers,
            reasoning_name=self._wants_reasoning_as,
        )
        return body, beside


class OpenAIExchange(PostedExchange):
    """One physical request, on whichever wire: that is read by what it is combined with."""

    model: OpenAIWire
    transport: Transport
    asked: Post | None = None
    translate = staticmethod(translate)

    def address(self) -> str | None:
        return None if self.asked is None else self.asked.address.partition("?")[0].removesuffix(f"/{self.model.path}")

    async def post(self, *, stream: bool) -> Reply:
        model = self.model
        asked = self._of_the_client(stream) if model._client is not None else await model._post(self.request, stream)
        self.asked = asked
        return await self.transport.send(asked)

    def _of_the_client(self, stream: bool) -> Post:
        """The question as the injected client is to be given it: all but what this call says is its own."""
        model = self.model
        body, beside = model._encoded(self.request, stream)
        return Post(
            address=with_query(
                address_of(model._client, model.model_id, model.path), beside.get("extra_query") or _NONE
            ),
            headers=_lower(beside.get("extra_headers")),
            body=body,
            timeouts=Timeouts.of(beside["timeout"]) if "timeout" in beside else None,
        )

    def secrets(self, error: Exception) -> Iterator[object]:
        model = self.model
        for named in (model._client_kwargs, model.options, self.request.options):
            yield from secrets_in(named)
        for asked in (self.asked, getattr(error, "request", None)):
            yield from secrets_in(dict(getattr(asked, "headers", _NONE)))
        if self.received is not None:
            yield from secrets_in(dict(self.received.asked))
        yield getattr(model._client, "api_key", None)


class _Exchange(OpenAIExchange, ChatExchange):
    """One physical request for a chat completion."""

    def __init__(self, model: ChatWire, request: Request) -> None:
        self.transport = model._carrier
        in_text = model._reads_calls_in_text
        super().__init__(model, request, model.provider, self.transport.bounds, calls_in_text=in_text)


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    """A header is one however it is spelled: the last that was given stands."""
    return {name.lower(): value for name, value in headers.items()} if headers else {}
