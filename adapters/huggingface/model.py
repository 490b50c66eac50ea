"""`InferenceClientModel`: chat completions through Hugging Face, of its inference providers, or of an endpoint.

The SDK routes: which provider, at which address, with whose token, billed to whom. The JSON is written, carried and
read here, as on every other chat-completions wire. `sdk` names what is used of the SDK.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final, Unpack

import attrs

from ...domain.capability import Capabilities
from ...domain.error import ModelError, Sent
from ...domain.facts import wants_max_completion_tokens
from ...domain.frozen import FrozenDict, freeze_mapping
from ...domain.options.option_names import CHAT
from ...domain.request import Request
from ...domain.response_format import Free, ResponseFormat
from ..chat.answer import decode, decode_event
from ..chat.exchange import WITH_USAGE, ChatExchange
from ..chat.options import assumed, parted
from ..chat.request import encode, wire_format
from ..http.address import with_query
from ..http.arguments import one
from ..http.http_errors import Unwritable
from ..http.http_transport import DEFAULT as SHARED
from ..http.model import ApiModel
from ..http.post import Post, Timeouts
from ..http.settings import ApiArguments, constructor
from ..http.transport import Reply, Transport
from ..process.secret import Env, revealed, secrets_in
from ..settings import check_kind
from . import sdk
from .client import ClientTransport
from .errors import translate
from .routes import Routes
from .settings import check_arguments, is_address

__all__ = ["InferenceClientModel", "decode", "decode_event", "encode", "translate"]

DEFAULT: Final = "Qwen/Qwen3-Next-80B-A3B-Thinking"
"""The model that smolagents takes where none is named."""

_NAME: Final = "huggingface"
_WHERE: Final = "InferenceClientModel"
_NONE: Final[Mapping[str, Any]] = {}
_FREE: Final = Free()


@attrs.frozen(init=False, kw_only=True, repr=False)
class InferenceClientModel(ApiModel):
    """A model that Hugging Face, one of its inference providers, or an endpoint serves.

    Keyword arguments that aren't named here are options of every call (`temperature=0.2`). `provider` is one of the
    SDK's (`novita`, `together`, ...); without it, or with `auto`, the router chooses, or is told by the model's name
    (`org/name:novita`). `base_url` is an endpoint of your own, and `model_id` may be one. `token` is also spelled
    `api_key`; without it the SDK reads HF_TOKEN, then the stored login. `timeout` is how many seconds the server may be
    silent; connecting gets 5 of them. `transport` is an `HttpTransport` with a proxy, certificates or bounds of its
    own. Of a `client` that is passed in (a `huggingface_hub.AsyncInferenceClient`) the settings hold, and the SDK's
    factory of HTTP clients; its redirects are off. With `tool_calls_in_text` calls that the server leaves in the text
    are read as those of local models are. `client_kwargs` may hold `headers` and `cookies`.

    >>> InferenceClientModel("Qwen/Qwen3-32B", provider="novita", temperature=0.2).options
    {'temperature': 0.2}
    """

    known = CHAT

    _provider: str | None
    base_url: str | None
    bill_to: str | None
    _token: str | Env | None = attrs.field(repr=False)
    _headers: FrozenDict | None = attrs.field(repr=False, hash=False)
    _cookies: FrozenDict | None = attrs.field(repr=False, hash=False)
    _transport: Transport | None = None
    tool_calls_in_text: bool = False
    _routes: Routes = attrs.field(init=False, factory=Routes, eq=False, repr=False)
    _of_client: Transport = attrs.field(init=False, factory=ClientTransport, eq=False, repr=False)

    @constructor
    def __init__(
        self,
        model_id: str = DEFAULT,
        *,
        provider: str | None = None,
        token: str | Env | None = None,
        api_key: str | Env | None = None,
        bill_to: str | None = None,
        base_url: str | None = None,
        api_base: str | None = None,
        headers: Mapping[str, Any] | None = None,
        cookies: Mapping[str, Any] | None = None,
        tool_calls_in_text: bool = False,
        transport: Transport | None = None,
        **more: Unpack[ApiArguments],
    ) -> None:
        own: dict[str, Any] = {
            "provider": provider,
            "token": one(_WHERE, token=token, api_key=api_key),
            "bill_to": bill_to,
            "base_url": one(_WHERE, base_url=base_url, api_base=api_base),
            "headers": headers,
            "cookies": cookies,
        }
        check_arguments(model_id, own, more, transport)
        check_kind(_WHERE, "tool_calls_in_text", tool_calls_in_text, bool, "True or False")
        own["headers"] = None if headers is None else freeze_mapping(headers)
        own["cookies"] = None if cookies is None else freeze_mapping(cookies)
        own["tool_calls_in_text"] = tool_calls_in_text
        self._set(more, model_id=model_id, transport=transport, **own)

    def _assumed(self) -> Capabilities:
        return attrs.evolve(assumed(self.base_model or self.model_id), audio=False, documents=False)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts: whose account it is, and where a provider was chosen, which."""
        provider = self._client.provider if self._client is not None else self._provider
        return _NAME if provider in (None, "auto") else f"{_NAME}/{provider}"

    @property
    def transport(self) -> Transport:
        """What carries its calls."""
        return self._of_client if self._client is not None else self._transport or SHARED

    def _exchange(self, request: Request) -> _Exchange:
        return _Exchange(self, request)

    def _encoded(self, request: Request, options: Mapping[str, Any], route: sdk.Route, stream: bool) -> bytes:
        if route.response_format is not None:  # as this provider wants it
            request = attrs.evolve(request, response_format=_FREE)
            options = {"response_format": route.response_format, **options}
        # Hugging Face knows `max_tokens`; OpenAI, reached with its own key, no longer for models that reason.
        renamed = self.provider == f"{_NAME}/openai" and wants_max_completion_tokens(self.base_model or self.model_id)
        return encode(
            request,
            route.model_id,
            options,
            max_stops=self.capabilities.max_stops,
            stream=stream,
            provider=_NAME,
            max_tokens_name="max_completion_tokens" if renamed else "max_tokens",
        )

    async def _post(self, request: Request, stream: bool) -> Post:
        """The question. Raises what asking the hub does, and `Unset`, `Unsupported` or `Unwritable`."""
        request, options = self._prepared(request, WITH_USAGE if stream else {})
        options, beside = parted(revealed(options))
        client = self._client
        seconds = beside.get("timeout", (None if client is None else client.timeout) or self.timeout)
        place = (self.base_url if client is None else client.model) or self.model_id
        # The SDK writes a schema for a server of one's own as TGI does, and others then ignore it without a word.
        form = None if is_address(place) else _form(request.response_format)
        key: object = None
        if client is not None:
            token, cookies = client.token, client.cookies
            ask = functools.partial(sdk.route, self.model_id, token, form, client=client)
        else:
            told = (self._token, self._told("headers", self._headers), self._told("cookies", self._cookies))
            token, headers, cookies = map(revealed, told)
            token = token and token.strip()  # what was read from a file ends in a line break
            if token is not None and form is None:  # a stored login may change meanwhile
                key = (token, headers)
            own = {"provider": self._provider, "base_url": self.base_url, "bill_to": self.bill_to, "headers": headers}
            ask = functools.partial(sdk.route, self.model_id, token, form, **own)
        route = await self._routes.find(ask, key, fast=token is not None, seconds=seconds, model_id=self.model_id)
        own_headers = {name.lower(): value for name, value in (beside.get("extra_headers") or _NONE).items()}
        return Post(
            address=with_query(route.url, beside.get("extra_query") or _NONE),
            headers={**route.headers, **_cookie(cookies), **own_headers},
            body=self._encoded(request, options, route, stream),
            timeouts=Timeouts.of(seconds),
        )

    def _told(self, name: str, value: Any) -> Any:
        """The value of an argument, or what stands for it in `client_kwargs`."""
        return self._client_kwargs.get(name) if value is None else value


class _Exchange(ChatExchange):
    """One physical request along the SDK's route."""

    model: InferenceClientModel
    translate = staticmethod(translate)

    def __init__(self, model: InferenceClientModel, request: Request) -> None:
        self.transport = model.transport
        in_text = model.tool_calls_in_text
        super().__init__(model, request, _NAME, self.transport.bounds, calls_in_text=in_text)
        self.asked: Post | None = None

    async def post(self, *, stream: bool) -> Reply:
        self.asked = asked = await self.model._post(self.request, stream)
        return await self.transport.send(asked)

    def address(self) -> str | None:
        return None if self.asked is None else self.asked.address

    def translated(self, error: Exception) -> ModelError:
        """What went wrong. Before there is a question, nothing was sent."""
        translated = super().translated(error)
        return translated if self.asked is not None else attrs.evolve(translated, sent=Sent.NO)

    def secrets(self, error: Exception) -> Iterator[object]:
        model, client = self.model, self.model._client
        if self.asked is not None:
            yield from secrets_in(dict(self.asked.headers))
        if self.received is not None:
            yield from secrets_in(dict(self.received.asked))
        held = {"token": model._token, "headers": model._headers, "cookies": model._cookies}
        of_the_client = {name: getattr(client, name, None) for name in held}
        for named in (held, of_the_client, model._client_kwargs, model.options, self.request.options):
            yield from secrets_in(named)


def _form(form: ResponseFormat) -> dict[str, Any] | None:
    """As the SDK takes it. The schema is sealed: the SDK would take every null out of it, and null is a value there."""
    wire = wire_format(form)
    if wire is None or "json_schema" not in wire:
        return wire
    import orjson

    try:
        sealed = orjson.Fragment(orjson.dumps(wire["json_schema"]["schema"]))
    except TypeError as error:
        raise Unwritable(f"response_format: the schema can't be written as JSON: {error}") from None
    return {**wire, "json_schema": {**wire["json_schema"], "schema": sealed}}


def _cookie(cookies: Mapping[str, str] | None) -> Mapping[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else _NONE
