"""What a chat-completions server says it has counted, in the spelling of each. Pure."""

from __future__ import annotations

from ...domain.usage import Usage


def usage_of(usage: object) -> Usage | None:
    """The tokens of a `usage` object; None where it says nothing.

    >>> usage_of({"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}})
    Usage(input_tokens=9, output_tokens=4, cached_tokens=3)
    """
    if not isinstance(usage, dict):
        return None
    read, written = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    total = _count(usage, "total_tokens")
    if total is not None:
        read = total - written if read is None and written is not None else read
        written = total - read if written is None and read is not None else written
    if read is None or written is None:  # zeros would be a bill of nothing
        return None
    of_prompt, of_answer = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    reasoning = _count(of_answer, "reasoning_tokens") or _count(usage, "reasoning_tokens") or 0
    if reasoning and total == read + written + reasoning:
        written += reasoning  # xAI counts reasoning beside the answer, others as a part of it
    return Usage(
        max(0, read),
        max(0, written),
        _count(of_prompt, "cached_tokens") or _count(usage, "prompt_cache_hit_tokens") or 0,  # the latter is DeepSeek's
        _count(of_prompt, "cache_write_tokens") or 0,
        reasoning,
    )


def _count(counts: object, name: str) -> int | None:
    """The number of this name, if it is one; some servers write `3.0`."""
    value = counts.get(name) if isinstance(counts, dict) else None
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None
