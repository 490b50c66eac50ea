"""`AmazonBedrockModel`: whatever model Amazon Bedrock serves, over its Converse API.

botocore says where the service is and how requests are signed, and finds the credentials. The request, the answer and
the frames of a stream are ours, and our transport carries them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, Unpack

import attrs

from ...domain.capability import Capabilities
from ...domain.facts import bedrock_max_stops
from ...domain.options.option_names import BEDROCK
from ...domain.request import Request
from ...domain.schemas import dialects
from ...domain.schemas.rewriting import Dialect
from ..http.model import ApiModel
from ..http.settings import ApiArguments, constructor
from ..http.transport import Transport
from ..process.per_process import PerProcess
from ..process.secret import revealed, secrets_in
from ..process.thread import Threads
from .answer import decode, decode_event
from .client_call import ClientExchange
from .errors import translate
from .exchange import BedrockExchange, WireExchange
from .request import encode
from .sdk import Connection, connect
from .settings import Key, check_arguments, seconds

__all__ = ["AmazonBedrockModel", "AmazonBedrockServerModel", "decode", "decode_event", "encode", "translate"]


class Members(TypedDict, total=False):
    """The members of Converse that are options."""

    additionalModelRequestFields: Mapping[str, Any]
    additionalModelResponseFieldPaths: list[str]
    guardrailConfig: Mapping[str, Any]
    inferenceConfig: Mapping[str, Any]
    outputConfig: Mapping[str, Any]
    performanceConfig: Mapping[str, Any]
    promptVariables: Mapping[str, Any]
    requestMetadata: Mapping[str, str]
    serviceTier: Mapping[str, str]
    toolConfig: Mapping[str, Any]


class BedrockArguments(ApiArguments, Members, total=False):
    """What all models behind an API take, and Bedrock's own options."""


def _threads(self: Any) -> Threads:
    """As many as the injected client has connections, where that can be told."""
    config = getattr(getattr(self._client, "meta", None), "config", None)
    return Threads("modelport-bedrock", getattr(config, "max_pool_connections", 10))


@attrs.frozen(init=False, kw_only=True, repr=False)
class AmazonBedrockModel(ApiModel):
    """A model that Amazon Bedrock serves.

    `model_id` is a model, an inference profile or an ARN. Keyword arguments that aren't named here are options of every
    call (`temperature=0.2`): Converse's own members (`guardrailConfig`, `requestMetadata`, ...) go to their places, and
    what neither knows to the model (`thinking={...}`). Without keys botocore finds its own, in its own order; `api_key`
    is a Bedrock API key, sent as a bearer token. `timeout` is how many seconds the service may be silent; connecting
    gets 5 of them. `session` is a `boto3.Session` of yours, and `transport` an `HttpTransport` with a proxy,
    certificates or bounds of its own. A `client` of boto3 that is passed in is used as it is, in threads, but for its
    retries.

    >>> AmazonBedrockModel("us.amazon.nova-lite-v1:0", temperature=0.2).options
    {'temperature': 0.2}
    """

    known = BEDROCK

    region_name: str | None
    profile_name: str | None
    endpoint_url: str | None
    _aws_access_key_id: Key | None = attrs.field(repr=False)
    _aws_secret_access_key: Key | None = attrs.field(repr=False)
    _aws_session_token: Key | None = attrs.field(repr=False)
    _api_key: Key | None = attrs.field(repr=False)
    _session: Any = attrs.field(repr=False)
    _transport: Transport | None
    _connections: PerProcess[Connection] = attrs.field(init=False, eq=False, repr=False, factory=PerProcess)
    _threads: Threads = attrs.field(init=False, eq=False, repr=False, default=attrs.Factory(_threads, True))

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
        transport: Transport | None = None,
        **more: Unpack[BedrockArguments],
    ) -> None:
        own: dict[str, Any] = {
            "region_name": region_name,
            "profile_name": profile_name,
            "endpoint_url": endpoint_url,
            "aws_access_key_id": aws_access_key_id,
            "aws_secret_access_key": aws_secret_access_key,
            "aws_session_token": aws_session_token,
            "api_key": api_key,
            "session": session,
            "transport": transport,
        }
        check_arguments(own, more)
        self._set(more, model_id=model_id, **own)

    def _assumed(self) -> Capabilities:
        stops = bedrock_max_stops(self.base_model or self.model_id)
        return Capabilities(tools=True, images=True, audio=True, documents=True, json_schema=True, max_stops=stops)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "bedrock"

    @property
    def _dialect(self) -> Dialect:
        return dialects.BEDROCK

    def _exchange(self, request: Request) -> BedrockExchange:
        return WireExchange(self, request) if self._client is None else ClientExchange(self, request)

    def _connected(self) -> Connection:
        """How calls are made in this process. It takes a while the first time, and raises what boto3 raises."""
        return self._connections.get(self._connect)

    def _connect(self) -> Connection:
        arguments = {
            "region_name": self.region_name,
            "endpoint_url": self.endpoint_url,
            "aws_access_key_id": self._aws_access_key_id,
            "aws_secret_access_key": self._aws_secret_access_key,
            "aws_session_token": self._aws_session_token,
            **self._client_kwargs,
        }
        key = revealed(self._api_key)
        return connect(
            self._session,
            self.profile_name,
            key and key.strip(),  # what was read from a file ends in a line break
            arguments,
            timeout=seconds(self.timeout),
            transport=self._transport,
        )

    def _secrets(self) -> Iterator[object]:
        given = (self._api_key, self._aws_secret_access_key, self._aws_session_token, self._aws_access_key_id)
        for key in given:
            with contextlib.suppress(Exception):
                yield revealed(key)
        yield from secrets_in((self._client_kwargs, self.options))


AmazonBedrockServerModel = AmazonBedrockModel
"""An older name."""
