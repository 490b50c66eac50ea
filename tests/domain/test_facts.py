"""What is known of models by their ids."""

import pytest

from modelport.domain.facts import (
    bedrock_max_stops,
    gemini_context_window,
    gemini_signs_calls,
    max_stops,
    rejects_stop,
    wants_max_completion_tokens,
)

# The 41 ids whose stop support is known, each with its spellings elsewhere: dated, behind a gateway, as a variant, as
# an Azure deployment, as the name of a Router's group.
REJECTS: dict[str, list[str]] = {
    "o3": ["O3", "o3:free", "openai/o3:free", "azure/o3", "o3-2025-04-16-eu", "prod/o3", "openrouter/openai/o3"],
    "o3-pro": ["openai/o3-pro", "azure/o3-pro-deploy", "o3-pro:nitro", "o3-pro-pool"],
    "o3-2025-04-16": ["openai/o3-2025-04-16", "azure/o3-2025-04-16", "o3-2025-04-16:free"],
    "o3-pro-2025-06-10": ["openai/o3-pro-2025-06-10", "O3-Pro-2025-06-10"],
    "o4-mini": ["o4-mini-high", "openrouter/openai/o4-mini", "azure/o4-mini-deploy", "o4-mini:online", "fast/o4-mini"],
    "o4-mini-2025-04-16": ["azure/o4-mini-2025-04-16", "ft:o4-mini-2025-04-16:company::id"],
    "openai/o3": ["openrouter/openai/o3:free", "litellm_proxy/openai/o3"],
    "openai/o4-mini": ["openai/o4-mini:flex", "OpenAI/O4-Mini"],
    "openai/o4-mini-2025-04-16": ["openrouter/openai/o4-mini-2025-04-16"],
    "gpt-5": [
        "GPT-5",
        "my-gpt-5-deploy",
        "azure/my-gpt5",
        "gpt5",
        "team_gpt-5_eu",
        "gpt-5:free",
        "gpt-5-pool",
        "prod-gpt-5",
    ],
    "gpt-5-mini": ["gpt5-mini", "azure/gpt-5-mini-eu", "gpt-5-mini-2025-08-07", "cheap.gpt-5-mini", "gpt-5-mini:free"],
    "gpt-5-nano": ["gpt5-nano", "my-gpt-5-nano", "gpt-5-nano-2025-08-07", "openrouter/openai/gpt-5-nano"],
    "gpt-5-turbo": ["azure/gpt-5-turbo", "gpt5-turbo", "gpt-5-turbo:free"],
    "gpt-5-2025-08-07": ["openai/gpt-5-2025-08-07", "azure/gpt-5-2025-08-07", "my-gpt-5-2025-08-07"],
    "gpt-5.1": ["gpt5.1", "gpt-5.1-codex", "gpt-5.1-2025-11-13", "azure/gpt5.1", "gpt-5.1:free", "gpt-5.1-group"],
    "gpt-5.2": ["gpt5.2", "my_gpt-5.2", "gpt-5.2-pro", "azure/gpt-5.2-deployment"],
    "gpt-5.2-mini": ["gpt5.2-mini", "openai/gpt-5.2-mini", "eu.gpt-5.2-mini"],
    "openai/gpt-5": ["OpenAI/GPT-5", "openrouter/openai/gpt-5", "openai/gpt-5:free"],
    "openai/gpt-5.1": ["openrouter/openai/gpt-5.1", "openai/gpt-5.1:online"],
    "openai/gpt-5-mini": ["openrouter/openai/gpt-5-mini", "openai/gpt-5-mini:free"],
    "gpt-5.2-2025-12-11": ["openai/gpt-5.2-2025-12-11", "azure/gpt-5.2-2025-12-11"],
    "gpt-5x": ["openai/gpt-5x", "azure/gpt-5x"],
    "gpt-50": ["openai/gpt-50", "gpt50"],
    "grok-3": ["xai/grok-3", "x-ai/grok-3:free", "azure_ai/grok-3", "grok-3-fast", "azure/my-grok-3"],
    "grok-3-mini": ["xai/grok-3-mini", "grok-3-mini-beta", "x-ai/grok-3-mini:online"],
    "grok-4": ["xai/grok-4", "x-ai/grok-4:free", "grok-4-0709", "azure/my-grok-4-deploy", "grok4"],
    "grok-4-latest": ["xai/grok-4-latest", "Grok-4-Latest"],
    "grok-4.1": ["xai/grok-4.1", "grok-4.1-fast", "grok-4.1:free"],
    "grok-code-fast-1": ["xai/grok-code-fast-1", "x-ai/grok-code-fast-1", "grok-code-fast-1-0825"],
    "oci/xai.grok-4": ["xai.grok-4", "oci/xai.grok-4-fast"],
    "oci/xai.grok-3-mini": ["xai.grok-3-mini", "oci/xai.grok-3-mini-fast"],
}
TAKES: dict[str, list[str]] = {
    "o3-mini": [
        "o3-mini-2025-01-31",
        "openai/o3-mini",
        "o3-mini-high",
        "o3-mini:free",
        "azure/o3-mini-deploy",
        "O3-Mini",
    ],
    "gpt-4": ["gpt-4-0613", "openai/gpt-4", "azure/my-gpt-4-deploy", "gpt-4:free", "prod/gpt-4", "gpt-4.1", "gpt-4.5"],
    "claude-3-5-sonnet": [
        "anthropic/claude-3-5-sonnet",
        "claude-3-5-sonnet-20241022",
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0",
        "vertex_ai/claude-3-5-sonnet@20241022",
    ],
    "claude-opus-4-5": [
        "claude-opus-4-5-20251101",
        "anthropic/claude-opus-4-5",
        "openrouter/anthropic/claude-opus-4-5:beta",
    ],
    "mistral-large": ["mistral-large-2411", "mistral/mistral-large", "azure_ai/mistral-large", "mistral-large:free"],
    "o3x": ["openai/o3x", "azure/o3x"],
    "o4x": ["openai/o4x", "o4x:free"],
    "o3_mini": ["azure/o3_mini", "openai/o3_mini"],
    "prefix-o3": ["azure/prefix-o3", "openai/prefix-o3"],
    "": ["azure/", " "],
}
OTHERS_THAT_TAKE = [
    "gpt-35-turbo",
    "gpt-4o-2024-05-13",
    "grok-2",
    "foo3",
    "o30",
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "gpt-oss-20b",
    "mygpt-5",
]


def spelled(ids: dict[str, list[str]]) -> list[str]:
    """Each id, and each of its other spellings."""
    return [spelling for model_id, others in ids.items() for spelling in (model_id, *others)]


def test_the_ids_are_41_and_their_other_spellings_more_than_100() -> None:
    assert len(REJECTS) + len(TAKES) == 41
    assert len(set(spelled(REJECTS) + spelled(TAKES))) == len(spelled(REJECTS) + spelled(TAKES)) == 178


@pytest.mark.parametrize("model_id", spelled(REJECTS))
def test_rejects_stop(model_id: str) -> None:
    """A model that is known to refuse `stop` is never sent one."""
    assert rejects_stop(model_id)
    assert max_stops(model_id) == 0


@pytest.mark.parametrize("model_id", spelled(TAKES) + OTHERS_THAT_TAKE)
def test_takes_stop(model_id: str) -> None:
    """A model that takes `stop`, or of which nothing is known, is sent it."""
    assert not rejects_stop(model_id)
    assert max_stops(model_id) != 0


@pytest.mark.parametrize(
    ("model_id", "limit"),
    [
        ("gpt-4o", 4),
        ("openai/gpt-4.1", 4),
        ("gpt-35-turbo", 4),
        ("ft:gpt-4o-mini:company::id", 4),
        ("o1", 4),
        ("o3-mini", 4),
        ("chatgpt-4o-latest", 4),
        ("gpt-oss-20b", None),
        ("mistral-large", None),
        ("", None),
    ],
)
def test_max_stops(model_id: str, limit: int | None) -> None:
    """OpenAI takes at most four stops; of others no limit is known."""
    assert max_stops(model_id) == limit


ARN = "arn:aws:bedrock:us-east-1:123456789012:"


@pytest.mark.parametrize(
    ("model_id", "limit"),
    [
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", 2500),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", 2500),
        ("eu.anthropic.claude-sonnet-4-20250514-v1:0", 2500),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", 2500),
        ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", 2500),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2:1", 2500),
        (ARN + "inference-profile/apac.anthropic.claude-3-haiku-20240307-v1:0", 2500),
        ("amazon.nova-lite-v1:0", 2500),
        ("us.amazon.nova-pro-v1:0", 2500),
        ("mistral.mistral-7b-instruct-v0:2", 10),
        ("mistral.mixtral-8x7b-instruct-v0:1", 10),
        ("mistral.mistral-large-2402-v1:0", 10),
        ("cohere.command-r-plus-v1:0", 4),
        ("ai21.j2-ultra-v1", 1),
        ("mistral.mistral-large-2407-v1:0", 0),
        ("amazon.titan-text-premier-v1:0", 0),
        ("us.meta.llama3-3-70b-instruct-v1:0", 0),
        ("us.deepseek.r1-v1:0", 0),
        ("deepseek.v3-v1:0", 0),
        ("openai.gpt-oss-120b-1:0", 0),
        ("qwen.qwen3-coder-480b-a35b-v1:0", 0),
        ("moonshot.kimi-k2-thinking", 0),
        ("minimax.minimax-m2", 0),
        ("google.gemma-3-27b-it", 0),
        (ARN + "application-inference-profile/a1b2c3d4", 0),
        (ARN + "provisioned-model/a1b2c3d4", 0),
        ("", 0),
    ],
)
def test_bedrock_max_stops(model_id: str, limit: int) -> None:
    """Bedrock's makers differ: some take stops, and others refuse a call that has one."""
    assert bedrock_max_stops(model_id) == limit


@pytest.mark.parametrize(
    ("model_id", "wants"),
    [
        ("o1", True),
        ("o3-mini-2025-01-31", True),
        ("openai/o4-mini:free", True),
        ("my-gpt-5-deploy", True),
        ("gpt5.1", True),
        ("gpt-4o", False),
        ("grok-4", False),
        ("o3x", False),
        ("", False),
    ],
)
def test_wants_max_completion_tokens(model_id: str, wants: bool) -> None:
    """OpenAI's reasoning models refuse `max_tokens`."""
    assert wants_max_completion_tokens(model_id) is wants


@pytest.mark.parametrize(
    ("model_id", "signs", "window"),
    [
        ("gemini-3-pro-preview", True, 1_048_576),
        ("models/gemini-3.1-flash-lite", True, 1_048_576),
        ("publishers/google/models/gemini-3-flash", True, 1_048_576),
        ("gemini-flash-latest", True, 1_048_576),
        ("gemini-10-pro", True, None),
        ("gemini-3-pro-image-preview", True, None),
        ("gemini-2.5-pro", False, 1_048_576),
        ("gemini-2.5-flash-image", False, None),
        ("gemini-2.0-flash-live-001", False, None),
        ("gemini-1.5-pro-002", False, 2_097_152),
        ("gemini-1.5-flash", False, 1_048_576),
        ("gemma-3-27b-it", False, None),
        ("tunedModels/mine", False, None),
    ],
)
def test_what_is_known_of_gemini(model_id: str, signs: bool, window: int | None) -> None:
    assert (gemini_signs_calls(model_id), gemini_context_window(model_id)) == (signs, window)
