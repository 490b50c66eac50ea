"""Which model a word on the command line means: `openvino:default`, `transformers:PATH`, `openai:NAME`."""

from __future__ import annotations

import difflib
import os
from typing import Any, Final, NamedTuple

from ... import adapters
from ...adapters.openai.servers import SERVERS
from ...domain.model import Model

DEFAULT: Final = "openvino:default"
"""The model that answers where none is named."""


class Adapter(NamedTuple):
    """The class that a word means, a name for its model, and what it takes to be asked.

    `module` comes with the extra; `address` is the argument that says where its server is; `variable` holds its key;
    `server` is the name of a server of OpenAI's wire, by which its model is made.
    """

    name: str
    example: str
    extra: str
    module: str
    address: str | None = None
    variable: str | None = None
    server: str | None = None


_OWN: Final = {
    "openvino": Adapter("OpenVINOModel", "default", "openvino", "openvino_genai"),
    "transformers": Adapter("TransformersModel", "default", "transformers", "transformers"),
    "vllm": Adapter("VLLMModel", "default", "vllm", "vllm"),
    "mlx": Adapter("MLXModel", "default", "mlx", "mlx_lm"),
    "openai": Adapter("OpenAIModel", "gpt-4o", "openai", "openai", "base_url", "OPENAI_API_KEY"),
    "responses": Adapter("OpenAIResponsesModel", "gpt-5", "openai", "openai", "base_url", "OPENAI_API_KEY"),
    "azure": Adapter("AzureOpenAIModel", "my-deployment", "openai", "openai", "azure_endpoint", "AZURE_OPENAI_API_KEY"),
    "huggingface": Adapter(
        "InferenceClientModel", "Qwen/Qwen3-32B", "huggingface", "huggingface_hub", "base_url", "HF_TOKEN"
    ),
    "anthropic": Adapter(
        "AnthropicModel", "claude-sonnet-5-5", "anthropic", "aiohttp", "base_url", "ANTHROPIC_API_KEY"
    ),
    "gemini": Adapter("GeminiModel", "gemini-2.5-flash", "gemini", "aiohttp", "base_url", "GEMINI_API_KEY"),
    "litellm": Adapter("LiteLLMModel", "anthropic/claude-sonnet-4-5", "litellm", "litellm", "api_base"),
    "bedrock": Adapter(
        "AmazonBedrockModel",
        "us.amazon.nova-lite-v1:0",
        "bedrock",
        "boto3",
        "endpoint_url",
        "AWS_BEARER_TOKEN_BEDROCK",
    ),
}

_OF_SERVERS: Final = {
    name: Adapter("OpenAIModel", server.example, "openai", "openai", "base_url", server.variable, name)
    for name, server in SERVERS.items()
}

ADAPTERS: Final = {**_OWN, **_OF_SERVERS}
"""Each word, in the order of the help: adapters, then the servers that are known by name."""

_HOSTED: Final = frozenset(("cohere",))
"""Providers that litellm knows."""

_FAMILIES: Final = {
    "gpt": "openai",
    "chatgpt": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "claude": "anthropic",
    "gemini": "gemini",
    "deepseek": "deepseek",
    "grok": "xai",
    "mistral": "mistral",
}
"""How the names of a provider's models begin, up to the first dash."""


def model_for(spec: str, *, base_url: str | None = None, **options: Any) -> Model:
    """The model that a spec names. Raises ValueError, with the nearest adapter, for what names none.

    >>> model_for("openvino:default")
    OpenVINOModel('default')
    """
    word, _, name = spec.partition(":")
    adapter = ADAPTERS.get(word)
    if adapter is None:
        if word.lower() in _HOSTED:
            raise ValueError(f"{spec!r}: litellm knows that provider: litellm:{word.lower()}/{name or 'NAME'}")
        if not name and (meant := _completed(spec)) is not None:
            raise ValueError(f"{spec!r} names no adapter; did you mean {meant!r}?")
        near = difflib.get_close_matches(word, ADAPTERS if name else _OWN, n=1, cutoff=0.4 if name else 0.7)
        such = "" if name else f", such as openai:{word}"
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else f"use one of {', '.join(_OWN)}{such}, or a server of modelport models"
        )
        raise ValueError(f"{spec!r}: there is no adapter {word!r}; {hint}")
    if not name:
        raise ValueError(f"{spec!r} names no model; write {word}:{adapter.example}")
    if base_url is not None:
        if adapter.address is None:
            raise ValueError(f"a base URL goes with a server, such as openai:NAME; {word} runs on this machine")
        options[adapter.address] = base_url
    if adapter.server is not None:
        options["server"] = adapter.server
    model: Model = getattr(adapters, adapter.name)(name, **options)
    return model


def _completed(name: str) -> str | None:
    """A model's name with the adapter that it is likely meant for."""
    if os.path.exists(os.path.expanduser(name)):
        return f"openvino:{name}"
    if name.count("/") == 1:
        return f"huggingface:{name}"
    word = _FAMILIES.get(name.lower().partition("-")[0])
    if word is None:
        return None
    return f"{word}:{name}" if word in ADAPTERS else f"litellm:{word}/{name}"


def most_tokens(spec: str) -> int | None:
    """How long an answer may get where nobody says: small models on this machine may repeat themselves without end.

    >>> most_tokens("openvino:default")
    512
    """
    adapter = ADAPTERS.get(spec.partition(":")[0])
    return 512 if adapter is not None and adapter.address is None else None


def needs_default_weights(spec: str) -> bool:
    """Whether the spec's model is the embedded default."""
    word, _, name = spec.partition(":")
    return name == "default" and most_tokens(word) is not None
