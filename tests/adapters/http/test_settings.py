"""What every model behind an API is told is checked where it is told, whichever model it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from modelport.adapters import (
    AmazonBedrockModel,
    AzureOpenAIModel,
    InferenceClientModel,
    LiteLLMModel,
    LiteLLMRouterModel,
    OpenAIModel,
)

DEPLOYMENT = {"model_name": "m", "litellm_params": {"model": "groq/m"}}
MODELS: dict[str, Callable[..., Any]] = {
    "OpenAIModel": OpenAIModel,
    "AzureOpenAIModel": AzureOpenAIModel,
    "InferenceClientModel": InferenceClientModel,
    "AmazonBedrockModel": AmazonBedrockModel,
    "LiteLLMModel": LiteLLMModel,
    "LiteLLMRouterModel": partial(LiteLLMRouterModel, model_list=[DEPLOYMENT]),
}
WRONG = {
    "timeout": (0, "timeout is a positive number of seconds"),
    "capabilities": ({"tools": True}, r"capabilities is Capabilities\(...\)"),
    "flatten_messages_as_text": ("yes", "flatten_messages_as_text is True or False"),
    "custom_role_conversions": ({"sytem": "user"}, "custom_role_conversions: unknown role 'sytem'"),
    "requests_per_minute": (0, "requests per minute must be a number above 0"),
    "temperature": (-1, "temperature must not be negative"),
    "stop": ("x", "'stop' is not an option"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("argument", WRONG)
def test_a_wrong_argument_is_refused_with_its_name(name: str, argument: str) -> None:
    value, words = WRONG[argument]
    with pytest.raises((ValueError, TypeError), match=words) as refused:
        MODELS[name]("m", **{argument: value})
    assert argument == "requests_per_minute" or str(refused.value).startswith(f"{name}: ")
