"""How likely the tokens of one answer of transformers were, read step by step, so that no step's scores are kept.

What is told is what the model itself thought: before temperature, top_k, top_p and a response format. A repetition
penalty and its like, where one is asked for, come earlier in `generate` and can be seen.
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
        self._scores: dict[int, Any] = {}  # by the number of tokens before; several only where `generate` drafts ahead
        self.found = Logprobs()

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores as they are. Raises ValueError for several answers at once."""
        if input_ids.shape[0] != 1:
            raise ValueError("logprobs need one answer: without num_beams and num_return_sequences")
        self.scored(input_ids.shape[1], scores[0].clone())  # a processor after it may write into them
        return scores

    def scored(self, place: int, scores: Any) -> None:
        """The scores of each token of the vocabulary for this place in prompt and answer."""
        self._scores[place] = scores

    def chose(self, place: int, token: int, at: int) -> None:
        """The token that came there, when `at` characters of the answer were complete."""
        scores = self._scores.pop(place, None)
        if scores is None:
            return
        likely = scores.float().log_softmax(dim=-1)
        values, numbers = likely.topk(min(self._top, likely.shape[-1]))
        others = zip(numbers.tolist(), values.tolist(), strict=True)
        alternatives = [Token(self._spelled(number), value) for number, value in others]
        self.found.add(at, Token(self._spelled(token), float(likely[token])), alternatives)
