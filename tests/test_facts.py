"""What is known of models by their ids."""

import pytest

from modelport.domain.facts import max_stops, rejects_stop

REJECTS = [
    "o3",
    "o3-pro",
    "o3-2025-04-16",
    "o3-pro-2025-06-10",
    "o4-mini",
    "o4-mini-2025-04-16",
    "openai/o3",
    "openai/o4-mini",
    "openai/o4-mini-2025-04-16",
    "gpt-5",
    "gpt-5-mini",
    "gpt-5-nano",
    "gpt-5-turbo",
    "gpt-5-2025-08-07",
    "gpt-5.1",
    "gpt-5.2",
    "gpt-5.2-mini",
    "openai/gpt-5",
    "openai/gpt-5.1",
    "openai/gpt-5-mini",
    "gpt-5.2-2025-12-11",
    "gpt-5x",
    "gpt-50",
    "grok-3",
    "grok-3-mini",
    "grok-4",
    "grok-4-latest",
    "grok-4.1",
    "grok-code-fast-1",
    "oci/xai.grok-4",
    "oci/xai.grok-3-mini",
]
TAKES = [
    "o3-mini",
    "gpt-4",
    "claude-3-5-sonnet",
    "claude-opus-4-5",
    "mistral-large",
    "o3x",
    "o4x",
    "o3_mini",
    "prefix-o3",
    "",
]
# What the pattern that others use gets wrong.
REJECTS_TOO = [
    "gpt5.1",
    "my-gpt-5-deploy",
    "o3:free",
    "openai/o3:free",
    "O3",
    "OpenAI/GPT-5",
    "xai/grok-4",
    "x-ai/grok-4:free",
    "azure/my-gpt5",
    "o4-mini-high",
    "openrouter/openai/o4-mini",
    "ft:o4-mini-2025-04-16:company::id",
    "o3-deep-research",
    "gpt-5.1-codex",
    "team_gpt-5_eu",
]
TAKES_TOO = [
    "o3-mini-2025-01-31",
    "openai/o3-mini",
    "o3-mini-high",
    "o3-mini:free",
    "gpt-4.1",
    "gpt-35-turbo",
    "gpt-4o-2024-05-13",
    "grok-2",
    "foo3",
    "o30",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "gpt-oss-20b",
    "mygpt-5",
    "gpt-4.5",
]


@pytest.mark.parametrize("model_id", REJECTS + REJECTS_TOO)
def test_rejects_stop(model_id: str) -> None:
    """A model that is known to refuse `stop` is never sent one."""
    assert rejects_stop(model_id)
    assert max_stops(model_id) == 0


@pytest.mark.parametrize("model_id", TAKES + TAKES_TOO)
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
