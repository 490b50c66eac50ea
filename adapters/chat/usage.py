"""What a chat-completions server says it has counted, in the spelling of each. Pure."""

from __future__ import annotations

from ...domain.usage import Usage


def usage_of(usage: object) -> Usage | None:
    """The tokens of a `usage` object; None where it says nothing.

    >>> usage_of({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}})
    Usage(input_tokens=9, output_tokens=4, cached_tokens=3)
    """
    if not isinstance(usage, dict) or not usage:
        return None
    read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    of_prompt, of_answer = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    reasoning = _count(of_answer, "reasoning_tokens") or _count(usage, "reasoning_tokens")
    if reasoning and _count(usage, "total_tokens") == read + written + reasoning:
        written += reasoning  # xAI counts reasoning beside the answer, others as a part of it
    return Usage(
        read,
        written,
        _count(of_prompt, "cached_tokens") or _count(usage, "prompt_cache_hit_tokens"),  # the latter is DeepSeek's
        _count(of_prompt, "cache_write_tokens"),
        reasoning,
    )


def _count(counts: object, name: str) -> int:
    value = counts.get(name) if isinstance(counts, dict) else None
    return value if isinstance(value, int) and value > 0 else 0
