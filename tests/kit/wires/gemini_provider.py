"""A provider of Gemini's wire, on the loopback: it answers with the response that it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import attrs
from conformance import Exchange
from gemini_wire import chunk, error, model, saying, streams, whole
from laws import TEXT, Case
from loopback import Answer, Loopback, Script, Seen, streamed

from modelport import Message, Model, Reasoning, Response, Text, ToolCall, Usage

REASONS = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY", "other": "OTHER"}


class GeminiProvider:
    """Sets up the situations for `GeminiModel`, or what `make` builds in front of the server."""

    def __init__(self, make: Callable[[Loopback], Model] = model) -> None:
        self._make = make
        self._server = Loopback(error(500, "INTERNAL"))

    def __enter__(self) -> Self:
        self._server.__enter__()
        self.model = self._make(self._server)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, raised, trace)

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        """It ignores stops."""
        return self._case(saying(text, sizes))

    def failing(self) -> Case:
        """It refuses."""
        return self._case(error(400, "INVALID_ARGUMENT"))

    def stalling(self) -> Case:
        """It says something, and then nothing more."""

        def stall(seen: Seen) -> Answer:
            if streams(seen):
                return streamed(chunk("One two"), then="stall")
            return attrs.evolve(whole(TEXT), then="stall")

        return self._case(stall)

    def breaking(self, after: int) -> Case:
        """It resets the connection: before all, or after so many pieces; a whole answer breaks in its midst."""
        pieces = [chunk(TEXT[at : at + 8]) for at in range(0, len(TEXT), 8)]

        def cut(seen: Seen) -> Answer:
            if after == 0:
                return Answer(0, then="reset")
            if streams(seen):
                return streamed(*pieces[:after], then="reset")
            return attrs.evolve(whole(TEXT), then="reset")

        return self._case(cut)

    def replying(self, response: Response) -> Exchange:
        """It answers with this response."""
        reason, usage = REASONS[response.finish_reason.value], _used(response.usage)

        def reply(seen: Seen) -> Answer:
            if streams(seen):
                events = [chunk(part) for part in _pieces(response.message)]
                return streamed(*events, chunk(finish=reason, usage=usage))
            return whole(*map(_part, response.message.content), finish=reason, usage=usage)

        before = self._follow(reply)
        return Exchange(self.model, lambda: [seen.json for seen in self._server.requests[before:]])

    def signed(self, thought: str, signature: str) -> Message:
        """As Gemini signs a thought."""
        return Message("assistant", Reasoning(thought, metadata={"gemini": {"thoughtSignature": signature}}))

    def _case(self, script: Script) -> Case:
        before = self._follow(script)
        return Case(self.model, lambda: self._server.open, lambda: len(self._server.requests) - before)

    def _follow(self, script: Script) -> int:
        self._server.script = [script]
        return len(self._server.requests)


def _part(part: object) -> Mapping[str, Any]:
    match part:
        case Text():
            return {"text": part.text}
        case ToolCall():
            return {"functionCall": {"id": part.id, "name": part.name, "args": part.input}}
        case Reasoning():
            return {"text": part.text, "thought": True, **part.metadata.get("gemini", {})}
    raise TypeError(part)


def _pieces(message: Message) -> Iterator[Mapping[str, Any]]:
    for part in map(_part, message.content):
        if "functionCall" in part or "thoughtSignature" in part:
            yield part
        else:
            text = part["text"]
            yield from ({**part, "text": text[at : at + 8]} for at in range(0, len(text), 8))


def _used(usage: Usage | None) -> Mapping[str, int] | None:
    if usage is None:
        return None
    return {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "cachedContentTokenCount": usage.cached_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
        "totalTokenCount": usage.total_tokens,
    }
