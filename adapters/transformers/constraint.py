"""How `generate` of transformers follows a constraint: tokens that may not come next lose their scores."""

from __future__ import annotations

from typing import Any

from ..local.constraint import Constraint
from .loading import Loaded


def vocabulary(loaded: Loaded) -> Any:
    """The model's tokens as llguidance reads them, and which of them end a text. Takes about half a second."""
    import llguidance.hf

    found = getattr(loaded.model.generation_config, "eos_token_id", None)
    known = (*(found if isinstance(found, (list, tuple)) else (found,)), loaded.tokenizer.eos_token_id)
    ends: list[int] = [*dict.fromkeys(end for end in known if end is not None)]  # some know of none
    return llguidance.hf.from_tokenizer(loaded.tokenizer, eos_token=ends)


class Follow:
    """A logits processor for one answer, whose prompt has `read` tokens."""

    def __init__(self, constraint: Constraint, read: int) -> None:
        self._constraint, self._read = constraint, read

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores, minus infinity for what may not come next. Raises ValueError for several answers at once."""
        import torch

        if input_ids.shape[0] != 1:
            raise ValueError("a response format needs one answer: without num_beams and num_return_sequences")
        self._constraint.take(input_ids[0, self._read :].tolist())
        self._read = input_ids.shape[1]
        allowed = torch.from_numpy(self._constraint.allowed(scores.shape[-1]))
        return scores.masked_fill(~allowed.to(scores.device), float("-inf"))
