"""A call through litellm, whole or streamed: what its two models share."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from functools import lru_cache
from typing import Any, Final

import attrs
from returns.result import Failure, Result, Success

from ...domain.capability import Capabilities, Unsupported, missing
from ...domain.error import ErrorKind, ModelError
from ...domain.event import Event, Finished
from ...domain.facts import max_stops
from ...domain.frozen import FrozenDict
from ...domain.message import Message, Part
from ...domain.option import canonical, resolve
from ...domain.preparation import CACHE_CONTROL, cache_marker, prepare
from ...domain.request import Request
from ...domain.response import Response
from ..chat.answer import Malformed
from ..chat.request import wire_body
from ..http.model import ApiModel, limiter_of
from ..process.limiter import Limiter
from ..process.secret import revealed, secrets_in
from . import sdk as litellm_sdk
from .answer import PROVIDER, Hearing, decode, decode_event, said_why
from .errors import translate
from .log import hiding

_WITH_USAGE: Final = canonical({"stream_options": {"include_usage": True}})
_PRIVATE: Final = ("extra_headers", "headers", "extra_query", "extra_body", "default_headers")


def shown(options: Mapping[str, Any]) -> str:
    """Options as they may be seen."""
    return repr({name: "..." if name in _PRIVATE or secrets_in({name: it}) else it for name, it in options.items()})


class Ledger:
    """Enters nothing: a call that is one attempt is entered by whoever makes it."""

    def begun(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What to call litellm with."""
        return arguments

    def heard(self) -> None:
        """The first event of a stream has come."""

    def answered(self, response: Response, answer: Any) -> Response:
        """The response, with its attempts."""
        return response

    def failed(self, error: ModelError, exception: BaseException | None) -> ModelError:
        """The error, with its attempts."""
        return error


@attrs.frozen(kw_only=True)
class LiteLLMCall(ApiModel):
    """Asks litellm. Who inherits says what it is called with, and how its attempts are entered into the ledger."""

    model_id: str = attrs.field(kw_only=False)
    timeout: Any
    capabilities: Capabilities
    requests_per_minute: float | Limiter | None
    custom_role_conversions: FrozenDict = attrs.field(hash=False)
    flatten_messages_as_text: bool
    options: FrozenDict = attrs.field(hash=False, repr=shown)
    _client: Any = attrs.field(repr=False)
    _limiter: Limiter | None = attrs.field(
        init=False, eq=False, repr=False, default=attrs.Factory(lambda self: limiter_of(self.requests_per_minute), True)
    )

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return PROVIDER

    @abstractmethod
    async def _ask(self, sdk: Any, arguments: dict[str, Any]) -> Any:
        """Make the call: a whole answer, or a stream of chunks."""

    @abstractmethod
    def _arguments(self, sdk: Any, options: dict[str, Any]) -> dict[str, Any]:
        """What litellm is called with besides what the request says, taken out of the options."""

    @abstractmethod
    def _models(self) -> tuple[str, ...]:
        """What litellm calls the models that may answer."""

    @abstractmethod
    def _secrets(self) -> Iterable[object]:
        """What no message may show."""

    def _ledger(self) -> Ledger:
        return Ledger()

    async def _generate(self, request: Request) -> Result[Response, ModelError]:
        with hiding(self._of(request)):
            return await self._answer(request)

    async def _stream(self, request: Request) -> AsyncGenerator[Event]:
        with hiding(self._of(request)):
            async with aclosing(self._events(request)) as events:
                async for event in events:
                    yield event

    async def _answer(self, request: Request) -> Result[Response, ModelError]:
        outer = sys.exception()
        ledger = self._ledger()
        try:
            sdk = await litellm_sdk.litellm()
            arguments = ledger.begun(self._encoded(sdk, request, stream=False))
            answer = await self._ask(sdk, arguments)
            return Success(ledger.answered(decode(answer, request.stop_sequences), answer))
        except Exception as error:
            return Failure(ledger.failed(self._translated(error, request, outer), error))

    async def _events(self, request: Request) -> AsyncGenerator[Event]:
        outer = sys.exception()
        hearing = Hearing(request.stop_sequences)
        arriving = hearing.arriving
        ledger = self._ledger()
        chunks: Any = None
        speaking = ended = False
        try:
            sdk = await litellm_sdk.litellm()
            arguments = ledger.begun(self._encoded(sdk, request, stream=True))
            chunks = await self._ask(sdk, arguments)
            async for chunk in chunks:
                events = decode_event(chunk, hearing)
                if events and not speaking:
                    speaking = True
                    ledger.heard()
                for event in events:
                    yield event
                if arriving.draft.stopped_by is not None or hearing.over and arguments["no-log"]:
                    break  # what is left to litellm is to tell its callbacks
            else:
                ended = True
            if arriving.draft.stopped_by is None and not said_why(chunks):
                arriving.finish_reason = None
                if not chunks.chunks:
                    raise Malformed("the answer is empty: no event in the stream")
        except Exception as error:
            failure = self._translated(error, request, outer)
            if not (arriving.complete and failure.kind in (ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT)):
                yield arriving.draft.fail(ledger.failed(failure, error))
                return
        finally:
            if chunks is not None and not ended:
                await chunks.aclose()
        if arriving.complete:
            for event in hearing.finish(chunks):
                yield Finished(ledger.answered(event.response, chunks)) if isinstance(event, Finished) else event
            return
        for event in arriving.draft.close():
            yield event
        cut = self._translated(Malformed("the stream ended without a finish reason"), request, None)
        yield arriving.draft.fail(ledger.failed(attrs.evolve(cut, kind=ErrorKind.INTERRUPTED), None))

    def _encoded(self, sdk: Any, request: Request, *, stream: bool) -> dict[str, Any]:
        lacking = missing(request, self.capabilities)
        if lacking:
            raise Unsupported(f"{self.model_id} doesn't declare {', '.join(lacking)}; see capabilities=")
        options = revealed(dict(resolve(*((_WITH_USAGE,) if stream else ()), self.options, request.options)))
        arguments = self._arguments(sdk, options)
        models = self._models()
        messages = prepare(
            request.messages,
            role_conversions=self.custom_role_conversions,
            flatten=self.flatten_messages_as_text,
        )
        messages = _marked(messages, any(model.startswith(_TAKE_NO_THOUGHTS) for model in models))
        stops = request.stop_sequences
        if stops and any("claude" in model.lower() for model in models):
            stops = tuple(stop for stop in stops if stop.strip())  # it refuses blanks, and they are enforced here
        if stops is not request.stop_sequences or messages is not request.messages:
            request = attrs.evolve(request, messages=messages, stop_sequences=stops)
        limit = self.capabilities.max_stops
        if stops and not all(_takes_stops(sdk, model) for model in models):
            limit = 0  # litellm would refuse the call, and they are enforced here
        body = wire_body(request, self.model_id, options, max_stops=limit, stream=stream, provider=PROVIDER)
        if request.tools:
            body[litellm_sdk.SKIP_MCP.name] = True  # else it wants the mcp package, whatever the tools are
        return {**body, **arguments}

    def _translated(self, error: Exception, request: Request, outer: BaseException | None) -> ModelError:
        return translate(error, model_id=self.model_id, secrets=self._of(request), outer=outer)

    def _of(self, request: Request) -> tuple[object, ...]:
        """The secrets of a call."""
        return (*self._secrets(), *secrets_in(self.options), *secrets_in(request.options))


def capabilities_of(models: Iterable[str]) -> Capabilities:
    """What is thought of models by their ids."""
    limits = [max_stops(model) for model in models]
    return Capabilities(
        tools=True,
        images=True,
        audio=True,
        documents=True,
        json_object=True,
        json_schema=True,
        max_stops=min((4 if limit is None else limit for limit in limits), default=4),
    )


def taken(options: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Those of the options, which are taken out."""
    return {name: options.pop(name) for name in names if name in options}


@lru_cache(maxsize=256)
def _takes_stops(sdk: Any, model: str) -> bool:
    try:
        known = sdk.get_supported_openai_params(model=model)
    except Exception:  # it will say the same when it is asked for an answer
        return True
    return known is None or "stop" in known


# litellm hands Anthropic's signed thoughts on to these, and they refuse what they don't know.
_TAKE_NO_THOUGHTS: Final = ("openai/", "azure/")


def _marked(messages: tuple[Message, ...], without_thoughts: bool) -> tuple[Message, ...]:
    """The messages with their cache markers where litellm looks for them; the same tuple where there are none."""
    if not any(message.metadata or any(part.metadata for part in message.content) for message in messages):
        return messages
    return tuple(_marked_message(message, without_thoughts) for message in messages)


def _marked_message(message: Message, without_thoughts: bool) -> Message:
    content: list[Part] = [_with_marker(part, cache_marker(part)) for part in message.content]
    marker = cache_marker(message)
    if marker is not None and content:
        content[-1] = _with_marker(content[-1], marker)
    own = message.metadata.get(PROVIDER, {})
    if without_thoughts and "thinking_blocks" in own:
        own = {name: value for name, value in own.items() if name != "thinking_blocks"}
    return attrs.evolve(message, content=content, metadata={**message.metadata, PROVIDER: own})


def _with_marker(part: Part, marker: Mapping[str, Any] | None) -> Part:
    if marker is None:
        return part
    own = {CACHE_CONTROL: marker, **part.metadata.get(PROVIDER, {})}
    return attrs.evolve(part, metadata={**part.metadata, PROVIDER: own})
