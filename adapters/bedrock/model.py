"""`AmazonBedrockModel`: whatever model Amazon Bedrock serves, over its Converse API, by boto3.

The SDK gives the client: credentials, regions, signatures, the checks of every request, connections, errors. Its calls
block, and so run in the model's own threads. The frames of a stream are read here (`frames`), which costs a
fraction of what the SDK's own reader does.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Unpack

import attrs

from ...domain.capability import Capabilities
from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.event import Event
from ...domain.facts import bedrock_max_stops
from ...domain.request import Request
from ...domain.response import Response
from ..http.arguments import address, check_alone
from ..http.exchange import Exchange
from ..http.http_errors import Unwritable
from ..http.model import ApiModel
from ..http.settings import ApiArguments, constructor
from ..process.per_process import PerProcess
from ..process.secret import Env, revealed, secrets_in
from .answer import Arriving, Reported, decode, decode_event
from .client import connect
from .errors import translate
from .frames import Frames
from .live_call import LiveCall
from .request import encode
from .sdk import answered, keys, pieces, raw, watched
from .threads import Threads, chunks_in_thread, in_thread

__all__ = ["AmazonBedrockModel", "AmazonBedrockServerModel", "decode", "decode_event", "encode", "translate"]

Key = str | Env

_LONGEST: Final = 2e6  # seconds: the system counts milliseconds, in 32 bits
_PATIENCE: Final = 0.05  # seconds for the end of a stream to come after its last event


@attrs.frozen(init=False, kw_only=True, repr=False)
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

    region_name: str | None
    profile_name: str | None
    endpoint_url: str | None
    max_concurrency: int
    _aws_access_key_id: Key | None = attrs.field(repr=False)
    _aws_secret_access_key: Key | None = attrs.field(repr=False)
    _aws_session_token: Key | None = attrs.field(repr=False)
    _api_key: Key | None = attrs.field(repr=False)
    _session: Any = attrs.field(repr=False)
    _clients: PerProcess[Any] = attrs.field(init=False, eq=False, repr=False, factory=PerProcess)
    _threads: Threads = attrs.field(
        init=False,
        eq=False,
        repr=False,
        default=attrs.Factory(lambda self: Threads("modelport-bedrock", self.max_concurrency), True),
    )

    @constructor
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
        max_concurrency: int = 64,
        **more: Unpack[ApiArguments],
    ) -> None:
        where = "AmazonBedrockModel"
        timeout, client = more.get("timeout"), more.get("client")
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
        who = {"profile_name": profile_name, "api_key": api_key}
        own = {"session": session, "region_name": region_name, "endpoint_url": endpoint_url, **keys, **who}
        if client is not None:
            _check_own(where, "client", client, "converse", "converse_stream")
            check_alone(where, "client", {**own, "client_kwargs": more.get("client_kwargs")})
        if session is not None:
            _check_own(where, "session", session, "client")
            check_alone(where, "session", who)
        address(endpoint_url, f"{where}: endpoint_url", example="http://127.0.0.1:4566", instead="")
        self._set(more, model_id=model_id, max_concurrency=max_concurrency, **own)

    def _assumed(self) -> Capabilities:
        stops = bedrock_max_stops(self.base_model or self.model_id)
        return Capabilities(tools=True, images=True, audio=True, documents=True, json_schema=True, max_stops=stops)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "bedrock"

    def _exchange(self, request: Request) -> _Exchange:
        return _Exchange(self, request)

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

    def _secrets(self) -> Iterator[object]:
        given = (self._api_key, self._aws_secret_access_key, self._aws_session_token, self._aws_access_key_id)
        for key in given:
            with contextlib.suppress(Exception):
                yield revealed(key)
        yield from secrets_in((self._client_kwargs, self.options))


AmazonBedrockServerModel = AmazonBedrockModel  # its older name


class _Exchange(Exchange):
    """One call of boto3, in a thread of the model's own."""

    arriving: Arriving
    cut_off = "the stream ended without a stop reason"

    def __init__(self, model: AmazonBedrockModel, request: Request) -> None:
        self._model, self._request, self._call = model, request, LiveCall()
        self.arriving = Arriving(request.stop_sequences, model.model_id)
        self._frames = Frames()

    async def answer(self) -> Response:
        model, arguments = self._model, self._arguments(stream=False)
        answer = await in_thread(model._threads, self._call, partial(self._converse, arguments))
        return decode(answer, self._request.stop_sequences, model.model_id)

    def chunks(self) -> AsyncGenerator[Any]:
        arguments = self._arguments(stream=True)
        return chunks_in_thread(self._model._threads, self._call, partial(self._converse_stream, arguments))

    def read(self, chunk: Any) -> Iterator[Event]:
        for name, value in read(self._frames, chunk) if isinstance(chunk, bytes) else chunk.items():
            yield from decode_event(name, value, self.arriving)
            if self.arriving.draft.stopped_by is not None:
                return

    def finish(self) -> list[Event]:
        self.arriving.request_id = self._call.headers.get("x-amzn-requestid")
        return self.arriving.finish()

    def translated(self, error: Exception) -> ModelError:
        call, model = self._call, self._model
        held = keys(model._clients.known())
        secrets = None if held is None else (*model._secrets(), *held)
        failure = translate(error, model_id=model.model_id, headers=call.headers, secrets=secrets)
        if call.asked and failure.kind is ErrorKind.CONNECTION:  # TLS that broke later on
            return attrs.evolve(failure, kind=ErrorKind.INTERRUPTED, sent=Sent.PERHAPS)
        return failure

    def _arguments(self, *, stream: bool) -> dict[str, Any]:
        """The arguments of the SDK's call; a timeout of its own goes to the call in progress."""
        model = self._model
        request, options = model._prepared(self._request, {})
        if "timeout" in options:
            self._call.timeout = _seconds(options["timeout"])
            options = {name: value for name, value in options.items() if name != "timeout"}
        return encode(request, model.model_id, options, max_stops=model.capabilities.max_stops, stream=stream)

    def _converse(self, arguments: dict[str, Any]) -> Any:
        client = self._model._connected()
        return answered(client, client.converse(**arguments))

    def _converse_stream(self, arguments: dict[str, Any], give: Callable[[Any], None]) -> None:
        client = self._model._connected()
        stream = answered(client, client.converse_stream(**arguments))["stream"]
        beneath = raw(stream)
        try:
            for piece in stream if beneath is None else pieces(beneath):
                give(piece)
                if self._call.hung_up:
                    return
        finally:
            getattr(stream, "close", bool)()


def read(frames: Frames, chunk: bytes) -> Iterator[tuple[str, Any]]:
    """The names and the values of the events that these bytes complete. Raises `Corrupt` or `Reported`."""
    import orjson

    for headers, payload in frames.feed(chunk):
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


def _check_own(where: str, name: str, value: Any, *members: str) -> None:
    methods = [getattr(value, member, None) for member in members]
    if not all(map(callable, methods)) or any(map(inspect.iscoroutinefunction, methods)):
        what = "a boto3.Session" if name == "session" else "boto3's client of bedrock-runtime"
        raise TypeError(f"{where}: {name}= takes {what}, not {type(value).__name__}")
