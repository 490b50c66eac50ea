"""One answer of a model on this machine in the making: tokens go in as they come, and what they say comes out.

Every runtime tells text, thoughts and calls apart in the same way, and ends with the token that ends the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ...domain.answer_builder import AnswerBuilder
from ...domain.error import ModelError
from ...domain.event import Event, Failed, Finished
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.tools.local_text import LocalText, opened_thought
from ...domain.usage import Usage
from .detokenizer import Detokenizer
from .logprobs import Logprobs
from .template import offered


class LocalAnswer:
    """It belongs to one call. `decode` makes text of tokens; the prompt's end, `opening`, may have begun a thought.

    `show` takes each event. Where it is None, and neither a stop nor a call could end the answer, and no `logprobs` are
    to be told, nothing is decoded before the end: that would take time from the computation.
    """

    __slots__ = ("_draft", "_kept", "_logprobs", "_patient", "_said", "_show", "_spoken", "_text", "length")

    def __init__(
        self,
        decode: Callable[[list[int]], str],
        request: Request,
        opening: str,
        show: Callable[[Event], None] | None,
        logprobs: Logprobs | None = None,
    ) -> None:
        tools = bool(offered(request))
        self._text = Detokenizer(decode)
        self._draft = AnswerBuilder(request.stop_sequences)
        self._spoken = LocalText(
            self._draft,
            request.stop_sequences,
            tools=tools,
            thought=opened_thought(opening),
            first_call=1 + sum(len(message.tool_calls) for message in request.messages),
        )
        self._show, self._logprobs = show, logprobs
        self._patient = show is None and logprobs is None and not tools and not request.stop_sequences
        self._kept: list[int] = []
        self._said: list[str] = []
        self.length = 0  # so many characters are complete

    @property
    def ended(self) -> bool:
        """Whether nothing more is worth generating."""
        return self._spoken.ended

    def feed(self, tokens: Sequence[int]) -> None:
        """Shows what these tokens say; nothing once it has ended."""
        if self._patient:
            self._kept += tokens
        elif not self.ended:
            self._hear(tokens)

    def finish(self, reason: FinishReason, usage: Usage, model_id: str) -> Finished:
        """The last event, and before it what was held back; `reason` is the runtime's own."""
        self._hear(self._kept)
        self._tell(self._spoken.close())
        self._tell(self._draft.close())
        reason, stop = self._spoken.finish_reason(reason), self._spoken.stopped_by
        last = self._draft.finish(reason, stopped_by=stop, usage=usage, model_id=model_id)
        return last if self._logprobs is None else Finished(self._logprobs.onto(last.response, "".join(self._said)))

    def fail(self, error: ModelError) -> Failed:
        """The last event of an answer that breaks off, with what was shown of it."""
        return self._draft.fail(error)

    def _hear(self, tokens: Sequence[int]) -> None:
        if not tokens:
            return
        piece = self._text.feed(tokens)
        self._said.append(piece)
        self.length += len(piece)
        self._tell(self._spoken.feed(piece))

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if self._show is not None:
                self._show(event)
