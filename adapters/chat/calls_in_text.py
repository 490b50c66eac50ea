"""Calls of tools that a server leaves in the text, read as those of small local models are.

`transformers serve` does so, and servers that don't know how their model writes a call. It stands between what the wire
says and the events that are shown: text that may be a call is held back. Where the server itself calls, its calls hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from ...domain.answer_builder import AnswerBuilder
from ...domain.event import Event, Finished, ReasoningDelta, TextDelta, ToolCallDelta, replay
from ...domain.message import ToolCall
from ...domain.request import Request
from ...domain.response import Response
from ...domain.tools.local_text import LocalText
from ..http.posted import Reader
from .answer import Arriving


class CallsInText:
    """What one answer has said so far; `inner` is what the wire has said, which knows of no stops."""

    __slots__ = ("_inner", "_text", "draft")

    def __init__(self, inner: Arriving, request: Request) -> None:
        stops = request.stop_sequences
        self._inner = inner
        self.draft = AnswerBuilder(stops)
        earlier = sum(len(message.tool_calls) for message in request.messages)
        self._text = LocalText(self.draft, stops, tools=True, first_call=earlier)

    @property
    def complete(self) -> bool:
        """Whether the server said why it ended, or a stop has ended the text."""
        return self._inner.complete or self.draft.stopped_by is not None

    @property
    def ended(self) -> bool:
        """Whether the server said that nothing more comes."""
        return self._inner.ended

    def read(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events to show for those of the wire."""
        text = self._text
        for event in events:
            match event:
                case TextDelta():
                    yield from text.feed(event.text)
                case ReasoningDelta():
                    yield from self.draft.reasoning(event.text)
                case ToolCallDelta() if not text.ended:
                    yield from text.without_calls()
                    yield from self.draft.tool_call(event.index, event.id, event.name, event.arguments)
                case Finished():
                    yield from text.close()
                    yield from self.draft.close()
                    yield self._finished(event.response)

    def finish(self) -> list[Event]:
        """The last events, once it is `complete`."""
        return [*self.read(self._inner.finish())]

    def whole(self, response: Response) -> Response:
        """The same of a whole answer."""
        *_, last = self.read(replay(response))
        assert isinstance(last, Finished)
        return last.response

    def _finished(self, said: Response) -> Finished:
        """The response that was shown, with what the server said beside its words."""
        whole, own = self.draft.gathered(), {call.id: call.metadata for call in said.tool_calls}
        parts = [
            attrs.evolve(part, metadata=own[part.id]) if isinstance(part, ToolCall) and part.id in own else part
            for part in whole.content
        ]
        last = self.draft.finish(
            self._text.finish_reason(said.finish_reason),
            stopped_by=self._text.stopped_by or said.stopped_by,
            usage=said.usage,
            model_id=said.model_id,
            response_id=said.response_id,
            message=attrs.evolve(whole, content=parts, metadata=said.message.metadata),
        )
        return Finished(attrs.evolve(last.response, raw=said.raw))


class InText:
    """Reads a stream as `reader` does, and the calls out of its text."""

    __slots__ = ("_calls", "_reader")

    def __init__(self, reader: Reader, calls: CallsInText) -> None:
        self._reader, self._calls = reader, calls

    def read(self, chunk: bytes) -> Iterator[Event]:
        """The events to show for some bytes."""
        return self._calls.read(self._reader.read(chunk))

    def end(self) -> Iterator[Event]:
        """The events to show for what was left when the bytes ended."""
        return self._calls.read(self._reader.end())
