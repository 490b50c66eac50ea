"""The chat-completions wire through the OpenAI SDK: its client posts the bytes that are made here.

`OpenAIModel` and `AzureOpenAIModel` differ in how their client is made, in where it posts to and in who it says is
asking. The SDK gives addresses, the pool of connections and its errors. Its typed models are built neither on the way
out nor on the way in: `chat.request` makes the bytes, `chat.answer` and `chat.stream` read them.
"""

from __future__ import annotations

import asyncio
import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import attrs

from ...domain.capability import Capabilities
from ...domain.facts import wants_max_completion_tokens
from ...domain.request import Request
from ..chat.exchange import WITH_USAGE, ChatExchange
from ..chat.options import CHECKED, assumed, check_call
from ..chat.request import encode
from ..http.http_errors import Unwritable
from ..http.model import ApiModel
from ..process.per_loop import PerLoop
from ..process.secret import Env, revealed, secrets_in
from . import sdk as openai_sdk
from .errors import KeyUnavailable, translate
from .settings import Key

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_PATH: Final = "/chat/completions"
# Sent on to another address, the SDK would take along the question and each header but Authorization.
_ALWAYS: Final[Mapping[str, Any]] = {"max_retries": 0, "follow_redirects": False}
_CLOSED: Final = (
    "the client is closed: one that is passed in serves one event loop; "
    "client_kwargs={'http_client': ...} takes a function that makes one for each"
)
# The SDK's own arguments of a call, which don't belong into its body.
_OF_THE_SDK: Final = {"extra_headers": "headers", "extra_query": "params", "timeout": "timeout"}


@attrs.frozen(kw_only=True, repr=False)
class ChatWire(ApiModel):
    """A model behind the SDK's client. An adapter says what its client is, and which headers say who is asking."""

    _clients: PerLoop[Any] = attrs.field(init=False, factory=PerLoop, eq=False, repr=False)

    @abstractmethod
    def _made(self, openai: Any, arguments: dict[str, Any]) -> AsyncOpenAI:
        """The SDK's client, with these arguments and the adapter's own. Raises `Unset`, or what the SDK raises."""

    @abstractmethod
    async def _credentials(self, headers: Mapping[str, Any]) -> Mapping[str, Any]:
        """The headers that say who is asking, where the client doesn't; those in `headers` stand."""

    def _assumed(self) -> Capabilities:
        return assumed(self.base_model or self.model_id)

    @property
    def _knows_cache_markers(self) -> bool:
        return False

    @property
    def _wants_reasoning_as(self) -> str | None:
        return None

    def _exchange(self, request: Request) -> _Exchange:
        return _Exchange(self, request)

    def _encoded(self, request: Request, stream: bool) -> tuple[bytes, dict[str, Any]]:
        """The body, and the SDK's own options for this call."""
        request, options = self._prepared(request, WITH_USAGE if stream else {})
        options = revealed(options)
        if not options.keys().isdisjoint(CHECKED):
            check_call(options)
        sdk_options = {**_ALWAYS}
        if not _OF_THE_SDK.keys().isdisjoint(options):
            sent_beside = {name: options[name] for name in _OF_THE_SDK if name in options}
            sdk_options |= {_OF_THE_SDK[at]: it for at, it in sent_beside.items() if it is not None or at == "timeout"}
            options = {name: value for name, value in options.items() if name not in _OF_THE_SDK}
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
        return body, sdk_options

    def _connect(self) -> AsyncOpenAI:
        import openai

        arguments = revealed(self._client_kwargs)
        try:
            if callable(arguments.get("http_client")):
                arguments["http_client"] = arguments["http_client"]()
            return self._made(openai, {"timeout": _timeout(self.timeout), "max_retries": 0, **arguments})
        except (TypeError, ValueError) as error:  # such as an argument that this version of the SDK doesn't have
            raise Unwritable(f"client_kwargs: {error}") from None
        except OSError as error:  # such as a file of certificates that SSL_CERT_FILE names
            raise Unwritable(f"the client can't be made: {type(error).__name__}: {error}") from None
        except RuntimeError as error:
            if openai_sdk.NO_AIOHTTP.name not in str(error):
                raise
            raise ImportError(str(error)) from None  # `DefaultAioHttpClient` without its library


class _Exchange(ChatExchange):
    """One physical request through the SDK's client."""

    model: ChatWire
    translate = staticmethod(translate)

    def __init__(self, model: ChatWire, request: Request) -> None:
        super().__init__(model, request, model.provider)
        self.client: Any = model._client
        self.options: dict[str, Any] = {}

    async def post(self, *, stream: bool) -> Any:
        model = self.model
        body, self.options = model._encoded(self.request, stream)
        if self.client is None:
            self.client = await model._clients.get(model._connect, _close)
            await self._identify()
        openai_sdk.check()
        if self.client.is_closed():
            raise Unwritable(_CLOSED)
        import httpx2

        path = _path(self.client, model.model_id)
        how: dict[str, Any] = {"cast_to": httpx2.Response, "content": body, "options": self.options}
        if stream:
            from openai import AsyncStream

            how |= {"stream": True, "stream_cls": AsyncStream}
        return await self.client.post(path, **how)

    async def _identify(self) -> None:
        own: Mapping[str, Any] = self.options.get("headers") or {}
        always: Mapping[str, Any] = self.model._client_kwargs.get("default_headers") or {}
        headers = {**(await self.model._credentials({**always, **own})), **own}
        if headers:
            self.options["headers"] = headers

    def secrets(self, error: Exception) -> Iterator[object]:
        for named in (self.options, self.model._client_kwargs, self.model.options, self.request.options):
            yield from secrets_in(named)
        sent = getattr(error, "request", None) or getattr(self.received, "request", None)
        yield from secrets_in(dict(getattr(sent, "headers", None) or {}))
        yield getattr(self.client, "api_key", None)


async def fetched(key: Key, name: str) -> str:
    """The key or token as text; a function that blocks runs in a thread. Raises `Unset` or `KeyUnavailable`."""
    if isinstance(key, Env):
        return key.read()
    if isinstance(key, str):
        return key
    try:
        key_or_awaitable = key() if inspect.iscoroutinefunction(key) else await asyncio.to_thread(_asked, key)
        text = await key_or_awaitable if inspect.isawaitable(key_or_awaitable) else key_or_awaitable
    except Exception as error:  # what it says may hold a secret
        raise KeyUnavailable(f"the callable given as {name} raised {type(error).__name__}") from error
    if not isinstance(text, str) or not text:
        raise KeyUnavailable(f"the callable given as {name} gave no key, but {type(text).__name__}")
    return text


def headers_of_the_call(headers: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The headers of these names that were given, and none of what the client has for them; empty if none was given.

    A header is one however it is spelled: the last that was given stands.
    """
    from openai import Omit

    none = {name.lower(): Omit() for name in names}
    own = {name.lower(): value for name, value in headers.items() if name.lower() in none}
    return {**none, **revealed(own)} if own else {}


def _asked(key: Callable[[], Any]) -> Any:
    try:
        return key()
    except StopIteration as error:  # no future can carry one: whoever awaits it would wait for ever
        raise RuntimeError("StopIteration") from error


def _path(client: Any, model_id: str) -> str:
    from openai import AsyncAzureOpenAI

    if isinstance(client, AsyncAzureOpenAI) and "/deployments" not in str(client.base_url.path):
        return f"/deployments/{quote(model_id, safe='')}{_PATH}"  # the SDK would look into its own body
    return _PATH


def _timeout(seconds: Any) -> Any:
    from openai import Timeout

    return Timeout(seconds, connect=min(5.0, seconds)) if isinstance(seconds, (int, float)) else seconds


async def _close(client: AsyncOpenAI) -> None:
    await client.close()
