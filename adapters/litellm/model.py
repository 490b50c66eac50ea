"""`LiteLLMModel`: any model that litellm knows, under its `provider/model` id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Final, Unpack

import attrs

from ...domain.frozen import FrozenDict
from ..http.arguments import one
from ..http.http_errors import Unwritable
from ..http.settings import constructor
from ..process.secret import Env, revealed, secrets_in
from .answer import decode, decode_event
from .call import LiteLLMArguments, LiteLLMCall, taken
from .errors import translate
from .sdk import client_for, endless, unobserved

__all__ = ["LiteLLMModel", "decode", "decode_event", "translate"]

# One attempt, nobody told of it.
_ALONE: Final = {"num_retries": 0, "max_retries": 0, "no-log": True}

_NOT_HERE: Final[Mapping[str, str]] = FrozenDict(
    {
        "num_retries": "with_retry(...)",
        "max_retries": "with_retry(...)",
        "retry_policy": "with_retry(...)",
        "retry_strategy": "with_retry(...)",
        "fallbacks": "with_fallback(...)",
        "context_window_fallback_dict": "with_fallback(...)",
        "model_list": "LiteLLMRouterModel(...)",
        "callbacks": "a layer, or litellm's own functions",
        "success_callback": "a layer, or litellm's own functions",
        "failure_callback": "a layer, or litellm's own functions",
    }
)
"""What would make other attempts than the one, or tell somebody of it; and what to use instead."""


@attrs.frozen(init=False, kw_only=True, repr=False)
class LiteLLMModel(LiteLLMCall):
    """A model behind any of litellm's providers: `anthropic/claude-sonnet-4-5`, `groq/llama-3.3-70b`, ...

    litellm is imported with the first call. `api_key` is text or an `Env`; without it litellm reads its provider's own
    variable. Keyword arguments that aren't named here are options of every call (`temperature=0.2`), in litellm's
    spelling where it has its own (`aws_region_name=`, `drop_params=True`). `timeout` is how many seconds the provider
    may be silent. A `client` is what litellm takes as one: an SDK's client, which belongs to one event loop.

    >>> LiteLLMModel("anthropic/claude-sonnet-4-5", temperature=0.2).options
    {'temperature': 0.2}
    """

    api_base: str | None
    _api_key: str | Env | None = attrs.field(repr=False)

    @constructor
    def __init__(
        self,
        model_id: str,
        *,
        api_base: str | None = None,
        api_key: str | Env | None = None,
        base_url: str | None = None,
        **more: Unpack[LiteLLMArguments],
    ) -> None:
        where = "LiteLLMModel"
        for name in (*more, *(more.get("client_kwargs") or ())):
            if name in _NOT_HERE:
                raise ValueError(f"{where}: no {name}; an adapter makes one attempt: use {_NOT_HERE[name]}")
        api_base = one(where, api_base=api_base, base_url=base_url)
        self._set(more, model_id=model_id, api_base=api_base, api_key=api_key)

    async def _ask(self, sdk: Any, arguments: dict[str, Any]) -> Any:
        with unobserved() if arguments["no-log"] else nullcontext():
            return await sdk.acompletion(**arguments)

    def _arguments(self, sdk: Any, options: dict[str, Any]) -> dict[str, Any]:
        if getattr(sdk, "model_fallbacks", None):
            raise Unwritable("litellm.model_fallbacks is set: litellm would try them unseen; use with_fallback(...)")
        client = self._client if self._client is not None else client_for(self.model_id)
        own = {"api_base": self.api_base, "api_key": revealed(self._api_key), "client": client}
        own |= {"base_model": self.base_model, **revealed(self._client_kwargs)}
        timeout = options.pop("timeout", self.timeout)
        return {
            **_ALONE,
            **{name: value for name, value in own.items() if value is not None},
            **taken(options, ("extra_body", *_ALONE)),
            "timeout": endless() if timeout is None else timeout,
        }

    def _models(self) -> tuple[str, ...]:
        return (self.model_id,)

    def _secrets(self) -> Iterable[object]:
        return secrets_in({"api_key": self._api_key, "client_kwargs": self._client_kwargs})
