"""`AmazonBedrockModel`: whatever model Amazon Bedrock serves, over its Converse API, by boto3.

The SDK gives the client: credentials, regions, signatures, the checks of every request, connections, errors. Its calls
block, and so run in the model's own threads. The frames of a stream are read here (`bedrock_frames`), which costs a
fraction of what the SDK's own reader does.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from returns.result import Failure, Result, Success

from ...domain.capability import Capabilities, Unsupported, missing
from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.event import Event
from ...domain.facts import bedrock_max_stops
from ...domain.frozen import FrozenDict, freeze_mapping
from ...domain.option import canonical, resolve
from ...domain.preparation import as_role_conversions, prepare
from ...domain.request import Request
from ...domain.response import Response
from ...domain.secrecy import shown
from ..http.arguments import check
from ..http.model import ApiModel, limiter_of
from ..process.limiter import Limiter
from ..process.per_process import PerProcess
from ..process.secret import Env, revealed, secrets_in
from .answer import Arriving, CutOff, Reported, decode, decode_event
from .client import connect
from .errors import translate
from .frames import Frames
from .line import Line
from .request import Unwritable, encode
from .sdk import answered, keys, pieces, raw, watched
from .threads import Threads, chunks_in_thread, in_thread

__all__ = ["AmazonBedrockModel", "AmazonBedrockServerModel", "decode", "decode_event", "encode", "translate"]

Key = str | Env

_LONGEST: Final = 2e6  # seconds: the system counts milliseconds, in 32 bits
_PATIENCE: Final = 0.05  # seconds for the end of a stream to come after its last event


def _private(**fields: Any) -> Any:
    return attrs.field(default=None, repr=False, **fields)


def _made(make: Callable[[AmazonBedrockModel], Any]) -> Any:
    return attrs.field(init=False, eq=False, repr=False, default=attrs.Factory(make, takes_self=True))


@attrs.frozen(init=False)
class AmazonBedrockModel(ApiModel):
    """A model that Amazon Bedrock serves.

    `model_id` is a model, an inference profile or an ARN. Keyword arguments that aren't named here are options of every
    call (`temperature=0.2`): Converse's own members (`guardrailConfig`, `requestMetadata`, ...) go to their places, and
    what neither knows to the model (`thinking={...}`). Without keys boto3 finds its own, in its own order; `api_key` is
    a Bedrock API key, sent as a bearer token. `timeout` is how many seconds the service may be silent; connecting gets
    5 of them. At most `max_concurrency` calls run at once, each in a thread, and the others wait. A `session` or a
    `client` of boto3 is used as it is, and stays so: the model uses a twin of the client, which doesn't retry.

    >>> AmazonBedrockModel("us.amazon.nova-lite-v1:0", temperature=0.2).options
    {'temperature': 0.2}
    """

    model_id: str
    region_name: str | None
    profile_name: str | None
    endpoint_url: str | None
    timeout: Any
    max_concurrency: int
    capabilities: Capabilities
    options: FrozenDict = attrs.field(hash=False, repr=shown)
    requests_per_minute: float | Limiter | None
    custom_role_conversions: FrozenDict
    flatten_messages_as_text: bool
    _aws_access_key_id: Key | None = _private()
    _aws_secret_access_key: Key | None = _private()
    _aws_session_token: Key | None = _private()
    _api_key: Key | None = _private()
    _session: Any = _private()
    _client: Any = _private()
    _client_kwargs: FrozenDict = _private(hash=False)
    _limiter: Limiter | None = _made(lambda self: limiter_of(self.requests_per_minute))
    _clients: PerProcess[Any] = _made(lambda self: PerProcess())
    _threads: Threads = _made(lambda self: Threads("modelport-bedrock", self.max_concurrency))

    def __init__(
        self,
        model_id: str,
        *,
        region_name: str | None = None,
        profile_name: str | None = None,
        endpoint_url: str | None = None,
        aws_access_key_id: Key | None = None,
        aws_secret_access_key: Key | None = None,
        aws_session_token: Key | None = None,
        api_key: Key | None = None,
        session: Any = None,
        client: Any = None,
        client_kwargs: Mapping[str, Any] | None = None,
        timeout: Any = 600.0,
        max_concurrency: int = 64,
        capabilities: Capabilities | None = None,
        requests_per_minute: float | Limiter | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        flatten_messages_as_text: bool = False,
        **options: Any,
    ) -> None:
        where = "AmazonBedrockModel"
        check(where, model_id, timeout)
        if timeout is not None and not isinstance(timeout, (int, float)):
            raise ValueError(f"{where}: timeout is a positive number of seconds, or None, not {timeout!r}")
        if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int) or max_concurrency < 1:
            raise ValueError(f"{where}: max_concurrency is a whole number of calls from 1 on, not {max_concurrency!r}")
        keys = {
            "aws_access_key_id": aws_access_key_id,
            "aws_secret_access_key": aws_secret_access_key,
            "aws_session_token": aws_session_token,
        }
        _check_keys(where, keys, api_key)
        if api_key is not None and (endpoint_url or "").lower().startswith("http:"):
            raise ValueError(f"{where}: api_key is a bearer token, which anybody could read on its way; use https://")
        own = {"session": session, "region_name": region_name, "endpoint_url": endpoint_url}
        own |= {**keys, "client_kwargs": client_kwargs}
        if client is not None:
            _check_own(where, "client", client, "converse", "converse_stream")
            _check_alone(where, "client", {**own, "profile_name": profile_name, "api_key": api_key})
        if session is not None:
            _check_own(where, "session", session, "client")
            _check_alone(where, "session", {"profile_name": profile_name, "api_key": api_key})
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            model_id,
            region_name,
            profile_name,
            _address(endpoint_url, where),
            timeout,
            max_concurrency,
            capabilities if capabilities is not None else _capabilities(model_id),
            canonical(options, where),
            requests_per_minute,
            as_role_conversions(custom_role_conversions, where),
            flatten_messages_as_text,
            aws_access_key_id,
            aws_secret_access_key,
            aws_session_token,
            api_key,
            session,
            client,
            freeze_mapping(client_kwargs or {}),
        )

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "bedrock"

    async def _generate(self, request: Request) -> Result[Response, ModelError]:
        line = Line()
        try:
            arguments = self._encoded(request, line, stream=False)
            answer = await in_thread(self._threads, line, partial(self._converse, arguments))
            return Success(decode(answer, request.stop_sequences, self.model_id))
        except Exception as error:
            return Failure(self._translated(error, line))

    async def _stream(self, request: Request) -> AsyncGenerator[Event]:
        line = Line()
        arriving = Arriving(request.stop_sequences, self.model_id)
        chunks: AsyncGenerator[Any] | None = None
        read = _Reader()
        try:
            arguments = self._encoded(request, line, stream=True)
            chunks = chunks_in_thread(self._threads, line, partial(self._converse_stream, line, arguments))
            async for chunk in chunks:
                for name, said in read(chunk):
                    for event in decode_event(name, said, arriving):
                        yield event
                    if arriving.draft.stopped_by is not None:
                        break
                if arriving.ended or arriving.draft.stopped_by is not None:
                    break
            if arriving.ended:
                await _drained(chunks)
            elif not arriving.complete:
                raise CutOff("the stream ended without a stop reason")
        except Exception as error:
            failure = self._translated(error, line)
            if not (arriving.complete and failure.kind in (ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT)):
                for event in arriving.draft.close():
                    yield event
                yield arriving.draft.fail(failure)
                return
        finally:
            if chunks is not None:
                await chunks.aclose()
        arriving.request_id = line.headers.get("x-amzn-requestid")
        for event in arriving.finish():
            yield event

    def _encoded(self, request: Request, line: Line, *, stream: bool) -> dict[str, Any]:
        """The arguments of the SDK's call; a timeout of its own goes to its line."""
        lacking = missing(request, self.capabilities)
        if lacking:
            raise Unsupported(f"{self.model_id} doesn't declare {', '.join(lacking)}; see capabilities=")
        options: Mapping[str, Any] = resolve(self.options, request.options)
        if "timeout" in options:
            line.timeout = _seconds(options["timeout"])
            options = {name: value for name, value in options.items() if name != "timeout"}
        messages = prepare(
            request.messages, role_conversions=self.custom_role_conversions, flatten=self.flatten_messages_as_text
        )
        if messages is not request.messages:
            request = attrs.evolve(request, messages=messages)
        return encode(request, self.model_id, options, max_stops=self.capabilities.max_stops, stream=stream)

    def _converse(self, arguments: dict[str, Any]) -> Any:
        client = self._connected()
        return answered(client, client.converse(**arguments))

    def _converse_stream(self, line: Line, arguments: dict[str, Any], give: Callable[[Any], None]) -> None:
        """Hands over the bytes of the stream; its events, where somebody else's tool reads along."""
        client = self._connected()
        stream = answered(client, client.converse_stream(**arguments))["stream"]
        beneath = raw(stream)
        try:
            for piece in stream if beneath is None else pieces(beneath):
                give(piece)
                if line.hung_up:
                    return
        finally:
            getattr(stream, "close", bool)()

    def _connected(self) -> Any:
        return self._clients.get(self._connect)

    def _connect(self) -> Any:
        if self._client is not None:
            return watched(self._client, self.max_concurrency)
        arguments = {
            "region_name": self.region_name,
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self._aws_access_key_id,
            "aws_secret_access_key": self._aws_secret_access_key,
            "aws_session_token": self._aws_session_token,
            **self._client_kwargs,
        }
        made = connect(
            self._session,
            self.profile_name,
            self._api_key,
            arguments,
            timeout=_seconds(self.timeout),
            threads=self.max_concurrency,
        )
        return watched(made, self.max_concurrency)

    def _translated(self, error: Exception, line: Line) -> ModelError:
        if isinstance(error, ImportError):
            return ModelError(
                ErrorKind.MISSING_DEPENDENCY,
                f"{error}; pip install 'modelport[bedrock]'",
                sent=Sent.NO,
                provider="bedrock",
                model_id=self.model_id,
            )
        held = keys(self._clients.known())
        secrets = None if held is None else (*self._secrets(), *held)
        failure = translate(error, model_id=self.model_id, headers=line.headers, secrets=secrets)
        if line.asked and failure.kind is ErrorKind.CONNECTION:  # TLS that broke later on
            return attrs.evolve(failure, kind=ErrorKind.INTERRUPTED, sent=Sent.PERHAPS)
        return failure

    def _secrets(self) -> Iterator[object]:
        given = (self._api_key, self._aws_secret_access_key, self._aws_session_token, self._aws_access_key_id)
        for key in given:
            with contextlib.suppress(Exception):
                yield revealed(key)
        yield from secrets_in((self._client_kwargs, self.options))


AmazonBedrockServerModel = AmazonBedrockModel  # its older name


class _Reader:
    """Reads what a thread hands over: bytes, or events that the SDK has read."""

    def __init__(self) -> None:
        self._frames = Frames()

    def __call__(self, chunk: Any) -> Iterable[tuple[str, Any]]:
        if not isinstance(chunk, bytes):
            events: Iterable[tuple[str, Any]] = chunk.items()
            return events
        return self._read(chunk)

    def _read(self, chunk: bytes) -> Iterator[tuple[str, Any]]:
        import orjson

        for headers, payload in self._frames.feed(chunk):
            name = headers.get(":event-type")
            if name is not None:
                yield name, orjson.loads(payload)
            elif headers.get(":message-type") == "error":
                raise Reported(headers.get(":error-code", "error"), headers.get(":error-message", ""))
            else:
                code = headers.get(":exception-type", "exception")
                with contextlib.suppress(ValueError, AttributeError):
                    raise Reported(code, orjson.loads(payload).get("message", ""))
                raise Reported(code, payload.decode("utf-8", "replace"))


async def _drained(chunks: AsyncGenerator[Any]) -> None:
    """Wait for the end of the body, so that the connection serves the next call."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            async for _ in chunks:
                pass


def _seconds(timeout: Any) -> float | None:
    if timeout is None or isinstance(timeout, (int, float)) and timeout > 0:
        return None if timeout is None else min(timeout, _LONGEST)
    raise Unwritable(f"options: timeout is a positive number of seconds, or None, not {timeout!r}")


def _check_keys(where: str, keys: Mapping[str, Key | None], api_key: Key | None) -> None:
    given = [name for name, key in keys.items() if key is not None]
    for name, key in {**keys, "api_key": api_key}.items():
        if key is not None and (not isinstance(key, (str, Env)) or not key):
            raise TypeError(f"{where}: {name} is text or Env('NAME'), not {type(key).__name__}")
    if given and api_key is not None:
        raise ValueError(f"{where}: api_key is sent in place of {', '.join(given)}; keep one of the two")
    if (keys["aws_access_key_id"] is None) != (keys["aws_secret_access_key"] is None) or given == ["aws_session_token"]:
        raise ValueError(f"{where}: aws_access_key_id and aws_secret_access_key go together")


def _check_own(where: str, name: str, given: Any, *members: str) -> None:
    found = [getattr(given, member, None) for member in members]
    if not all(map(callable, found)) or any(map(inspect.iscoroutinefunction, found)):
        what = "a boto3.Session" if name == "session" else "boto3's client of bedrock-runtime"
        raise TypeError(f"{where}: {name}= takes {what}, not {type(given).__name__}")


def _check_alone(where: str, name: str, beside: Mapping[str, Any]) -> None:
    said = [other for other, value in beside.items() if value is not None]
    if said:
        raise ValueError(f"{where}: {name}= brings its own {', '.join(said)}; leave them out")


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
        raise ValueError(f"{where}: endpoint_url shows in messages, so no password stands in it")
    if not good:
        raise ValueError(f"{where}: endpoint_url is an address such as 'http://127.0.0.1:4566', not {address!r}")
    return address


def _capabilities(model_id: str) -> Capabilities:
    return Capabilities(
        tools=True,
        images=True,
        audio=True,
        documents=True,
        json_schema=True,
        max_stops=bedrock_max_stops(model_id),
    )
