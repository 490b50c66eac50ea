"""What the chunks of a stream say besides the answer, gathered into one object of the form that a whole answer has.

Log probabilities, Azure's annotations, fingerprints and tiers have no word in the domain: `Response.raw` holds them, of
a stream as of a whole answer. Pure; a chunk that holds nothing but text costs two look-ups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

WORDS: Final = frozenset(
    {"role", "content", "refusal", "reasoning", "reasoning_content", "tool_calls", "function_call"}
)
"""What the domain reads of a message; the rest of it is for `Raw`."""

FILTERS: Final = "content_filter_results"  # of a choice; those of the question are in `prompt_filter_results`


def filtered_by(results: object) -> tuple[str, ...]:
    """The filters that took something away. What they merely noticed, or let pass, is an annotation.

    learn.microsoft.com/azure/ai-services/openai/concepts/content-filter#annotation-availability

    >>> filtered_by({"hate": {"filtered": False, "severity": "safe"}, "jailbreak": {"filtered": True}})
    ('jailbreak',)
    """
    if not isinstance(results, Mapping):
        return ()
    return tuple(str(name) for name, result in results.items() if _took(result))


def _took(result: object, levels: int = 8) -> bool:
    if isinstance(result, (list, tuple)):  # custom_blocklists
        return levels > 0 and any(_took(each, levels - 1) for each in result)
    return isinstance(result, Mapping) and result.get("filtered") is True


class Raw:
    """What has been gathered so far. It belongs to one stream."""

    __slots__ = ("_choice", "_fields", "_logprobs", "_message", "filtered")

    def __init__(self) -> None:
        self.filtered = False
        self._fields: dict[str, Any] = {}
        self._choice: dict[str, Any] = {}
        self._logprobs: dict[str, Any] = {}
        self._message: dict[str, Any] = {}

    def heed(self, chunk: Mapping[str, Any], choice: Mapping[str, Any] | None) -> None:
        """A chunk that is the first, that has no choice, or whose choice has a finish reason."""
        self._fields.update({name: value for name, value in chunk.items() if name != "choices" and value is not None})
        if choice is not None:
            fields = ((name, value) for name, value in choice.items() if name not in ("delta", "logprobs", FILTERS))
            self._choice.update(fields)

    def logprobs(self, piece: object) -> None:
        """The log probabilities of one chunk."""
        if isinstance(piece, Mapping):
            _extend(self._logprobs, piece)

    def message(self, delta: Mapping[str, Any]) -> None:
        """What one chunk says of the message besides its words, such as the sources of a search."""
        _extend(self._message, {name: value for name, value in delta.items() if name not in WORDS and value})

    def filters(self, results: object) -> None:
        """The annotations of one chunk. Those that say that something was filtered stand."""
        if not self.filtered:
            self._choice[FILTERS] = results
            self.filtered = bool(filtered_by(results))

    @property
    def answer(self) -> dict[str, Any] | None:
        """As `Response.raw` shows it; None where nothing was said."""
        if not (self._fields or self._choice or self._logprobs or self._message):
            return None
        choice = {"index": 0, **self._choice}
        if self._logprobs:
            choice["logprobs"] = self._logprobs
        if self._message:
            choice["message"] = self._message
        return {**self._fields, "choices": [choice]}


def _extend(known: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add what was found: lists go on where they ended, and of anything else the last stands; None says nothing."""
    for name, value in more.items():
        if isinstance(value, list):
            earlier = known.get(name)
            known[name] = earlier if isinstance(earlier, list) else []
            known[name] += value
        elif value is not None or name not in known:
            known[name] = value
