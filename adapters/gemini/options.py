"""Options in Gemini's words: which go into `generationConfig`, which beside it, and how hard a model is to think."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...domain.frozen import FrozenDict
from ..http.http_errors import Unwritable

NAMED: Final[Mapping[str, str]] = FrozenDict(
    {
        # ai.google.dev/api/generate-content, GenerationConfig
        "frequency_penalty": "frequencyPenalty",
        "logprobs": "responseLogprobs",
        "max_tokens": "maxOutputTokens",
        "presence_penalty": "presencePenalty",
        "seed": "seed",
        "temperature": "temperature",
        "top_k": "topK",
        "top_logprobs": "logprobs",
        "top_p": "topP",
    }
)
"""The canonical options that `generationConfig` has a place for."""

IN_CONFIG: Final = frozenset(
    {
        "audioTimestamp",
        "enableEnhancedCivicAnswers",
        "imageConfig",
        "mediaResolution",
        "responseModalities",
        "speechConfig",
        "thinkingConfig",
    }
)
"""Members of `generationConfig` that are options under their own names."""

MEMBERS: Final = frozenset(
    {
        "cachedContent",
        "generationConfig",
        "labels",
        "modelArmorConfig",
        "safetySettings",
        "serviceTier",
        "store",
        "toolConfig",
    }
)
"""Members of the body that are options under their own names."""

_BESIDE: Final = frozenset({"extra_body", "extra_headers", "extra_query", "reasoning_effort", "timeout"})

# What each effort is in tokens, as Google's own address for OpenAI's wire has it, for models that have no levels:
# ai.google.dev/gemini-api/docs/openai
_BUDGETS: Final[Mapping[str, int]] = FrozenDict(
    {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
)
_LEVELS: Final = ("minimal", "low", "medium", "high", "xhigh")


def beside(name: str) -> bool:
    """Whether an option of this name goes elsewhere than into the body under its own name."""
    return name in _BESIDE


def thinking(effort: object, has_levels: bool) -> dict[str, Any]:
    """`reasoning_effort` as a `thinkingConfig`: a level from Gemini 3 on, before that tokens. Raises `Unwritable`.

    >>> thinking("low", True), thinking("low", False)
    ({'thinkingLevel': 'LOW'}, {'thinkingBudget': 1024})
    """
    word = str(effort).lower()
    if has_levels and word in _LEVELS:
        return {"thinkingLevel": word.upper()}
    if not has_levels and word in _BUDGETS:
        return {"thinkingBudget": _BUDGETS[word]}
    words = _LEVELS if has_levels else tuple(_BUDGETS)
    raise Unwritable(f"options: reasoning_effort is one of {', '.join(words)} for this model, not {effort!r}")
