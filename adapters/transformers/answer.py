"""One answer of transformers in the making: a stopping criterion does all that is done while it is generated.

It reads the tokens that have come, shows their text, ends at a stop, and ends at once when nobody reads any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ...domain.event import Event, Finished
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.usage import Usage
from ..local.answer import LocalAnswer
from ..local.token_scores import ScoreReader
from .loading import Loaded


class Answer(LocalAnswer):
    """One answer in the making, and the stopping criterion that makes it."""

    def __init__(
        self,
        loaded: Loaded,
        request: Request,
        prompt: Any,
        scores: ScoreReader | None,
        show: Callable[[Event], None] | None,
        cancelled: threading.Event,
    ) -> None:
        tokenizer = loaded.tokenizer
        super().__init__(
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            request,
            tokenizer.decode(prompt[0, -8:]),
            show,
            None if scores is None else scores.logprobs,
        )
        self._cancelled, self._scores = cancelled, scores
        self._size = self.read = int(prompt.shape[1])  # so many tokens, the prompt's included, have been read

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Whether each row of these tokens is done."""
        import torch

        rows = input_ids.shape[0]
        if rows == 1:  # of several beams none is the answer yet
            self.take(input_ids)
        ended = self._cancelled.is_set() or self.ended
        return torch.full((rows,), ended, dtype=torch.bool, device=input_ids.device)

    def take(self, ids: Any) -> None:
        """What is new in these tokens, the prompt's included."""
        new = ids[0, self.read :].tolist()
        if not new or self.ended:
            return
        if self._scores is None:
            self.feed(new)
        else:
            for place, token in enumerate(new, self.read):
                self._scores.chose(place, token, self.length)
                self.feed([token])
        self.read += len(new)

    def over(self, reason: FinishReason, model_id: str) -> Finished:
        """The last event."""
        return self.finish(reason, Usage(self._size, self.read - self._size), model_id)
