"""One answer of transformers in the making: a stopping criterion does all that is done while it is generated.

It reads the tokens that have come, shows their text, ends at a stop, and ends at once when nobody reads any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from ..domain.draft import Draft
from ..domain.event import Event, Finished
from ..domain.request import Request
from ..domain.response import FinishReason
from ..domain.spoken import Spoken, opened_thought
from .detokenizer import Detokenizer
from .transformers_loading import Loaded
from .transformers_logprobs import Heard
from .transformers_prompt import offered


class Answer:
    """One answer in the making, and the stopping criterion that makes it."""

    def __init__(
        self,
        loaded: Loaded,
        request: Request,
        prompt: Any,
        heard: Heard | None,
        show: Callable[[Event], None],
        cancelled: threading.Event,
    ) -> None:
        tokenizer = loaded.tokenizer
        self._text = Detokenizer(
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )
        self.draft = Draft(request.stop_sequences)
        self.spoken = Spoken(
            self.draft,
            request.stop_sequences,
            tools=bool(offered(request)),
            thought=opened_thought(tokenizer.decode(prompt[0, -8:])),
            first_call=1 + sum(len(message.tool_calls) for message in request.messages),
        )
        self._show, self._cancelled, self._heard = show, cancelled, heard
        self._said = ""  # all of it, where it is to be told how likely its tokens were
        self.read = prompt.shape[1]  # so many tokens, the prompt's included, have been read

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Whether each row of these tokens is done."""
        import torch

        rows = input_ids.shape[0]
        if rows == 1:  # of several beams none is the answer yet
            self.take(input_ids)
        ended = self._cancelled.is_set() or self.spoken.ended
        return torch.full((rows,), ended, dtype=torch.bool, device=input_ids.device)

    def take(self, ids: Any) -> None:
        """What is new in these tokens, the prompt's included."""
        new = ids[0, self.read :].tolist()
        if new and not self.spoken.ended:
            if self._heard is None:
                self._say(self.spoken.feed(self._text.feed(new)))
            else:
                for place, token in enumerate(new, self.read):
                    self._heard.chose(place, token, len(self._said))
                    piece = self._text.feed([token])
                    self._said += piece
                    self._say(self.spoken.feed(piece))
            self.read += len(new)

    def finish(self, reason: FinishReason, **rest: Any) -> Finished:
        """The last event, after `close`."""
        reason = self.spoken.finish_reason(reason)
        finished = self.draft.finish(reason, stopped_by=self.spoken.stopped_by, **rest)
        return finished if self._heard is None else Finished(self._heard.onto(finished.response, self._said))

    def close(self) -> None:
        """No more comes."""
        self._say(self.spoken.close())
        self._say(self.draft.close())

    def _say(self, events: Iterable[Event]) -> None:
        for event in events:
            self._show(event)
