"""One answer of a model on this machine in the making: tokens go in as they come, and what they say comes out.

Every runtime tells text, thoughts and calls apart in the same way, and ends with the token that ends the text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

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


def decode(token: int, ends: Collection[int]) -> FinishReason:
    """Why generation ended with this token: it ends a text, or nothing more was to be generated."""
    return FinishReason.STOP if token in ends else FinishReason.LENGTH


class LocalAnswer:
    """It belongs to one call. `decode` makes text of tokens; the prompt's end, `opening`, may have begun a thought.

    `show` takes each event. Where it is None, tokens are decoded once, at the end, as decoding takes time from the
    computation; unless a stop or a call may end the answer earlier, or `logprobs` have to be told.
    """

    __slots__ = (
        "_at_the_end",
        "_builder",
        "_detokenizer",
        "_logprobs",
        "_pieces",
        "_show",
        "_text",
        "_tokens",
        "length",
    )

    def __init__(
        self,
        decode: Callable[[list[int]], str],
        request: Request,
        opening: str,
        show: Callable[[Event], None] | None,
        logprobs: Logprobs | None = None,
    ) -> None:
        tools = bool(offered(request))
        self._detokenizer = Detokenizer(decode)
        self._builder = AnswerBuilder(request.stop_sequences)
        self._text = LocalText(
            self._builder,
            request.stop_sequences,
            tools=tools,
            thought=opened_thought(opening),
            first_call=1 + sum(len(message.tool_calls) for message in request.messages),
        )
        self._show, self._logprobs = show, logprobs
        self._at_the_end = show is None and logprobs is None and not tools and not request.stop_sequences
        self._tokens: list[int] = []  # those that are decoded at the end
        self._pieces: list[str] = []
        self.length = 0  # so many characters are complete

    @property
    def ended(self) -> bool:
        """Whether nothing more is worth generating."""
        return self._text.ended

    def feed(self, tokens: Sequence[int]) -> None:
        """Shows what these tokens say; nothing once it has ended."""
        if self._at_the_end:
            self._tokens += tokens
        elif not self.ended:
            self._decode(tokens)

    def finish(self, reason: FinishReason, usage: Usage, model_id: str) -> Finished:
        """The last event, and before it what was held back; `reason` is the runtime's own."""
        self._decode(self._tokens)
        self._tell(self._text.close())
        self._tell(self._builder.close())
        reason, stop = self._text.finish_reason(reason), self._text.stopped_by
        last = self._builder.finish(reason, stopped_by=stop, usage=usage, model_id=model_id)
        return last if self._logprobs is None else Finished(self._logprobs.onto(last.response, "".join(self._pieces)))

    def fail(self, error: ModelError) -> Failed:
        """The last event of an answer that breaks off, with what was shown of it."""
        return self._builder.fail(error)

    def _decode(self, tokens: Sequence[int]) -> None:
        if not tokens:
            return
        piece = self._detokenizer.feed(tokens)
        self._pieces.append(piece)
        self.length += len(piece)
        self._tell(self._text.feed(piece))

    def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if self._show is not None:
                self._show(event)
