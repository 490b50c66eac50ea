"""An answer in the making: takes what a provider or a runtime says piece by piece, and gives out events that keep the laws.

It holds text back while it may still become a stop, drops all that comes after one, joins the pieces of tool calls,
and in the end makes the one `Response` that the events add up to. A draft belongs to one call and is not shared.
"""

from __future__ import annotations

from typing import Any

import attrs

from .error import ModelError
from .event import Delta, Failed, Finished, ReasoningDelta, TextDelta, ToolCallDelta, gather
from .message import Message
from .response import FinishReason, Response
from .stop import Scanner, cut
from .usage import Usage


class Draft:
    """Folds one stream. Feed it pieces, show what it returns, and end it with `finish` or `fail`."""

    __slots__ = ("_deltas", "_scanner")

    def __init__(self, stops: tuple[str, ...] = ()) -> None:
        self._deltas: list[Delta] = []
        self._scanner = Scanner.of(stops)

    @property
    def stopped_by(self) -> str | None:
        """The stop that has ended the text, once one has; nothing more is worth asking for then."""
        return self._scanner.stop

    def text(self, piece: str) -> list[Delta]:
        """Events for a piece of text."""
        self._scanner, safe = self._scanner.feed(piece)
        return self._show(TextDelta(safe)) if safe else []

    def reasoning(self, piece: str) -> list[Delta]:
        """Events for a piece of reasoning."""
        if not piece or self.stopped_by is not None:
            return []
        return self._show(ReasoningDelta(piece))

    def tool_call(self, index: int, id: str | None = None, name: str | None = None, arguments: str = "") -> list[Delta]:
        """Events for a piece of a tool call. Text that was held back comes first: a call ends the text before it."""
        if self.stopped_by is not None:
            return []
        held = self._release()
        if self.stopped_by is not None:
            return held
        return held + self._show(ToolCallDelta(index, id, name, arguments))

    def close(self) -> list[Delta]:
        """Events for what was held back, now that no more comes."""
        return self._release()

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
        """The last event, after `close`. A stop that was found here outdoes the finish reason that was reported.

        `message` stands for the gathered one where the provider gave metadata that deltas can't carry.
        """
        stop = self.stopped_by or stopped_by
        reason = FinishReason.STOP if self.stopped_by else finish_reason
        whole = message if message is not None else gather(self._deltas)
        return Finished(Response(whole, reason, stop, usage, model_id, response_id))

    def fail(self, error: ModelError) -> Failed:
        """The last event of a stream that broke, with the answer as far as it was shown."""
        if not self._deltas:
            return Failed(error)
        return Failed(error, Response(gather(self._deltas), FinishReason.OTHER, model_id=error.model_id))

    def gathered(self) -> Message:
        """The message so far."""
        return gather(self._deltas)

    def _release(self) -> list[Delta]:
        held, stop = self._scanner.close()
        if stop is not None:
            self._scanner = attrs.evolve(self._scanner, node=0, found=None, stop=stop)
        else:
            self._scanner = attrs.evolve(self._scanner, node=0, found=None)
        return self._show(TextDelta(held)) if held else []

    def _show(self, delta: Delta) -> list[Delta]:
        self._deltas.append(delta)
        return [delta]


def trimmed(response: Response, stops: tuple[str, ...]) -> Response:
    """A whole answer as the stops want it: its text ends before the first of them, and what comes after is dropped."""
    text = response.content
    shown, stop = cut(text, stops)
    if stop is None:
        return response
    draft = Draft()
    if response.reasoning:
        draft.reasoning(response.reasoning)
    draft.text(shown)
    fields: dict[str, Any] = {"message": draft.gathered(), "finish_reason": FinishReason.STOP, "stopped_by": stop}
    return attrs.evolve(response, **fields)
