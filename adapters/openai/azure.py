"""`AzureOpenAIModel`: chat completions of a deployment of Azure OpenAI.

The deployment stands in the address, the API's version in the query, a key or a token of Entra ID in the headers. Who
is asking is settled here, for each call: tokens are renewed, and an argument outdoes a variable of the environment.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any, Final, Unpack
from urllib.parse import quote

import attrs

from ...domain.schemas.dialects import OPENAI
from ...domain.schemas.rewriting import Dialect
from ..chat.answer import decode, decode_event
from ..chat.request import encode
from ..http.arguments import base_address
from ..http.keys import Key, fetched
from ..http.settings import ApiArguments, constructor
from ..http.transport import Transport
from ..process.secret import Unset
from .errors import translate
from .settings import check_arguments
from .wire import ChatWire

__all__ = ["AzureOpenAIModel", "AzureOpenAIServerModel", "decode", "decode_event", "encode", "translate"]

_WHERE: Final = "AzureOpenAIModel"
_NO_IDENTITY: Final = "pass api_key=..., azure_ad_token=... or azure_ad_token_provider=..., or set AZURE_OPENAI_API_KEY"


@attrs.frozen(init=False, kw_only=True, repr=False)
class AzureOpenAIModel(ChatWire):
    """A deployment of Azure OpenAI; `model_id` is the deployment's name.

    Without `azure_endpoint`, `api_version` and a key they are read from AZURE_OPENAI_ENDPOINT, OPENAI_API_VERSION and
    AZURE_OPENAI_API_KEY at the first call. `azure_ad_token` is a token of Entra ID, and `azure_ad_token_provider` a
    function, sync or async, that gives one for each call, such as `azure.identity.get_bearer_token_provider(...)`.
    `base_model` says which model it is, where the deployment's name doesn't. Everything else is as in `OpenAIModel`;
    a `client` is an `openai.AsyncAzureOpenAI`.

    >>> AzureOpenAIModel("chat", azure_endpoint="https://x.openai.azure.com", base_model="gpt-5").capabilities.max_stops
    0
    """

    azure_endpoint: str | None
    api_version: str | None
    _api_key: Key | None = attrs.field(repr=False)
    _azure_ad_token: Key | None = attrs.field(repr=False)
    _azure_ad_token_provider: Key | None = attrs.field(repr=False)

    @constructor
    def __init__(
        self,
        model_id: str,
        *,
        azure_endpoint: str | None = None,
        api_version: str | None = None,
        api_key: Key | None = None,
        azure_ad_token: Key | None = None,
        azure_ad_token_provider: Key | None = None,
        transport: Transport | None = None,
        **more: Unpack[ApiArguments],
    ) -> None:
        who = {
            "api_key": api_key,
            "azure_ad_token": azure_ad_token,
            "azure_ad_token_provider": azure_ad_token_provider,
        }
        own: dict[str, Any] = {
            "azure_endpoint": _endpoint(azure_endpoint, ValueError, f"{_WHERE}: azure_endpoint"),
            "api_version": api_version,
            **who,
        }
        keys = [name for name, value in who.items() if value is not None]
        if len(keys) > 1:
            raise ValueError(f"{_WHERE}: {' and '.join(keys)} exclude each other; keep one")
        if azure_ad_token_provider is not None and not callable(azure_ad_token_provider):
            raise TypeError(f"{_WHERE}: azure_ad_token_provider is a function; a token itself is azure_ad_token=...")
        kwargs = more.get("client_kwargs") or {}
        if azure_endpoint is not None and "base_url" in kwargs:
            raise ValueError(f"{_WHERE}: azure_endpoint and the base_url of client_kwargs exclude each other; keep one")
        misplaced = own.keys() & set(kwargs)
        if misplaced:
            raise ValueError(f"{_WHERE}: client_kwargs: {min(misplaced)} is an argument of its own; pass it as one")
        check_arguments(_WHERE, own, more, transport)
        self._set(more, model_id=model_id, transport=transport, **own)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "azure"

    @property
    def _dialect(self) -> Dialect:
        return OPENAI

    def _address(self) -> tuple[str, Mapping[str, Any]]:
        version = self.api_version or os.environ.get("OPENAI_API_VERSION")
        lacking = [] if version else ["api_version=... or set OPENAI_API_VERSION"]
        kwargs = self._client_kwargs
        base = kwargs.get("base_url")
        if base is None:
            endpoint = self.azure_endpoint or os.environ.get("AZURE_OPENAI_ENDPOINT")
            if not endpoint:
                lacking.insert(0, "azure_endpoint=... or set AZURE_OPENAI_ENDPOINT")
            base = _base(endpoint or None)
        if lacking:
            raise Unset(f"Azure's address isn't known: pass {', and '.join(lacking)}")
        return _completions(base, kwargs.get("azure_deployment") or self.model_id), {"api-version": version}

    async def _identity(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        if "api-key" in headers or "authorization" in headers:
            return {}
        key, token, name = self._api_key, self._azure_ad_token, "azure_ad_token"
        if self._azure_ad_token_provider is not None:
            token, name = self._azure_ad_token_provider, "azure_ad_token_provider"
        if key is None and token is None:  # in the SDK's order
            token = os.environ.get("AZURE_OPENAI_AD_TOKEN")
            key = os.environ.get("AZURE_OPENAI_API_KEY")
        if token:
            return {"authorization": f"Bearer {await fetched(token, name)}"}
        if key:
            return {"api-key": await fetched(key, "api_key")}
        raise Unset(f"there is no API key and no token: {_NO_IDENTITY}")


@functools.lru_cache(maxsize=64)
def _base(endpoint: str | None) -> str:
    """Raises `Unset`, for the environment's address: an argument was checked before."""
    return f"{(_endpoint(endpoint, Unset, 'AZURE_OPENAI_ENDPOINT') or '').rstrip('/')}/openai"


@functools.lru_cache(maxsize=64)
def _completions(base: str, deployment: str) -> str:
    base = base.rstrip("/")
    if "/deployments/" not in base:
        base = f"{base}/deployments/{quote(deployment, safe='')}"
    return f"{base}/chat/completions"


def _endpoint(text: str | None, wrong: type[Exception], where: str) -> str | None:
    if isinstance(text, str) and "/openai/deployments" in text:
        raise wrong(f"{where} ends before /openai/deployments; model_id and api_version say the rest")
    try:
        endpoint = base_address(text, where)
    except ValueError as error:
        raise wrong(str(error)) from None
    if endpoint is not None and endpoint.rstrip("/").endswith("/openai/v1"):
        raise wrong(f"{where} is the v1 endpoint, which has no versions: OpenAIModel(base_url={endpoint!r})")
    return endpoint


AzureOpenAIServerModel = AzureOpenAIModel
"""An older name."""
