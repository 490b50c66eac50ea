"""What every model behind an API is told is checked where it is told, whichever model it is."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import pytest
from extras import need

from modelport import as_request
from modelport.adapters import (
    AmazonBedrockModel,
    AnthropicModel,
    AzureOpenAIModel,
    GeminiModel,
    InferenceClientModel,
    LiteLLMModel,
    LiteLLMRouterModel,
    OpenAIModel,
    OpenAIResponsesModel,
)
from modelport.adapters.http.settings import ARGUMENTS, ApiArguments, Settings

DEPLOYMENT = {"model_name": "m", "litellm_params": {"model": "groq/m"}}
MODELS: dict[str, Callable[..., Any]] = {
    "OpenAIModel": OpenAIModel,
    "OpenAIResponsesModel": OpenAIResponsesModel,
    "AzureOpenAIModel": AzureOpenAIModel,
    "InferenceClientModel": InferenceClientModel,
    "AmazonBedrockModel": AmazonBedrockModel,
    "AnthropicModel": AnthropicModel,
    "GeminiModel": GeminiModel,
    "LiteLLMModel": LiteLLMModel,
    "LiteLLMRouterModel": partial(LiteLLMRouterModel, model_list=[DEPLOYMENT]),
}
WRONG = {
    "timeout": (0, "timeout is a positive number of seconds"),
    "capabilities": ({"tools": True}, r"capabilities is Capabilities\(...\)"),
    "flatten_messages_as_text": ("yes", "flatten_messages_as_text is True or False"),
    "join_messages": (1, "join_messages is True or False"),
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


@pytest.mark.parametrize("name", MODELS)
def test_the_signature_tells_the_arguments_that_all_share(name: str) -> None:
    """As `help`, notebooks and configurations read it, with the defaults of the settings."""
    parameters = inspect.signature(MODELS[name]).parameters
    shared = {name: parameters[name].default for name in ApiArguments.__annotations__ if name in ARGUMENTS}
    assert shared == {
        "timeout": 600.0,
        "client": None,
        "client_kwargs": None,
        "capabilities": None,
        "base_model": None,
        "drop_options": (),
        "requests_per_minute": None,
        "custom_role_conversions": None,
        "flatten_messages_as_text": False,
        "join_messages": False,
    }
    assert list(parameters)[-1] == "options"


def test_the_settings_keep_what_the_arguments_name() -> None:
    kept = {field.alias for field in attrs.fields(Settings) if field.init}
    assert kept == {*ARGUMENTS, "model_id", "options"}


@pytest.mark.parametrize("name", MODELS)
def test_the_options_to_drop_have_canonical_names(name: str) -> None:
    assert MODELS[name]("m", drop_options=["max_new_tokens", "seed"]).drop_options == ("max_tokens", "seed")


# Anthropic takes any number of stops, and the Responses wire has none.
@pytest.mark.parametrize("name", sorted(MODELS.keys() - {"AnthropicModel", "OpenAIResponsesModel"}))
def test_the_base_model_says_whose_facts_hold(name: str) -> None:
    base = {"AmazonBedrockModel": "anthropic.claude-3-haiku", "GeminiModel": "gemini-3-pro"}.get(name, "gpt-5-mini")
    model, other = MODELS[name]("m", base_model=base), MODELS[name]("m")
    assert (model.base_model, model.capabilities != other.capabilities) == (base, True)


@pytest.mark.parametrize("name", MODELS)
def test_an_option_of_another_runtime_is_an_invalid_request(name: str) -> None:
    """Nothing is sent; `drop_options` leaves it out."""
    if name.startswith("LiteLLM"):
        need("litellm")  # it is imported before a question is made
    error = asyncio.run(MODELS[name]("m").generate(as_request("Hi", num_beams=4))).failure()
    assert (error.kind, error.sent) == ("invalid_request", "no")
    assert error.message.startswith(f"{name}: there is no option 'num_beams'; what only the provider knows goes into ")
