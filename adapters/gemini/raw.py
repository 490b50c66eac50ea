"""What the chunks of a stream say besides the answer, gathered into one object of the form that a whole answer has.

Sources, citations, safety ratings and log probabilities have no word in the domain: `Response.raw` holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_READ: Final = frozenset({"candidates", "usageMetadata"})
_LISTS: Final = ("chosenCandidates", "topCandidates")


class Raw:
    """What has been gathered so far. It belongs to one answer."""

    __slots__ = ("_candidate", "_logprobs", "fields")

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._candidate: dict[str, Any] = {}
        self._logprobs: dict[str, Any] = {}

    def heed(self, chunk: Mapping[str, Any]) -> None:
        """The members of a chunk; of what is said more than once the last stands."""
        self.fields.update({name: value for name, value in chunk.items() if name not in _READ})

    def candidate(self, candidate: Mapping[str, Any]) -> None:
        """The members of a candidate besides its content; log probabilities go on where they ended."""
        for name, value in candidate.items():
            if name == "logprobsResult" and isinstance(value, Mapping):
                lists = {each: [*self._logprobs.get(each, ()), *(value.get(each) or ())] for each in _LISTS}
                self._logprobs = {**value, **lists}
                self._candidate[name] = self._logprobs
            elif name != "content" and value is not None:
                self._candidate[name] = value

    def answer(self, parts: list[dict[str, Any]], usage: Mapping[str, Any]) -> dict[str, Any]:
        """As `Response.raw` shows it."""
        candidate = {"content": {"role": "model", "parts": parts}, **self._candidate}
        return {"candidates": [candidate], **({"usageMetadata": dict(usage)} if usage else {}), **self.fields}
