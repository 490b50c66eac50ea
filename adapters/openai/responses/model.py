"""`OpenAIResponsesModel`: OpenAI's Responses API, and whoever speaks it: Azure's v1 endpoint, OpenRouter, vLLM."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final, Unpack

import attrs

from ....domain.capability import Capabilities
from ....domain.facts import gives_encrypted_reasoning
from ....domain.options.option import canonical
from ....domain.options.option_names import RESPONSES
from ....domain.request import Request
from ....domain.response import Response
from ...chat.calls import made_up_after
from ...chat.options import parted
from ...chat.stream import Reader
from ...http.arguments import parts_of
from ...http.keys import Key
from ...http.settings import ApiArguments, constructor
from ...http.transport import Transport
from ...process.secret import revealed
from ..account import OpenAIAccount, account
from ..errors import translate
from ..settings import check_arguments
from ..wire import OpenAIExchange
from .answer import decode
from .request import ENCRYPTED, encode
from .stream import Arriving, decode_event

__all__ = ["OpenAIResponsesModel", "decode", "decode_event", "encode", "translate"]

_WHERE: Final = "OpenAIResponsesModel"
_ENCRYPTED: Final = canonical({"include": [ENCRYPTED]})
_NONE: Final[Mapping[str, Any]] = {}


class ResponsesArguments(ApiArguments, total=False):
    """What all models behind an API take, and the options of this one alone."""

    access_programs: Mapping[str, Any]
    context_management: Sequence[Mapping[str, Any]]
    conversation: str | Mapping[str, Any]
    moderation: Mapping[str, Any]
    prompt_cache_options: Mapping[str, Any]


@attrs.frozen(init=False, kw_only=True, repr=False)
class OpenAIResponsesModel(OpenAIAccount):
    """A model behind the Responses API.

    Keyword arguments that aren't named here are options of every call (`reasoning_effort="low"`, `store=False`). The
    server's own tools go into `extra_body={"tools": [...]}`, and join those of the call. Reasoning is asked for,
    encrypted, of models that give it, and goes back with the conversation. Everything else is as in `OpenAIModel`; a
    `client` may be an `openai.AsyncAzureOpenAI`, too.

    >>> OpenAIResponsesModel("gpt-5", store=False).options
    {'store': False}
    """

    known = RESPONSES
    path = "responses"

    @constructor
    def __init__(
        self,
        model_id: str,
        *,
        base_url: str | None = None,
        api_key: Key | None = None,
        organization: str | None = None,
        project: str | None = None,
        transport: Transport | None = None,
        **more: Unpack[ResponsesArguments],
    ) -> None:
        own = account(_WHERE, base_url, api_key, organization, project)
        check_arguments(_WHERE, own, more, transport)
        self._set(more, model_id=model_id, transport=transport, **own)

    def _assumed(self) -> Capabilities:
        return Capabilities(tools=True, images=True, documents=True, json_object=True, json_schema=True, max_stops=0)

    def _exchange(self, request: Request) -> _Exchange:
        return _Exchange(self, request)

    def _encoded(self, request: Request, stream: bool) -> tuple[bytes, dict[str, Any]]:
        asks = gives_encrypted_reasoning(self.base_model or self.model_id)
        request, options = self._prepared(request, _ENCRYPTED if asks else _NONE)
        options, beside = parted(revealed(options))
        return encode(request, self.model_id, options, stream=stream, at=self._host), beside

    @property
    def _host(self) -> str:
        """Who answers: what it gives of its own means nothing elsewhere."""
        return _host(self._base if self._client is None else str(self._client.base_url))


class _Exchange(OpenAIExchange):
    """One physical request."""

    cut_off = "the stream ended without saying that the response is complete"

    def __init__(self, model: OpenAIResponsesModel, request: Request) -> None:
        self.transport = model._carrier
        super().__init__(model, request, self.transport.bounds)
        self._host = model._host
        self._made_up = made_up_after(request.messages)

    @cached_property
    def arriving(self) -> Arriving:
        """What a stream has said so far; an answer that comes whole needs none."""
        return Arriving(self.request.stop_sequences, self._made_up, self._host)

    @cached_property
    def reader(self) -> Reader:
        """What reads the stream into it."""
        return Reader(self.arriving, self.bounds.event, decode_event)

    def decoded(self, body: bytes) -> Response:
        return decode(body, self.request.stop_sequences, self._made_up, self._host)


@functools.lru_cache(maxsize=64)
def _host(address: str) -> str:
    """The host of an address, with its port, and without who asks there."""
    parts = parts_of(address)
    return "" if parts is None else parts.netloc.rpartition("@")[2]
