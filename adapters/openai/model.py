"""`OpenAIModel`: chat completions of OpenAI, or of any server that speaks the same wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Unpack

import attrs

from ..chat.answer import decode, decode_event
from ..chat.request import encode
from ..http.arguments import check_text, one
from ..http.settings import ApiArguments, constructor
from .errors import translate
from .settings import Key, base_address, check_arguments
from .wire import ChatWire, fetched, headers_of_the_call

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["OpenAIModel", "OpenAIServerModel", "decode", "decode_event", "encode", "translate"]

_WHERE: Final = "OpenAIModel"
_OPENAIS: Final = re.compile(r"^https?://[^/]*\.(?:openai\.com|azure\.(?:com|us|cn))(?:[:/]|$)", re.IGNORECASE)


@attrs.frozen(init=False, kw_only=True, repr=False)
class OpenAIModel(ChatWire):
    """A model behind the chat-completions wire.

    Keyword arguments that aren't named here are options of every call (`temperature=0.2`). `timeout` is how many
    seconds the server may be silent; connecting gets 5 of them. `api_key` is text, an `Env`, or a function, sync or
    async, that is asked for it at each call; without it the SDK reads OPENAI_API_KEY. `base_model` says whose facts
    hold where the id is a name of one's own, `drop_options` which options are never sent, and `reasoning_name` under
    which name a server wants its reasoning back (DeepSeek: `reasoning_content`). A `client` that is passed in (an
    `openai.AsyncOpenAI`, which belongs to one event loop) is used as it is, but for its retries and redirects.
    `client_kwargs` go to the client that is made for each event loop; a class or function given there as `http_client`
    (`openai.DefaultAioHttpClient`) is called for each.

    >>> OpenAIModel("gpt-4o", temperature=0.2).options
    {'temperature': 0.2}
    """

    base_url: str | None
    organization: str | None
    project: str | None
    reasoning_name: str | None
    _api_key: Key | None = attrs.field(repr=False)

    @constructor
    def __init__(
        self,
        model_id: str,
        *,
        base_url: str | None = None,
        api_base: str | None = None,
        api_key: Key | None = None,
        organization: str | None = None,
        project: str | None = None,
        reasoning_name: str | None = None,
        **more: Unpack[ApiArguments],
    ) -> None:
        own: dict[str, Any] = {
            "base_url": base_address(one(_WHERE, base_url=base_url, api_base=api_base), f"{_WHERE}: base_url"),
            "api_key": api_key,
            "organization": organization,
            "project": project,
        }
        check_text(f"{_WHERE}: reasoning_name", reasoning_name)
        check_arguments(_WHERE, own, more)
        self._set(more, model_id=model_id, reasoning_name=reasoning_name, **own)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return "openai"

    @property
    def _knows_cache_markers(self) -> bool:
        # OpenAI and Azure cache by themselves, and have no such field.
        address = self.base_url if self._client is None else str(self._client.base_url)
        return address is not None and not _OPENAIS.search(address)

    @property
    def _wants_reasoning_as(self) -> str | None:
        return self.reasoning_name

    def _made(self, openai: Any, arguments: dict[str, Any]) -> AsyncOpenAI:
        key = self._api_key
        own: dict[str, Any] = {
            "api_key": key if key is None or isinstance(key, str) else "in the headers of each call",
            "base_url": self.base_url,
            "organization": self.organization,
            "project": self.project,
        }
        made: AsyncOpenAI = openai.AsyncOpenAI(**{**own, **arguments})
        return made

    async def _credentials(self, headers: Mapping[str, Any]) -> Mapping[str, Any]:
        key = self._api_key
        if key is None or isinstance(key, str):
            return {}
        return headers_of_the_call(headers, "Authorization") or {
            "Authorization": f"Bearer {await fetched(key, 'api_key')}"
        }


OpenAIServerModel = OpenAIModel
"""An older name."""
