"""What a model has read already, so that a conversation that goes on isn't read again: its keys and values.

What is kept is the prompt and its answer. Another prompt takes over as much of it as both begin with.
"""

from __future__ import annotations

from typing import Any, Final

_CONVERSATIONS: Final = 8


class Kept:
    """The caches of one model, of `most_bytes` together. It belongs to the thread that generates."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._known = most_bytes, self._empty(most_bytes)

    @staticmethod
    def _empty(most_bytes: int) -> Any:
        from mlx_lm.models.cache import LRUPromptCache

        return LRUPromptCache(_CONVERSATIONS, most_bytes)

    def take(self, prompt: list[int]) -> tuple[Any, int]:
        """A copy of what is known of this prompt, or None; and how many tokens it spares. The last is never spared."""
        cache, rest = self._known.fetch_nearest_cache("", prompt[:-1])
        return cache, 0 if cache is None else len(prompt) - 1 - len(rest)

    def keep(self, tokens: list[int], cache: Any) -> None:
        """What has been computed for these tokens."""
        import mlx.core as mx

        size = sum(part.nbytes for part in cache)
        if size <= self._most:
            mx.eval([part.state for part in cache])  # a slice that isn't computed holds the whole batch
            self._known.insert_cache("", tokens, cache)

    def forget(self) -> None:
        """Let go of all of it."""
        self._known = self._empty(self._most)
