"""Which environment variables a stack's models read a key from, and that aren't set now.

What a provider's own library looks for elsewhere (a login, a profile, a role of the machine) isn't looked for here:
Bedrock, Hugging Face and LiteLLM are told of only where an `Env` names the variable.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

import attrs

from ...adapters.openai.servers import SERVERS
from ...adapters.process.secret import Env
from ...domain.model import Model
from ..stack.compose import describe
from ..stack.walk import leaves
from .lint import Finding

_USUAL: Final = {
    "AnthropicModel": (("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), ("api_key",)),
    "GeminiModel": (("GEMINI_API_KEY", "GOOGLE_API_KEY"), ("api_key", "token", "project")),
    "OpenAIModel": (("OPENAI_API_KEY",), ("api_key",)),
    "OpenAIResponsesModel": (("OPENAI_API_KEY",), ("api_key",)),
    "AzureOpenAIModel": (("AZURE_OPENAI_API_KEY",), ("api_key", "azure_ad_token", "azure_ad_token_provider")),
}
"""The variables of which one is read where none of these arguments is given."""

_IDENTITIES: Final = frozenset({"api-key", "authorization", "x-api-key"})
"""The headers that say who asks."""

_AFTER: Final = {"GEMINI_API_KEY": "GOOGLE_API_KEY"}
"""The variable that is read where one isn't set."""


def unset_keys(model: Model) -> tuple[Finding, ...]:
    """A finding for each variable that isn't set, of each model in the stack."""
    return tuple(dict.fromkeys(chain.from_iterable(map(_of, leaves(model)))))


def _of(model: Model) -> Iterator[Finding]:
    settings = _settings(model)
    for name in dict.fromkeys((*_named(tuple(settings.values())), *_read_without_one(model, settings))):
        if not any(map(os.environ.get, (name, _AFTER.get(name, name)))):
            fix = f"set it, or keep a key for the command line: modelport keys set {name}"
            yield Finding("unset-variable", describe(model), f"the environment variable {name} isn't set", fix)


def _settings(model: Any) -> dict[str, Any]:
    fields = attrs.fields(type(model)) if attrs.has(type(model)) else ()
    return {field.name.lstrip("_"): getattr(model, field.name, None) for field in fields}


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, Env):
        yield value.name
    elif isinstance(value, Mapping):
        yield from _named(tuple(value.values()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _named(item)


def _read_without_one(model: object, settings: Mapping[str, Any]) -> Iterator[str]:
    variables, arguments = _USUAL.get(type(model).__name__, ((), ()))
    if type(model).__name__ == "OpenAIModel" and settings["server"] is not None:
        server = SERVERS[settings["server"]]
        variables = (server.variable,) if server.needs_key and server.variable else ()
    is_told = settings.get("client") is not None or any(settings[name] is not None for name in arguments)
    of_the_client = (settings.get("client_kwargs") or {}).get("default_headers") or {}
    of_the_calls = (settings.get("options") or {}).get("extra_headers") or {}
    headers = {str(name).lower() for name in (*of_the_client, *of_the_calls)}
    if not is_told and not headers & _IDENTITIES and not any(map(os.environ.get, variables)):
        yield from variables[:1]
