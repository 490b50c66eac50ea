"""`InferenceClientModel`: chat completions through Hugging Face, of its inference providers, or of an endpoint.

The SDK routes: which provider, at which address, with whose token, billed to whom. The JSON is written and read here,
as on every other chat-completions wire. `sdk` names what is used of the SDK.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Final, Unpack
from urllib.parse import parse_qs

import attrs

from ...domain.capability import Capabilities
from ...domain.error import ModelError, Sent
from ...domain.facts import wants_max_completion_tokens
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.option_names import CHAT
from ...domain.request import Request
from ...domain.response_format import Free, ResponseFormat
from ...domain.secrecy import is_secret
from ..chat.answer import decode, decode_event
from ..chat.exchange import WITH_USAGE, ChatExchange
from ..chat.options import CHECKED, assumed, check_call
from ..chat.request import encode, wire_format
from ..http.arguments import check, check_alone, check_text, one, parts_of
from ..http.http_errors import Unwritable
from ..http.model import ApiModel
from ..http.reply import HttpxReply
from ..http.settings import ApiArguments, constructor
from ..http.transport import Reply
from ..process.per_loop import PerLoop
from ..process.secret import Env, revealed, secrets_in
from ..settings import check_kind
from .errors import translate
from .sdk import Connection, Route, connect, cookie_header, parsed

__all__ = ["InferenceClientModel", "decode", "decode_event", "encode", "translate"]

DEFAULT: Final = "Qwen/Qwen3-Next-80B-A3B-Thinking"
"""The model that smolagents takes where none is named."""

_NAME: Final = "huggingface"
_OF_A_CALL: Final = ("extra_headers", "extra_query", "timeout")
_OURS: Final = frozenset({"model", "provider", "token", "api_key", "timeout", "base_url", "bill_to"})
_FREE: Final = Free()


@attrs.frozen(init=False, kw_only=True, repr=False)
class InferenceClientModel(ApiModel):
    """A model that Hugging Face, one of its inference providers, or an endpoint serves.

    Keyword arguments that aren't named here are options of every call (`temperature=0.2`). `provider` is one of the
    SDK's (`novita`, `together`, ...); without it, or with `auto`, the router chooses, or is told by the model's name
    (`org/name:novita`). `base_url` is an endpoint of your own, and `model_id` may be one. `token` is also spelled
    `api_key`; without it the SDK reads HF_TOKEN, then the stored login. `timeout` is how many seconds the server may be
    silent; connecting gets 5 of them. A `client` that is passed in (a `huggingface_hub.AsyncInferenceClient`, bound to
    one event loop) is used as it is. `client_kwargs` go to the client that is made for each event loop.

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
    _connections: PerLoop[Connection] = attrs.field(init=False, factory=PerLoop, eq=False, repr=False)

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
        **more: Unpack[ApiArguments],
    ) -> None:
        where = "InferenceClientModel"
        client, client_kwargs = more.get("client"), more.get("client_kwargs")
        check(where, model_id, more.get("timeout"))
        token = one(where, token=token, api_key=api_key)
        base_url = one(where, base_url=base_url, api_base=api_base)
        if token is not None and not isinstance(token, (str, Env)):
            raise TypeError(f"{where}: token is text or Env('HF_TOKEN'), not {type(token).__name__}")
        if isinstance(token, str) and not token.strip():
            raise ValueError(f"{where}: token is empty, so the stored login would be sent: omit it, or pass 'none'")
        check_text(f"{where}: provider", provider)
        check_text(f"{where}: bill_to", bill_to)
        _check_address(where, model_id, base_url, provider)
        own: dict[str, Any] = {"provider": provider, "token": token, "bill_to": bill_to, "base_url": base_url}
        own |= {"headers": headers, "cookies": cookies}
        _check_client(where, model_id, client, {**own, "client_kwargs": client_kwargs})
        check_kind(where, "client_kwargs", client_kwargs, Mapping, "a dict of arguments of the SDK's client")
        kwargs: Mapping[str, Any] = client_kwargs or {}
        for sent in ({"headers": headers, "cookies": cookies}, kwargs):
            _check_pairs(where, "headers", sent.get("headers"), (str, Env, type(None)))  # None: not to be sent
            _check_pairs(where, "cookies", sent.get("cookies"), (str, Env))
        twice = [name for name in kwargs if name in _OURS or own.get(name) is not None]
        if twice:
            raise ValueError(f"{where}: client_kwargs: no {', '.join(twice)}; {twice[0]}= is an argument of the model")
        check_call(more, f"{where}: ")
        own["headers"] = None if headers is None else freeze_mapping(headers)
        own["cookies"] = None if cookies is None else freeze_mapping(cookies)
        self._set(more, model_id=model_id, **own)

    def _assumed(self) -> Capabilities:
        return attrs.evolve(assumed(self.base_model or self.model_id), audio=False, documents=False)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts: whose account it is, and where a provider was chosen, which."""
        provider = self._client.provider if self._client is not None else self._provider
        return _NAME if provider in (None, "auto") else f"{_NAME}/{provider}"

    def _exchange(self, request: Request) -> _Exchange:
        return _Exchange(self, request)

    def _encoded(self, request: Request, options: Mapping[str, Any], route: Route, stream: bool) -> bytes:
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

    def _connect(self) -> Connection:
        if self._client is not None:
            return Connection(self._client, own=False)
        arguments = revealed({"headers": thaw(self._headers), "cookies": thaw(self._cookies), **self._client_kwargs})
        own = {"provider": self._provider, "base_url": self.base_url, "bill_to": self.bill_to, "timeout": self.timeout}
        try:
            return connect(token=revealed(self._token), **own, **arguments)
        except TypeError as error:  # an argument that this version of the SDK doesn't have
            raise Unwritable(f"client_kwargs: {error}") from None


class _Exchange(ChatExchange):
    """One physical request along the SDK's route."""

    model: InferenceClientModel
    translate = staticmethod(translate)

    def __init__(self, model: InferenceClientModel, request: Request) -> None:
        super().__init__(model, request, _NAME)
        self.route: Route | None = None

    async def post(self, *, stream: bool) -> Reply:
        model = self.model
        request, options = model._prepared(self.request, WITH_USAGE if stream else {})
        options = revealed(options)
        connection = await model._connections.get(model._connect, Connection.close)
        client: Any = connection.client
        injected = model._client is not None
        headers: Mapping[str, Any] = options.get("extra_headers") or {}
        query: Mapping[str, Any] = options.get("extra_query") or {}
        timeout = options.get("timeout", client.timeout if injected and client.timeout else model.timeout)
        if not options.keys().isdisjoint(CHECKED):
            check_call(options)
            options = {name: value for name, value in options.items() if name not in _OF_A_CALL}
        token = client.token if injected else revealed(model._token)
        self.route = route = await connection.route(model.model_id, token, _form(request.response_format), timeout)
        route.headers.update(cookie_header(client.cookies))
        route.headers.update({name.lower(): value for name, value in headers.items()})
        body = model._encoded(request, options, route, stream)
        http = await connection.http()
        kind: Any = type(http.base_url)
        url = parsed(kind, route.url)
        if query:
            url = url.copy_merge_params(query)
        asked = http.build_request("POST", url, content=body, headers=route.headers, timeout=_phases(timeout))
        return HttpxReply(await http.send(asked, stream=True, follow_redirects=False))

    def address(self) -> str | None:
        return None if self.route is None else self.route.url

    def translated(self, error: Exception) -> ModelError:
        """What went wrong. Before there is a route, nothing was sent."""
        translated = super().translated(error)
        return translated if self.route is not None else attrs.evolve(translated, sent=Sent.NO)

    def secrets(self, error: Exception) -> Iterator[object]:
        model, client = self.model, self.model._client
        if self.route is not None:
            yield from secrets_in(self.route.headers)
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


def _check_address(where: str, model_id: str, base_url: str | None, provider: str | None) -> None:
    name, url = ("model_id", model_id) if _is_address(model_id) else ("base_url", base_url)
    if url is None:
        return
    if base_url is not None and base_url != url:
        raise ValueError(f"{where}: model_id and base_url are two addresses; keep one")
    parts = parts_of(url)
    if parts is None or not _is_address(url):
        raise ValueError(f"{where}: {name} is an address such as 'http://127.0.0.1:8080', not {url!r}")
    if parts.username or parts.password or any(map(is_secret, parse_qs(parts.query))):
        raise ValueError(f"{where}: {name} shows in messages, so no secret stands in it; use token= or headers=")
    if provider not in (None, "auto"):
        raise ValueError(f"{where}: requests go to {url}, and to no provider={provider!r}; keep one")


def _check_pairs(where: str, name: str, pairs: Any, kinds: tuple[type, ...]) -> None:
    check_kind(where, name, pairs, Mapping, "a dict")
    for key, value in (pairs or {}).items():
        if not isinstance(key, str) or not isinstance(value, kinds):
            raise TypeError(f"{where}: {name}: names and values are text, not those of {key!r}")


def _check_client(where: str, model_id: str, client: Any, own: Mapping[str, Any]) -> None:
    if client is None:
        return
    check_alone(where, "client", own)
    if not inspect.iscoroutinefunction(getattr(client, "chat_completion", None)):
        raise TypeError(f"{where}: client= takes a huggingface_hub.AsyncInferenceClient, not {type(client).__name__}")
    if client.model is not None and not _is_address(client.model) and client.model != model_id:
        raise ValueError(f"{where}: client= is for {client.model!r}, and model_id is {model_id!r}; make them agree")


def _is_address(text: str) -> bool:
    """To the SDK, which takes what begins in capitals for the name of a model."""
    return text.startswith(("http://", "https://"))


def _phases(seconds: Any) -> Any:
    """To connect, read, write, and get a connection: a form that the HTTP library takes without being imported."""
    return (min(5.0, seconds), seconds, seconds, seconds) if isinstance(seconds, (int, float)) else seconds
