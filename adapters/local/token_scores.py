"""The scores of one answer's tokens on their way through a runtime: read for log probabilities, bound by a constraint.

Both are logits processors, which runtimes call with the tokens so far and the scores of what may come next; a runtime
adds how its library computes. They serve one answer: where there are several rows, ValueError is raised.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .constraint import Constraint
from .logprobs import Logprobs, Token
from .token_bytes import spelling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class ScoreReader(ABC):
    """Reads how likely each token was, the first of the processors. `top` alternatives are told for each."""

    def __init__(self, tokenizer: Any, top: int) -> None:
        self._spelled = spelling(tokenizer)
        self._top = top
        self._scores: dict[int, Any] = {}  # by the number of tokens before: some runtimes compute ahead
        self.logprobs = Logprobs()

    def __call__(self, tokens: Any, scores: Any) -> Any:
        """The scores as they are."""
        _check_one(scores, "logprobs need")
        self._scores[tokens.shape[-1]] = self._kept(scores[0])
        return scores

    def chose(self, place: int, token: int, at: int) -> None:
        """The token that came there, when `at` characters of the answer were complete."""
        scores = self._scores.pop(place, None)
        if scores is not None:
            logprob, ranked = self._ranked(scores, token, self._top)
            alternatives = [Token(self._spelled(number), value) for number, value in ranked]
            self.logprobs.add(at, Token(self._spelled(token), logprob), alternatives)

    @abstractmethod
    def _kept(self, scores: Any) -> Any:
        """What is kept of these scores, so that no later processor changes it."""

    @abstractmethod
    def _ranked(self, kept: Any, token: int, top: int) -> tuple[float, Iterable[tuple[int, float]]]:
        """The log probability of the token, and those of the likeliest by their numbers."""


class ConstraintProcessor(ABC):
    """Has only tokens come that the constraint allows, after a prompt of `read` tokens, until one of `ends`."""

    def __init__(self, constraint: Constraint, read: int, ends: frozenset[int] = frozenset()) -> None:
        self._constraint, self._read, self._ends = constraint, read, ends

    def __call__(self, tokens: Any, scores: Any) -> Any:
        """The scores, minus infinity for what may not come next."""
        _check_one(scores, "a response format needs")
        new = tokens.reshape(-1)[self._read :].tolist()
        self._read += len(new)
        if new and new[-1] in self._ends:  # some runtimes compute one step ahead, for nothing
            return scores

        def allowed() -> NDArray[np.bool_]:
            self._constraint.take(new)
            return self._constraint.allowed(scores.shape[-1])

        return self._only(scores, allowed)

    @abstractmethod
    def _only(self, scores: Any, allowed: Callable[[], NDArray[np.bool_]]) -> Any:
        """The scores, minus infinity where it isn't `allowed`, which takes a moment to say."""


def _check_one(scores: Any, what: str) -> None:
    if scores.shape[0] != 1:
        raise ValueError(f"{what} one answer: without num_beams and num_return_sequences")
