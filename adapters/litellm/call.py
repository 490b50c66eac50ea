"""A call through litellm, whole or streamed: what its two models share."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import attrs

from ...domain.capability import Capabilities
from ...domain.error import ModelError
from ...domain.event import Event, Finished
from ...domain.message import Message, Part
from ...domain.options.option_names import LITELLM
from ...domain.reading.preparation import CACHE_CONTROL, cache_marker
from ...domain.request import Request
from ...domain.response import Response
from ..chat.answer import Arriving
from ..chat.exchange import WITH_USAGE
from ..chat.options import assumed
from ..chat.request import wire_body
from ..http.address import asked_at
from ..http.exchange import Exchange
from ..http.http_errors import Malformed
from ..http.model import ApiModel
from ..http.settings import ApiArguments
from ..process.secret import Env, revealed, secrets_in
from . import sdk as litellm_sdk
from .answer import PROVIDER, Hearing, decode, decode_event, said_why
from .errors import translate
from .log import hiding


class LiteLLMArguments(ApiArguments, total=False):
    """What all models behind an API take, and the options that litellm has by its own names."""

    additional_drop_params: list[str]
    allowed_openai_params: list[str]
    api_version: str
    aws_access_key_id: str | Env
    aws_profile_name: str
    aws_region_name: str
    aws_role_name: str
    aws_secret_access_key: str | Env
    aws_session_token: str | Env
    azure_ad_token: str | Env
    caching: bool
    custom_llm_provider: str
    drop_params: bool
    litellm_metadata: Mapping[str, Any]
    mock_response: Any
    organization: str
    ssl_verify: bool | str
    stream_timeout: float
    vertex_credentials: Any
    vertex_location: str
    vertex_project: str


@attrs.frozen(kw_only=True, repr=False)
class LiteLLMCall(ApiModel):
    """Asks litellm. Who inherits says what it is called with, and how its attempts are entered into the ledger."""

    def _assumed(self) -> Capabilities:
        return assumed(self.base_model or self.model_id)

    known = LITELLM

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

    def _exchange(self, request: Request) -> LiteLLMExchange:
        return LiteLLMExchange(self, request)

    def _encoded(self, sdk: Any, request: Request, *, stream: bool) -> dict[str, Any]:
        request, prepared = self._prepared(request, WITH_USAGE if stream else {})
        options = revealed(dict(prepared))
        arguments = self._arguments(sdk, options)
        models = self._models()
        messages = _marked(request.messages, any(model.startswith(_TAKE_NO_THOUGHTS) for model in models))
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


class LiteLLMExchange(Exchange):
    """One call of litellm. It is one attempt, which whoever makes it enters into the ledger."""

    arriving: Arriving

    def __init__(self, model: LiteLLMCall, request: Request) -> None:
        self._outer = sys.exception()
        self._model, self._request = model, request
        self._secrets = (*model._secrets(), *secrets_in(model.options), *secrets_in(request.options))
        self._hearing = Hearing(request.stop_sequences)
        self.arriving = self._hearing.arriving
        self._arguments: dict[str, Any] = {}
        self._stream: Any = None

    async def answer(self) -> Response:
        with hiding(self._secrets):
            answer = await self._ask(stream=False)
            return self._answered(decode(answer, self._request.stop_sequences), answer)

    async def chunks(self) -> AsyncGenerator[Any]:
        with hiding(self._secrets):
            self._stream = await self._ask(stream=True)
            ended = False
            try:
                async for chunk in self._stream:
                    yield chunk
                ended = True
            finally:
                if not ended:
                    await self._stream.aclose()

    async def _ask(self, *, stream: bool) -> Any:
        sdk = await litellm_sdk.litellm()
        self._arguments = self._model._encoded(sdk, self._request, stream=stream)
        return await self._model._ask(sdk, self._arguments)

    def read(self, chunk: Any) -> Sequence[Event]:
        try:
            return decode_event(chunk, self._hearing)
        except (AttributeError, TypeError) as error:  # litellm passes on what it hasn't looked at
            raise Malformed(f"a chunk of the stream is of another shape: {error}") from error

    @property
    def over(self) -> bool:
        """Whether a stop has ended the text, or all that is left to litellm is to tell its callbacks."""
        return self.arriving.draft.stopped_by is not None or self._hearing.over and self._arguments["no-log"]

    def end(self) -> Sequence[Event]:
        """None; but what litellm says of the end may not be what the provider said."""
        if not said_why(self._stream):
            self.arriving.finish_reason = None
            if not self._stream.chunks:
                raise Malformed("the answer is empty: no event in the stream")
        return ()

    def finish(self) -> Iterator[Event]:
        *events, last = self._hearing.finish(self._stream)
        yield from events
        assert isinstance(last, Finished)
        yield Finished(self._answered(last.response, self._stream))

    def translated(self, error: Exception) -> ModelError:
        found = translate(error, model_id=self._model.model_id, secrets=self._secrets, outer=self._outer)
        return asked_at(found, self._address())

    def _address(self) -> str | None:
        address = self._arguments.get("api_base")
        return address if isinstance(address, str) else None

    def _answered(self, response: Response, answer: Any) -> Response:
        """The response, with its attempts where there were several."""
        return response


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
