"""What the chunks of a stream say besides the answer, gathered into one object of the form that a whole answer has.

Log probabilities, Azure's annotations, fingerprints and tiers have no word in the domain: `Response.raw` holds them, of
a stream as of a whole answer. Pure; a chunk that holds nothing but text costs two look-ups.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FILTERS: Final = "content_filter_results"  # of a choice; those of the question are in `prompt_filter_results`


def filtered_by(results: object) -> tuple[str, ...]:
    """The filters that took something away. What they merely noticed, or let pass, is an annotation.

    learn.microsoft.com/azure/ai-services/openai/concepts/content-filter#annotation-availability

    >>> filtered_by({"hate": {"filtered": False, "severity": "safe"}, "jailbreak": {"filtered": True}})
    ('jailbreak',)
    """
    if not isinstance(results, Mapping):
        return ()
    return tuple(str(name) for name, found in results.items() if _took(found))


def _took(found: object) -> bool:
    if isinstance(found, (list, tuple)):  # custom_blocklists
        return any(map(_took, found))
    return isinstance(found, Mapping) and found.get("filtered") is True


class Raw:
    """What has been gathered so far. It belongs to one stream."""

    __slots__ = ("_choice", "_fields", "_logprobs", "filtered")

    def __init__(self) -> None:
        self.filtered = False
        self._fields: dict[str, Any] = {}
        self._choice: dict[str, Any] = {}
        self._logprobs: dict[str, Any] = {}

    def heed(self, chunk: Mapping[str, Any], choice: Mapping[str, Any] | None) -> None:
        """A chunk that is the first, that has no choice, or whose choice has a finish reason."""
        self._fields.update({name: value for name, value in chunk.items() if name != "choices" and value is not None})
        if choice is not None:
            told = ((name, value) for name, value in choice.items() if name not in ("delta", "logprobs", FILTERS))
            self._choice.update(told)

    def logprobs(self, found: object) -> None:
        """The log probabilities of one chunk: lists by name, which go on where the last chunk's ended."""
        for name, value in found.items() if isinstance(found, Mapping) else ():
            known = self._logprobs.get(name)
            if isinstance(value, list):
                self._logprobs[name] = known if isinstance(known, list) else []
                self._logprobs[name] += value
            elif known is None:
                self._logprobs[name] = value

    def filters(self, results: object) -> None:
        """The annotations of one chunk. Those that say that something was filtered stand."""
        if not self.filtered:
            self._choice[FILTERS] = results
            self.filtered = bool(filtered_by(results))

    @property
    def answer(self) -> dict[str, Any] | None:
        """As `Response.raw` shows it; None where nothing was said."""
        if not self._fields and not self._choice:
            return None
        choice = {"index": 0, **self._choice}
        if self._logprobs:
            choice["logprobs"] = self._logprobs
        return {**self._fields, "choices": [choice]}
