"""`OpenAIModel`: chat completions of OpenAI, or of any server that speaks the same wire.

The SDK gives the client: authentication, addresses, the pool of connections, its errors. Its typed models are built
neither on the way out nor on the way in: `chat_completions` makes the bytes, `chat_answers` and `sse` read them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import inspect
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import attrs
from returns.result import Failure, Result, Success

from ..domain.capability import Capabilities, Unsupported, missing
from ..domain.error import ErrorKind, ModelError, Sent
from ..domain.event import Event, replay
from ..domain.facts import max_stops
from ..domain.frozen import FrozenDict, freeze_mapping
from ..domain.option import canonical, resolve
from ..domain.request import Request
from ..domain.response import Response
from .calling import Calling
from .chat_answers import Arriving, Malformed, decode, decode_event
from .chat_completions import encode
from .chat_stream import arriving_events
from .openai_errors import KeyUnavailable, translate
from .per_loop import PerLoop

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["OpenAIModel", "decode", "decode_event", "encode", "translate"]

Key = str | Callable[[], str | Awaitable[str]]

_PATH: Final = "/chat/completions"
_WITH_USAGE: Final = canonical({"stream_options": {"include_usage": True}})
# The SDK's own arguments of a call, which don't belong into its body.
_OF_THE_SDK: Final = {"extra_headers": "headers", "extra_query": "params", "timeout": "timeout"}
# These refuse `max_tokens`: platform.openai.com/docs/guides/reasoning
_REASONING: Final = re.compile(r"(?:^|/)(?:o\d+|gpt-5)[^/]*$", re.IGNORECASE)


def _shown(options: Mapping[str, Any]) -> str:
    return repr({name: "..." if name in ("extra_headers", "extra_query") else options[name] for name in options})


def _private(**fields: Any) -> Any:
    return attrs.field(default=None, repr=False, **fields)


@attrs.frozen(init=False)
class OpenAIModel(Calling):
    """A model behind the chat-completions wire.

    Keyword arguments that aren't named here are options of every call (`temperature=0.2`). `timeout` is how many
    seconds the server may be silent; connecting gets 5 of them. `api_key` may be a callable, sync or async; without it
    the SDK reads OPENAI_API_KEY. A `client` that is passed in (an `openai.AsyncOpenAI`, which belongs to one event
    loop) is used as it is, but for its retries. `client_kwargs` go to the client that is made for each event loop; a
    class or function given there as `http_client` (`openai.DefaultAioHttpClient`) is called for each.

    >>> OpenAIModel("gpt-4o", temperature=0.2).options
    {'temperature': 0.2}
    """

    model_id: str
    base_url: str | None
    organization: str | None
    project: str | None
    timeout: Any
    capabilities: Capabilities
    options: FrozenDict = attrs.field(hash=False, repr=_shown)
    _api_key: Key | None = _private()
    _client: Any = _private()
    _client_kwargs: FrozenDict = _private(hash=False)
    _clients: PerLoop[Any] = attrs.field(factory=PerLoop, eq=False, repr=False)

    def __init__(
        self,
        model_id: str,
        *,
        base_url: str | None = None,
        api_base: str | None = None,
        api_key: Key | None = None,
        organization: str | None = None,
        project: str | None = None,
        timeout: Any = 600.0,
        client: Any = None,
        client_kwargs: Mapping[str, Any] | None = None,
        capabilities: Capabilities | None = None,
        **options: Any,
    ) -> None:
        where = "OpenAIModel"
        if not isinstance(model_id, str) or not model_id:
            raise ValueError(f"{where}: model_id is a name such as 'gpt-4o', not {model_id!r}")
        if base_url is not None and api_base is not None and base_url != api_base:
            raise ValueError(f"{where}: base_url and api_base are one thing; keep one")
        address = _address(base_url if base_url is not None else api_base, where)
        kwargs = freeze_mapping(client_kwargs or {})
        if "max_retries" in kwargs:
            raise ValueError(f"{where}: client_kwargs: no max_retries; an adapter makes one attempt: with_retry(...)")
        if isinstance(timeout, (int, float)) and not timeout > 0:
            raise ValueError(f"{where}: timeout is a positive number of seconds, or None, not {timeout!r}")
        if client is not None:
            given = {"base_url": address, "api_key": api_key, "organization": organization, "project": project}
            said = [name for name, value in {**given, "client_kwargs": client_kwargs}.items() if value is not None]
            if said:
                raise ValueError(f"{where}: client= brings its own {', '.join(said)}; leave them out")
            if not inspect.iscoroutinefunction(getattr(client, "post", None)):
                raise TypeError(f"{where}: client= takes an openai.AsyncOpenAI, not {type(client).__name__}")
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            model_id,
            address,
            organization,
            project,
            timeout,
            capabilities if capabilities is not None else _capabilities(model_id),
            canonical(options, where),
            api_key,
            client,
            kwargs,
        )

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "openai"

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer, in one physical request."""
        client: Any = self._client
        headers: Mapping[str, str] | None = None
        try:
            body, sdk_options = self._encoded(request, stream=False)
            client = client or await self._clients.get(self._connect, _close)
            path = self._path()
            answer = await client.post(path, cast_to=_response_type(), content=body, options=sdk_options)
            headers = answer.headers
            return Success(decode(answer.content, request.stop_sequences))
        except Exception as error:
            return Failure(self._translated(error, client, headers))

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives. Its connection is dropped when the stream is closed, or a stop ends the text."""
        arriving = Arriving(request.stop_sequences)
        client: Any = self._client
        answer: Any = None
        chunks: Any = None
        try:
            body, sdk_options = self._encoded(request, stream=True)
            client = client or await self._clients.get(self._connect, _close)
            from openai import AsyncStream

            answer = await client.post(
                self._path(),
                cast_to=_response_type(),
                content=body,
                options=sdk_options,
                stream=True,
                stream_cls=AsyncStream,
            )
            if answer.headers.get("content-type", "").startswith(("application/json", "text/html")):
                for event in replay(decode(await answer.aread(), request.stop_sequences)):
                    yield event  # a server that doesn't stream
                return
            chunks = answer.aiter_bytes()
            async with contextlib.aclosing(arriving_events(chunks, arriving)) as events:
                async for event in events:
                    yield event
            if arriving.done:
                await _drained(chunks)
        except Exception as error:
            failure = self._translated(error, client, answer.headers if answer is not None else None)
            if not (arriving.complete and failure.kind in (ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT)):
                yield arriving.draft.fail(failure)
                return
        finally:
            if chunks is not None:
                await chunks.aclose()
            if answer is not None:
                await answer.aclose()
        if arriving.complete:
            for event in arriving.finish():
                yield event
        else:
            for event in arriving.draft.close():
                yield event
            yield arriving.draft.fail(self._cut(answer.headers if answer is not None else None))

    def _encoded(self, request: Request, *, stream: bool) -> tuple[bytes, dict[str, Any]]:
        """The body, and the SDK's own options for this call."""
        lacking = missing(request, self.capabilities)
        if lacking:
            raise Unsupported(f"{self.model_id} doesn't declare {', '.join(lacking)}; see capabilities=")
        options: Mapping[str, Any] = resolve(*((_WITH_USAGE,) if stream else ()), self.options, request.options)
        sdk_options: dict[str, Any] = {"max_retries": 0}
        if not _OF_THE_SDK.keys().isdisjoint(options):
            given = {name: options[name] for name in _OF_THE_SDK if name in options}
            sdk_options |= {_OF_THE_SDK[at]: it for at, it in given.items() if it is not None or at == "timeout"}
            options = {name: value for name, value in options.items() if name not in _OF_THE_SDK}
        body = encode(
            request,
            self.model_id,
            options,
            max_stops=self.capabilities.max_stops,
            stream=stream,
            max_tokens_name=_max_tokens_name(self.model_id),
        )
        return body, sdk_options

    def _path(self) -> str:
        client = self._client
        if hasattr(client, "_azure_deployment") and "/deployments" not in str(client.base_url.path):
            return f"/deployments/{quote(self.model_id, safe='')}{_PATH}"  # the SDK would look into its own body
        return _PATH

    def _connect(self) -> AsyncOpenAI:
        import openai

        key = self._api_key
        kwargs = dict(self._client_kwargs)
        if inspect.isroutine(kwargs.get("http_client")) or isinstance(kwargs.get("http_client"), type):
            kwargs["http_client"] = kwargs["http_client"]()
        return openai.AsyncOpenAI(
            **{
                "api_key": _asking(key) if callable(key) else key,
                "base_url": self.base_url,
                "organization": self.organization,
                "project": self.project,
                "timeout": _timeout(self.timeout),
                "max_retries": 0,
                **kwargs,
            }
        )

    def _translated(self, error: Exception, client: Any, headers: Mapping[str, str] | None) -> ModelError:
        if isinstance(error, ImportError):
            return ModelError(
                ErrorKind.MISSING_DEPENDENCY,
                f"{error}; pip install 'modelport[openai]'",
                sent=Sent.NO,
                provider="openai",
                model_id=self.model_id,
            )
        key = getattr(client, "api_key", None) or self._api_key
        secret = key if isinstance(key, str) else None
        return translate(error, model_id=self.model_id, headers=headers, secret=secret)

    def _cut(self, headers: Mapping[str, str] | None) -> ModelError:
        message = "the stream ended without a finish reason"
        return attrs.evolve(
            translate(Malformed(message), model_id=self.model_id, headers=headers), kind=ErrorKind.INTERRUPTED
        )


def _address(address: str | None, where: str) -> str | None:
    if address is None:
        return None
    secret = False
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        secret = bool(parts.username or parts.password)
    except ValueError:
        good = False
    if secret:
        raise ValueError(f"{where}: base_url shows in messages, so no password stands in it; use api_key=")
    if not good:
        raise ValueError(f"{where}: base_url is an address such as 'http://127.0.0.1:8000/v1', not {address!r}")
    return address


def _capabilities(model_id: str) -> Capabilities:
    limit = max_stops(model_id)
    return Capabilities(
        tools=True,
        images=True,
        audio=True,
        documents=True,
        json_object=True,
        json_schema=True,
        max_stops=4 if limit is None else limit,  # platform.openai.com/docs/api-reference/chat/create#stop
    )


@functools.lru_cache(maxsize=256)
def _max_tokens_name(model_id: str) -> str:
    return "max_completion_tokens" if _REASONING.search(model_id) else "max_tokens"


@functools.cache
def _http() -> Any:
    """The HTTP library that the SDK stands on: httpx under openai 2, httpx2 under openai 3."""
    import openai

    return importlib.import_module("httpx2" if int(openai.__version__.partition(".")[0]) >= 3 else "httpx")


@functools.cache
def _response_type() -> Any:
    return _http().Response


def _timeout(seconds: Any) -> Any:
    return _http().Timeout(seconds, connect=min(5.0, seconds)) if isinstance(seconds, (int, float)) else seconds


def _asking(key: Callable[[], str | Awaitable[str]]) -> Callable[[], Awaitable[str]]:
    async def ask() -> str:
        try:
            found = key()
            text = await found if inspect.isawaitable(found) else found
        except Exception as error:  # what it says may hold a secret
            raise KeyUnavailable(f"the callable given as api_key raised {type(error).__name__}") from error
        if not isinstance(text, str) or not text:
            raise KeyUnavailable(f"the callable given as api_key gave no key, but {type(text).__name__}")
        return text

    return ask


async def _close(client: AsyncOpenAI) -> None:
    await client.close()


async def _drained(chunks: AsyncGenerator[bytes]) -> None:
    """Read the end of the body, so that the connection serves the next call; it comes with the last event or not."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.05):
            async for _ in chunks:
                pass
