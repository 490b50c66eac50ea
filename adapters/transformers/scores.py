"""How torch computes what is read of the scores of an answer's tokens, and what a constraint leaves of them.

Log probabilities are what the model itself thought: before temperature, top_k, top_p and a response format. A
repetition penalty and its like, where one is asked for, come earlier in `generate` and can be seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..local.token_scores import ConstraintProcessor, ScoreReader


class TorchScores(ScoreReader):
    """Reads scores that are a tensor."""

    def _kept(self, scores: Any) -> Any:
        return scores.clone()  # a processor after it may write into them

    def _ranked(self, kept: Any, token: int, top: int) -> tuple[float, list[tuple[int, float]]]:
        likely = kept.float().log_softmax(dim=-1)
        values, numbers = likely.topk(min(top, likely.shape[-1]))
        return float(likely[token]), [*zip(numbers.tolist(), values.tolist(), strict=True)]


class TorchConstraint(ConstraintProcessor):
    """Bounds scores that are a tensor."""

    def _only(self, scores: Any, allowed: Callable[[], Any]) -> Any:
        import torch

        return scores.masked_fill(~torch.from_numpy(allowed()).to(scores.device), float("-inf"))
