"""One call through a client that was injected: boto3's own, or whatever has its two methods.

It is used as it is, with its hooks, its connections and its timeouts, and so it blocks a thread. Two things are
listened for while our calls are made, and for no others: what they are signed with, which is kept out of every error,
and whether one is to be tried again, which is for layers to decide.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

from ...domain.capability import Unsupported
from ...domain.event import Event
from ...domain.response import Response
from ..http import rate_headers
from ..http.http_errors import Malformed, meaning
from ..process.crossing import pieces
from .errors import EXCEPTIONS
from .exchange import BedrockExchange
from .sdk import SERVICE, SIGNER, identity, secrets

_NO_TIMEOUT: Final = "options: timeout: a client that was passed in has its own; Config(read_timeout=...) sets it"
_call: ContextVar[ClientExchange | None] = ContextVar("modelport_bedrock_call", default=None)


class ClientExchange(BedrockExchange):
    """One through the client. A call that is cancelled goes on in its thread until the client has its answer."""

    _secrets: tuple[object, ...] | None = ()

    async def answer(self) -> Response:
        work = partial(self._made, "converse", self._arguments(stream=False))
        context = contextvars.copy_context()
        answer = await asyncio.wrap_future(self.model._threads.submit(lambda: context.run(work)))
        return self.decoded(answer)

    def chunks(self) -> AsyncGenerator[Any]:
        return pieces(self.model._threads, partial(self._produce, self._arguments(stream=True)), patience=0.0)

    def read(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        return self.heed(iter(chunk.items()))

    def _arguments(self, *, stream: bool) -> dict[str, Any]:
        arguments, beside = self.arguments(stream=stream)
        if beside:
            raise Unsupported(_NO_TIMEOUT)
        return arguments

    def _made(self, method: str, arguments: dict[str, Any]) -> Any:
        """What the client gives. What it raises is raised; what its parser stumbles over is `Malformed`."""
        _listen(self.model._client)
        _call.set(self)  # in a context of this call alone
        with self._telling():
            answer = getattr(self.model._client, method)(**arguments)
        about = answer.get("ResponseMetadata") if isinstance(answer, Mapping) else None
        self.headers = (about or {}).get("HTTPHeaders") or {}
        rate_headers.heard(self.headers)
        return answer

    def _produce(self, arguments: dict[str, Any], give: Callable[[Any], None], cancelled: threading.Event) -> None:
        stream = self._made("converse_stream", arguments)["stream"]
        try:
            with self._telling():
                for event in stream:
                    give(event)
                    if cancelled.is_set():
                        return
        finally:
            getattr(stream, "close", bool)()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            if meaning(error, EXCEPTIONS) is not None:
                raise
            raise Malformed(f"the client can't read the answer: {type(error).__name__}: {error}") from error

    def heard(self, **event: Any) -> None:
        """What botocore says before it signs."""
        said = SimpleNamespace(**event)
        self._secrets = None if SIGNER.of(said) is None else secrets(identity(said))

    def secrets(self) -> tuple[object, ...] | None:
        return self._secrets


def _listen(client: Any) -> None:
    """Have botocore tell of our calls. Of the same listener it has one, however often it is told."""
    events = getattr(getattr(client, "meta", None), "events", None)
    if events is not None:
        events.register_first(f"before-sign.{SERVICE}", _signing, unique_id="modelport-signing")
        events.register_first(f"needs-retry.{SERVICE}", _once, unique_id="modelport-once")


def _signing(**event: Any) -> None:
    call = _call.get()
    if call is not None:
        call.heard(**event)


def _once(response: Any, operation: Any, caught_exception: BaseException | None = None, **_: Any) -> None:
    """Raises what the attempt of one of our calls has ended in, before anybody tries again."""
    if _call.get() is None:
        return
    if caught_exception is not None:
        raise caught_exception
    http, parsed = response
    if http.status_code >= 300:
        from botocore.exceptions import ClientError

        raise ClientError(parsed, operation.name)
