"""One model for each provider or runtime, and those made of functions and scripts.

A name is loaded when it is first asked for, so that importing this brings in no provider's SDK.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .azure import AzureOpenAIModel, AzureOpenAIServerModel
    from .bedrock import AmazonBedrockModel, AmazonBedrockServerModel
    from .function import FunctionModel, from_function
    from .huggingface import InferenceClientModel
    from .litellm import LiteLLMModel
    from .litellm_router import LiteLLMRouterModel
    from .mlx import MLXModel
    from .openai import OpenAIModel, OpenAIServerModel
    from .openvino import OpenVINOModel
    from .scripted import Break, ScriptedModel, Stall
    from .transformers import TransformersModel
    from .vllm import VLLMModel

__all__ = [
    "AmazonBedrockModel",
    "AmazonBedrockServerModel",
    "AzureOpenAIModel",
    "AzureOpenAIServerModel",
    "Break",
    "FunctionModel",
    "InferenceClientModel",
    "LiteLLMModel",
    "LiteLLMRouterModel",
    "MLXModel",
    "OpenAIModel",
    "OpenAIServerModel",
    "OpenVINOModel",
    "ScriptedModel",
    "Stall",
    "TransformersModel",
    "VLLMModel",
    "from_function",
]

# Where each name lives: what type checkers read above, once more for the interpreter.
_HOME = {
    "azure": (
        "AzureOpenAIModel",
        "AzureOpenAIServerModel",
    ),
    "bedrock": (
        "AmazonBedrockModel",
        "AmazonBedrockServerModel",
    ),
    "function": (
        "FunctionModel",
        "from_function",
    ),
    "huggingface": ("InferenceClientModel",),
    "litellm": ("LiteLLMModel",),
    "litellm_router": ("LiteLLMRouterModel",),
    "mlx": ("MLXModel",),
    "openai": (
        "OpenAIModel",
        "OpenAIServerModel",
    ),
    "openvino": ("OpenVINOModel",),
    "scripted": (
        "Break",
        "ScriptedModel",
        "Stall",
    ),
    "transformers": ("TransformersModel",),
    "vllm": ("VLLMModel",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _MODULE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
