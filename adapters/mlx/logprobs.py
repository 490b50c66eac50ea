"""How likely the tokens of one answer of mlx-lm were, read step by step.

What is told is what the model itself thought: before penalties, temperature, top_k, top_p and a response format.
"""

from __future__ import annotations

from typing import Any

from ..local.logprobs import Logprobs, Token
from ..local.token_bytes import spelling


class Heard:
    """A logits processor for one answer, the first of them. `top` alternatives are told for each token."""

    def __init__(self, tokenizer: Any, top: int) -> None:
        self._spelled = spelling(tokenizer)
        self._top = top
        self._likely: dict[int, Any] = {}  # by the number of tokens before: mlx-lm computes one step ahead
        self.found = Logprobs()

    def __call__(self, tokens: Any, logits: Any) -> Any:
        """The scores as they are."""
        import mlx.core as mx

        exact = logits[0].astype(mx.float32)  # a new array: the processors after this one change theirs in place
        self._likely[tokens.shape[0]] = exact - mx.logsumexp(exact)
        return logits

    def chose(self, place: int, token: int, at: int) -> None:
        """The token that came there, when `at` characters of the answer were complete."""
        import mlx.core as mx

        likely = self._likely.pop(place)
        best = mx.argsort(-likely)[: self._top] if self._top else mx.array([], mx.uint32)
        mx.eval(likely, best)
        alternatives = [Token(self._spelled(number), likely[number].item()) for number in best.tolist()]
        self.found.add(at, Token(self._spelled(token), likely[token].item()), alternatives)
