"""Which model a word on the command line means: `openvino:default`, `transformers:PATH`, `openai:NAME`."""

from __future__ import annotations

import difflib
from typing import Any, Final, NamedTuple

from ... import adapters
from ...domain.model import Model

DEFAULT: Final = "openvino:default"
"""The model that answers where none is named."""


class _Adapter(NamedTuple):
    """The class that a word means, a name for its model, and which argument is the address of its server."""

    name: str
    example: str
    address: str | None = None


_ADAPTERS: Final = {
    "openvino": _Adapter("OpenVINOModel", "default"),
    "transformers": _Adapter("TransformersModel", "default"),
    "vllm": _Adapter("VLLMModel", "default"),
    "mlx": _Adapter("MLXModel", "default"),
    "openai": _Adapter("OpenAIModel", "gpt-4o", "base_url"),
    "azure": _Adapter("AzureOpenAIModel", "my-deployment", "azure_endpoint"),
    "huggingface": _Adapter("InferenceClientModel", "Qwen/Qwen3-32B", "base_url"),
    "litellm": _Adapter("LiteLLMModel", "anthropic/claude-sonnet-4-5", "api_base"),
    "bedrock": _Adapter("AmazonBedrockModel", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "endpoint_url"),
}


def model_for(spec: str, *, base_url: str | None = None, **options: Any) -> Model:
    """The model that a spec names. Raises ValueError, with the nearest adapter, for what names none.

    >>> model_for("openvino:default")
    OpenVINOModel('default')
    """
    word, _, name = spec.partition(":")
    adapter = _ADAPTERS.get(word)
    if adapter is None:
        near = difflib.get_close_matches(word, _ADAPTERS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(_ADAPTERS)}"
        raise ValueError(f"{spec!r}: there is no adapter {word!r}; {hint}")
    if not name:
        raise ValueError(f"{spec!r} names no model; write {word}:{adapter.example}")
    if base_url is not None:
        if adapter.address is None:
            raise ValueError(f"a base URL goes with a server, such as openai:NAME; {word} runs on this machine")
        options[adapter.address] = base_url
    model: Model = getattr(adapters, adapter.name)(name, **options)
    return model


def most_tokens(spec: str) -> int | None:
    """How long an answer may get where nobody says: small models on this machine may repeat themselves without end.

    >>> most_tokens("openvino:default")
    512
    """
    adapter = _ADAPTERS.get(spec.partition(":")[0])
    return 512 if adapter is not None and adapter.address is None else None


def needs_default_weights(spec: str) -> bool:
    """Whether the spec's model is the embedded default."""
    word, _, name = spec.partition(":")
    return name == "default" and most_tokens(word) is not None
