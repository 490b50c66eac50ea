"""`OpenAIModel`: chat completions of OpenAI, or of any server that speaks the same wire."""

from __future__ import annotations

from typing import Final, Unpack

import attrs

from ..chat.answer import decode, decode_event
from ..chat.request import encode
from ..http.arguments import check_text, one
from ..http.keys import Key
from ..http.settings import ApiArguments, constructor
from ..http.transport import Transport
from ..settings import check_kind
from .account import OpenAIAccount, account
from .errors import translate
from .server import Server
from .servers import SERVERS, server_named
from .settings import check_arguments
from .wire import ChatWire

__all__ = ["OpenAIModel", "OpenAIServerModel", "decode", "decode_event", "encode", "translate"]

_WHERE: Final = "OpenAIModel"


@attrs.frozen(init=False, kw_only=True, repr=False)
class OpenAIModel(ChatWire, OpenAIAccount):
    """A model behind the chat-completions wire.

    `server` is the name of a server that is known (`groq`, `ollama`): its address, the variable of its key and what it
    takes otherwise than OpenAI are in `SERVERS`, and OpenAI's own variables aren't read then.
    Keyword arguments that aren't named here are options of every call (`temperature=0.2`). `timeout` is how many
    seconds the server may be silent; connecting gets 5 of them. `api_key` is text, an `Env`, or a function, sync or
    async, that is asked for it at each call; without it OPENAI_API_KEY is read. `base_model` says whose facts hold
    where the id is a name of one's own, `drop_options` which options are never sent, and `reasoning_name` under which
    name a server wants its reasoning back (DeepSeek: `reasoning_content`). With `tool_calls_in_text` calls that the
    server leaves in the text are read as those of local models are (`parse_tool_calls`). `transport` is an
    `HttpTransport` with a proxy, certificates or bounds of its own. `client_kwargs` may hold `default_headers` and
    `default_query`, and what else the SDK's client has as arguments here. A `client` that is passed in (an
    `openai.AsyncOpenAI`, which belongs to one event loop) carries the calls as it is, but for its retries and
    redirects.

    >>> OpenAIModel("gpt-4o", temperature=0.2).options
    {'temperature': 0.2}
    """

    server: str | None
    reasoning_name: str | None
    tool_calls_in_text: bool

    @constructor
    def __init__(
        self,
        model_id: str,
        *,
        server: str | None = None,
        base_url: str | None = None,
        api_base: str | None = None,
        api_key: Key | None = None,
        organization: str | None = None,
        project: str | None = None,
        reasoning_name: str | None = None,
        tool_calls_in_text: bool = False,
        transport: Transport | None = None,
        **more: Unpack[ApiArguments],
    ) -> None:
        own = account(_WHERE, one(_WHERE, base_url=base_url, api_base=api_base), api_key, organization, project)
        check_text(f"{_WHERE}: reasoning_name", reasoning_name)
        check_text(f"{_WHERE}: server", server)
        check_kind(_WHERE, "tool_calls_in_text", tool_calls_in_text, bool, "True or False")
        check_arguments(_WHERE, own, more, transport)
        row = None if server is None else server_named(server, f"{_WHERE}: server")
        if row is not None and more.get("capabilities") is None:
            more = {**more, "capabilities": row.capabilities(more.get("base_model") or model_id)}
        own |= {"server": server, "reasoning_name": reasoning_name, "tool_calls_in_text": tool_calls_in_text}
        self._set(more, model_id=model_id, transport=transport, **own)

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return self.server or "openai"

    @property
    def _row(self) -> Server | None:
        return SERVERS[self.server] if self.server else None

    @property
    def _knows_cache_markers(self) -> bool:
        row = self._row  # OpenAI and Azure cache by themselves, and have no such field
        return not self._is_at_openai if row is None else row.cache_markers

    @property
    def _wants_reasoning_as(self) -> str | None:
        row = self._row
        return self.reasoning_name if self.reasoning_name or row is None else row.reasoning_back

    @property
    def _reads_calls_in_text(self) -> bool:
        return self.tool_calls_in_text


OpenAIServerModel = OpenAIModel
"""An older name."""
