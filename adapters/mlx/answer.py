"""One answer of mlx-lm in the making: each token is read as it comes, and says whether more are wanted."""

from __future__ import annotations

from collections.abc import Callable

from ...domain.event import Event, Finished
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.usage import Usage
from ..local.answer import LocalAnswer, decode
from ..local.token_scores import ScoreReader
from .loading import Loaded


class Answer(LocalAnswer):
    """One answer in the making."""

    def __init__(
        self,
        loaded: Loaded,
        request: Request,
        prompt: list[int],
        scores: ScoreReader | None,
        show: Callable[[Event], None] | None,
    ) -> None:
        tokenizer = loaded.tokenizer
        super().__init__(
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            request,
            tokenizer.decode(prompt[-8:]),
            show,
            None if scores is None else scores.logprobs,
        )
        self._ends, self._scores, self._read = loaded.ends, scores, len(prompt)
        self._written = 0  # so many tokens have come
        self._reason = FinishReason.LENGTH

    def take(self, token: int) -> bool:
        """Whether more than this token are wanted."""
        self._written += 1
        self._reason = decode(token, self._ends)
        if self._reason is FinishReason.STOP:
            return False
        if self._scores is not None:
            self._scores.chose(self._read + self._written - 1, token, self.length)
        self.feed([token])
        return not self.ended

    def over(self, cached: int, model_id: str) -> Finished:
        """The last event."""
        return self.finish(self._reason, Usage(self._read, self._written, cached_tokens=cached), model_id)
