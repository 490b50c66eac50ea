"""An answer in the making: pieces of what a provider or a runtime says go in, events that keep the laws come out.

It holds text back while it may still become a stop, drops all that comes after one, joins the pieces of tool calls,
and in the end makes the one `Response` that the events add up to. It belongs to one call and is not shared.
"""

from __future__ import annotations

import attrs

from .error import ModelError
from .event import Delta, Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta, gather
from .message import Message, Part, Text
from .response import FinishReason, Response
from .stop import Scanner, cut
from .usage import Usage


class AnswerBuilder:
    """Folds one stream. Feed it pieces, show what it returns, and end it with `finish` or `fail`."""

    __slots__ = ("_deltas", "_scanner", "_stops", "_waiting")

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self._deltas: list[Delta] = []
        self._scanner = Scanner.of(stops)
        self._stops = stops
        # Pieces of tool calls that came while text was held, each with how much of that text stands before it.
        self._waiting: list[tuple[int, ToolCallDelta]] = []

    @property
    def stopped_by(self) -> str | None:
        """The stop that has ended the text, once one has; nothing more is worth asking for then."""
        return self._scanner.stop

    @property
    def began(self) -> bool:
        """Whether any of the answer was shown, or is held."""
        return bool(self._deltas or self._waiting or self._scanner.holds)

    def text(self, piece: str) -> list[Delta]:
        """Events for a piece of text."""
        self._scanner, safe = self._scanner.feed(piece)
        return self._show_text(safe)

    def reasoning(self, piece: str) -> list[Delta]:
        """Events for a piece of reasoning."""
        if not piece or self.stopped_by is not None:
            return []
        return self._show(ReasoningDelta(piece))

    def tool_call(self, index: int, id: str | None = None, name: str | None = None, arguments: str = "") -> list[Delta]:
        """Events for a piece of a tool call. It waits for text that came before it and is held back."""
        if self.stopped_by is not None:
            return []
        delta = ToolCallDelta(index, id, name, arguments)
        if self._scanner.holds:
            self._waiting.append((self._scanner.holds, delta))
            return []
        return self._show(delta)

    def close(self) -> list[Delta]:
        """Events for what was held back, now that no more comes."""
        rest, stop = self._scanner.close()
        self._scanner = attrs.evolve(self._scanner, node=0, found=None, stop=stop)
        return self._show_text(rest)

    def finish(
        self,
        finish_reason: FinishReason,
        *,
        stopped_by: str | None = None,
        usage: Usage | None = None,
        model_id: str | None = None,
        response_id: str | None = None,
        message: Message | None = None,
    ) -> Finished:
        """The last event, after `close`. Where a stop has ended the text, the finish reason is `stop` in any case.

        `message` stands for the gathered one where the provider gave metadata that deltas can't carry; it is cut too.
        """
        stop = self.stopped_by or stopped_by
        reason = FinishReason.STOP if self.stopped_by else finish_reason
        whole = gather(self._deltas) if message is None else _cut_message(message, self._stops)[0]
        return Finished(Response(whole, reason, stop, usage, model_id, response_id))

    def fail(self, error: ModelError) -> Failed:
        """The last event of a stream that broke, with the answer as far as it was shown."""
        if not self._deltas:
            return Failed(error)
        return Failed(error, Response(gather(self._deltas), FinishReason.OTHER, model_id=error.model_id))

    def gathered(self) -> Message:
        """The message so far."""
        return gather(self._deltas)

    def _show_text(self, text: str) -> list[Delta]:
        events = self._show(TextDelta(text)) if text else []
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for ahead, delta in waiting:
                if ahead <= len(text):
                    events += self._show(delta)
                elif self.stopped_by is None:
                    self._waiting.append((ahead - len(text), delta))
        return events

    def _show(self, delta: Delta) -> list[Delta]:
        self._deltas.append(delta)
        return [delta]


def trimmed(response: Response, stops: tuple[str, ...]) -> Response:
    """A whole answer as the stops want it: its text ends before the first of them, and what comes after is dropped."""
    message, stop = _cut_message(response.message, stops) if stops else (response.message, None)
    if stop is None:
        return response
    return attrs.evolve(response, message=message, finish_reason=FinishReason.STOP, stopped_by=stop)


def _cut_message(message: Message, stops: tuple[str, ...]) -> tuple[Message, str | None]:
    text, stop = cut(message.text, stops)
    if stop is None:
        return message, None
    left = len(text)
    parts: list[Part] = []
    for part in message.content:
        if left < 0:
            continue  # it comes after the stop
        if isinstance(part, Text):
            if left or not part.text:
                parts.append(attrs.evolve(part, text=part.text[:left]))
            left = left - len(part.text) if len(part.text) <= left else -1
        else:
            parts.append(part)
    return attrs.evolve(message, content=parts), stop
