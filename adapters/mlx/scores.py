"""How MLX computes what is read of the scores of an answer's tokens, and what a constraint leaves of them.

Log probabilities are what the model itself thought: before penalties, temperature, top_k, top_p and a response format.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..local.token_scores import ConstraintProcessor, ScoreReader


class MLXScores(ScoreReader):
    """Reads scores that are an array."""

    def _kept(self, scores: Any) -> Any:
        import mlx.core as mx

        exact = scores.astype(mx.float32)  # a new array: the processors after this one change theirs in place
        return exact - mx.logsumexp(exact)

    def _ranked(self, kept: Any, token: int, top: int) -> tuple[float, list[tuple[int, float]]]:
        import mlx.core as mx

        best = mx.argsort(-kept)[:top] if top else mx.array([], mx.uint32)
        mx.eval(kept, best)
        return kept[token].item(), [(number, kept[number].item()) for number in best.tolist()]


class MLXConstraint(ConstraintProcessor):
    """Bounds scores that are an array."""

    def _only(self, scores: Any, allowed: Callable[[], Any]) -> Any:
        import mlx.core as mx

        mx.async_eval(scores)  # they are computed while the mask is
        return mx.where(mx.array(allowed()), scores, -mx.inf)
