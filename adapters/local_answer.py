"""One answer of a model on this machine in the making: tokens go in as they come, and what they say comes out.

Every runtime tells text, thoughts and calls apart in the same way, and ends with the token that ends the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..domain.draft import Draft
from ..domain.event import Event, Finished
from ..domain.request import Request
from ..domain.response import FinishReason
from ..domain.spoken import Spoken, opened_thought
from ..domain.usage import Usage
from .chat_template import offered
from .detokenizer import Detokenizer
from .logprobs import Logprobs


class LocalAnswer:
    """It belongs to one call. `decode` makes text of tokens; the prompt's end, `opening`, may have begun a thought."""

    __slots__ = ("_said", "_spoken", "_text", "draft", "length")

    def __init__(self, decode: Callable[[list[int]], str], request: Request, opening: str) -> None:
        self._text = Detokenizer(decode)
        self.draft = Draft(request.stop_sequences)
        self._spoken = Spoken(
            self.draft,
            request.stop_sequences,
            tools=bool(offered(request)),
            thought=opened_thought(opening),
            first_call=1 + sum(len(message.tool_calls) for message in request.messages),
        )
        self._said: list[str] = []
        self.length = 0  # so many characters are complete

    @property
    def ended(self) -> bool:
        """Whether nothing more is worth generating."""
        return self._spoken.ended

    def feed(self, tokens: Sequence[int]) -> list[Event]:
        """What these tokens say; nothing once it has ended."""
        if self.ended:
            return []
        piece = self._text.feed(tokens)
        self._said.append(piece)
        self.length += len(piece)
        return [*self._spoken.feed(piece)]

    def close(self) -> list[Event]:
        """What was held back, now that no more comes."""
        return [*self._spoken.close(), *self.draft.close()]

    def finish(self, reason: FinishReason, usage: Usage, model_id: str, logprobs: Logprobs | None = None) -> Finished:
        """The last event, after `close`; `reason` is the runtime's own."""
        stop = self._spoken.stopped_by
        last = self.draft.finish(self._spoken.finish_reason(reason), stopped_by=stop, usage=usage, model_id=model_id)
        return last if logprobs is None else Finished(logprobs.onto(last.response, "".join(self._said)))
