"""How mlx-lm follows a constraint: tokens that may not come next lose their scores."""

from __future__ import annotations

from typing import Any

from ..local.constraint import Constraint
from .loading import Loaded
from .sdk import TOKENIZER


def vocabulary(loaded: Loaded) -> Any:
    """The model's tokens as llguidance reads them, and which of them end a text. Takes about half a second."""
    import llguidance.hf

    return llguidance.hf.from_tokenizer(TOKENIZER.of(loaded.tokenizer), eos_token=sorted(loaded.ends))


class Follow:
    """A logits processor for one answer, whose prompt has `read` tokens and which one of `ends` ends."""

    def __init__(self, constraint: Constraint, read: int, ends: frozenset[int]) -> None:
        self._constraint, self._read, self._ends = constraint, read, ends

    def __call__(self, tokens: Any, logits: Any) -> Any:
        """The scores, minus infinity for what may not come next."""
        import mlx.core as mx

        mx.async_eval(logits)  # they are computed while the mask is
        new = tokens[self._read :].tolist()
        self._read += len(new)
        if new and new[-1] in self._ends:  # mlx-lm computes one step ahead, for nothing
            return logits
        self._constraint.take(new)
        return mx.where(mx.array(self._constraint.allowed(logits.shape[-1])), logits, -mx.inf)
