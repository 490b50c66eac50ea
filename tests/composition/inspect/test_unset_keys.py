"""A key that isn't there is told before a call fails for it."""

from __future__ import annotations

from typing import Any

import pytest

from modelport import Env, Model, ScriptedModel, compose, with_fallback
from modelport.adapters import (
    AnthropicModel,
    AzureOpenAIModel,
    GeminiModel,
    InferenceClientModel,
    LiteLLMModel,
    OpenAIModel,
    OpenAIResponsesModel,
)
from modelport.composition.inspect.unset_keys import unset_keys

VARIABLES = (
    "ANTHROPIC_API_KEY",
    "OPENAI_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "TEAM_KEY",
    "OTHER_KEY",
    "HF_TOKEN",
    "GEMINI_API_KEY",
    "GROQ_API_KEY",
)


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key at all."""
    for name in (*VARIABLES, "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def unset(model: Model) -> list[str]:
    """The variables of the findings."""
    return [name for finding in unset_keys(model) for name in VARIABLES if f" {name} isn't" in finding.message]


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (OpenAIModel("m"), ["OPENAI_API_KEY"]),
        (OpenAIModel("m", api_key="sk-given"), []),
        (OpenAIModel("m", api_key=Env("TEAM_KEY")), ["TEAM_KEY"]),
        (OpenAIModel("m", client_kwargs={"default_headers": {"Authorization": Env("TEAM_KEY")}}), ["TEAM_KEY"]),
        (OpenAIModel("m", api_key="k", extra_body={"x": [{"y": Env("OTHER_KEY")}]}), ["OTHER_KEY"]),
        (OpenAIModel("m", client_kwargs={"default_headers": {"x-team": "red"}}), ["OPENAI_API_KEY"]),
        (OpenAIModel("m", server="groq"), ["GROQ_API_KEY"]),
        (OpenAIModel("m", server="groq", api_key="gsk-given"), []),
        (OpenAIModel("m", server="ollama"), []),
        (OpenAIResponsesModel("m"), ["OPENAI_API_KEY"]),
        (AzureOpenAIModel("m"), ["AZURE_OPENAI_API_KEY"]),
        (AzureOpenAIModel("m", azure_ad_token=Env("TEAM_KEY")), ["TEAM_KEY"]),
        (AnthropicModel("m"), ["ANTHROPIC_API_KEY"]),
        (AnthropicModel("m", api_key=Env("TEAM_KEY")), ["TEAM_KEY"]),
        (AnthropicModel("m", extra_headers={"x-api-key": Env("TEAM_KEY")}), ["TEAM_KEY"]),
        (InferenceClientModel("m"), []),
        (GeminiModel("m"), ["GEMINI_API_KEY"]),
        (GeminiModel("m", api_key=Env("TEAM_KEY")), ["TEAM_KEY"]),
        (GeminiModel("m", token=Env("TEAM_KEY"), project="p", location="eu"), ["TEAM_KEY"]),
        (LiteLLMModel("openai/m", api_key=Env("TEAM_KEY")), ["TEAM_KEY"]),
        (ScriptedModel("Hi!"), []),
    ],
    ids=str,
)
def test_each_variable_that_is_not_set_is_told(model: Model, names: list[str]) -> None:
    assert unset(model) == names


def test_one_variable_of_two_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "sk-ant-0123456789")
    assert unset(AnthropicModel("m")) == []


def test_a_variable_that_is_set_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    assert unset(OpenAIModel("m")) == []


def test_a_variable_that_is_read_in_its_place_is_as_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "of-google")
    assert unset(GeminiModel("m")) == []


def test_every_model_of_a_stack_is_looked_at_and_each_finding_told_once() -> None:
    stack = compose(OpenAIModel("m"), with_fallback(OpenAIModel("m"), OpenAIModel("n", api_key=Env("TEAM_KEY"))))
    assert [finding.where for finding in unset_keys(stack)] == ["OpenAIModel('m')", "OpenAIModel('n')"]


def test_a_model_of_one_s_own_is_passed_over() -> None:
    class Mine:
        capabilities: Any = None
        generate: Any = None
        stream: Any = None

    assert unset_keys(Mine()) == ()
