"""What Gemini says it has counted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...domain.usage import Usage


def usage_of(usage: Mapping[str, Any]) -> Usage | None:
    """The tokens of a `usageMetadata`; None where it says nothing. Thoughts are counted beside the answer there.

    >>> usage_of({"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 20, "totalTokenCount": 33})
    Usage(input_tokens=9, output_tokens=24, reasoning_tokens=20)
    """
    prompt, total = _count(usage, "promptTokenCount"), _count(usage, "totalTokenCount")
    if prompt is None:
        return None
    thoughts, searched = _count(usage, "thoughtsTokenCount") or 0, _count(usage, "toolUsePromptTokenCount") or 0
    answer = _count(usage, "candidatesTokenCount")
    if answer is None:  # left out where it is 0, and by some models where it isn't
        answer = 0 if total is None else max(total - prompt - thoughts - searched, 0)
    cached = _count(usage, "cachedContentTokenCount") or 0
    return Usage(prompt + searched, answer + thoughts, cached, reasoning_tokens=thoughts)


def _count(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
