"""One call over Converse, whole or streamed: our own over the transport, and what it has in common with a client's."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ...domain.error import ModelError
from ...domain.event import Event
from ...domain.request import Request
from ...domain.response import Response
from ..http import rate_headers
from ..http.bounds import BOUNDS
from ..http.exchange import Exchange
from ..http.post import Post, Timeouts
from ..http.reply import checked, whole
from ..http.transport import Reply
from ..process.secret import secrets_in
from ..process.thread import apart
from .answer import Arriving, Reported, decode, decode_event
from .errors import translate
from .frames import Frames
from .request import encode
from .rest_json import parsed, written
from .sdk import secrets
from .settings import seconds

if TYPE_CHECKING:
    from .model import AmazonBedrockModel

T = TypeVar("T")


class BedrockExchange(Exchange):
    """One physical request, and what it is told and tells."""

    arriving: Arriving
    cut_off = "the stream ended without a stop reason"

    def __init__(self, model: AmazonBedrockModel, request: Request) -> None:
        self.model, self.request = model, request
        self.arriving = Arriving(request.stop_sequences, model.model_id)
        self.headers: Mapping[str, str] = {}

    def arguments(self, *, stream: bool) -> tuple[dict[str, Any], Mapping[str, Any]]:
        """Those of Converse, and the options that go beside them. Raises `Unsupported` or `Unwritable`."""
        model = self.model
        request, options = model._prepared(self.request, {})
        beside = {name: options[name] for name in ("timeout",) if name in options}
        if beside:
            options = {name: value for name, value in options.items() if name not in beside}
        stops = model.capabilities.max_stops
        return encode(request, model.model_id, options, max_stops=stops, stream=stream), beside

    def decoded(self, answer: Any) -> Response:
        """The whole answer. Raises `Malformed`."""
        return decode(answer, self.request.stop_sequences, self.model.model_id)

    def heed(self, events: Iterator[tuple[str, Any]]) -> Iterator[Event]:
        """The events of the port for those of the wire. Raises `Malformed` or `Reported`."""
        for name, value in events:
            yield from decode_event(name, value, self.arriving)
            if self.arriving.draft.stopped_by is not None:
                return

    def finish(self) -> list[Event]:
        self.arriving.request_id = self.headers.get("x-amzn-requestid")
        return self.arriving.finish()

    def translated(self, error: Exception) -> ModelError:
        signed_with = self.secrets()
        held = None if signed_with is None else (*self.model._secrets(), *signed_with)
        return translate(error, model_id=self.model.model_id, headers=self.headers, secrets=held)

    @abstractmethod
    def secrets(self) -> tuple[object, ...] | None:
        """What it was signed with; None where that can't be told."""


class WireExchange(BedrockExchange):
    """One over the transport."""

    def __init__(self, model: AmazonBedrockModel, request: Request) -> None:
        super().__init__(model, request)
        self._bounds = BOUNDS
        self._frames = Frames()
        self._asked: Post | None = None
        self._identity: Any = None

    async def answer(self) -> Response:
        answer = parsed(await whole(await self._received(stream=False), self._bounds))
        id_ = self.headers.get("x-amzn-requestid")
        if id_ and isinstance(answer, dict):
            answer["ResponseMetadata"] = {"RequestId": id_}  # where boto3 has it
        return self.decoded(answer)

    async def chunks(self) -> AsyncGenerator[bytes]:
        reply = await self._received(stream=True)
        self._frames = Frames(self._bounds.event)
        async with aclosing(reply.chunks(self._bounds.answer)) as chunks:
            async for chunk in chunks:
                yield chunk

    def read(self, chunk: bytes) -> Iterator[Event]:
        return self.heed(read(self._frames, chunk))

    def translated(self, error: Exception) -> ModelError:
        if type(error).__name__ == "NoCredentialsError":
            self.model._connections.drop()  # there may be some the next time
        return super().translated(error)

    def secrets(self) -> tuple[object, ...]:
        return (*secrets(self._identity), *secrets_in(dict(self._asked.headers) if self._asked else {}))

    async def _received(self, *, stream: bool) -> Reply:
        arguments, beside = self.arguments(stream=stream)
        silence = seconds(beside["timeout"]) if beside else None
        path, body = written(arguments, stream=stream)
        connection = self.model._connections.known()
        if connection is None:
            connection = await in_thread(self.model._connected)
        sign = partial(connection.sign, path, body, stream=stream)
        post, self._identity = sign() if connection.is_ready else await in_thread(sign)
        self._asked = post
        if beside:
            post = attrs.evolve(post, timeouts=Timeouts(connection.timeouts.connect, silence))
        self._bounds = connection.transport.bounds
        reply = await connection.transport.send(post)
        self.headers = reply.headers
        rate_headers.heard(reply.headers)
        return await checked(reply, self._bounds)


def read(frames: Frames, chunk: bytes) -> Iterator[tuple[str, Any]]:
    """The names and the values of the events that these bytes complete. Raises `Corrupt` or `Reported`."""
    for headers, payload in frames.feed(chunk):
        name = headers.get(":event-type")
        if name is not None:
            yield name, parsed(payload)
        elif headers.get(":message-type") == "error":
            raise Reported(headers.get(":error-code", "error"), headers.get(":error-message", ""))
        else:
            code = headers.get(":exception-type", "exception")
            with contextlib.suppress(ValueError, AttributeError):
                raise Reported(code, parsed(payload).get("message", ""))
            raise Reported(code, payload.decode("utf-8", "replace"))


async def in_thread(work: Callable[[], T]) -> T:
    """What the work gives, done in a thread of its own. It can't be cancelled: nobody waits for it, then."""
    context = contextvars.copy_context()
    return await asyncio.wrap_future(apart(lambda: context.run(work), "modelport-bedrock"))
