"""A provider of Bedrock's Converse wire, on the loopback: it answers with the response that it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import attrs
from bedrock_wire import BEGIN, delta, ending, error, model, saying, start, stop, streamed, text_delta, whole
from conformance import Exchange
from laws import TEXT, Case
from loopback import Answer, Loopback, Script, Seen

from modelport import Message, Model, Reasoning, Response, Text, ToolCall, Usage

REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
    "other": "malformed_model_output",
}


class BedrockProvider:
    """Sets up the situations for `AmazonBedrockModel`, or what `make` builds in front of the server."""

    def __init__(self, make: Callable[[Loopback], Model] = model) -> None:
        self._make = make
        self._server = Loopback(error(500, "InternalServerException"))

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
        return self._case(error(400, "ValidationException"))

    def stalling(self) -> Case:
        """It says something, and then nothing more."""

        def stall(seen: Seen) -> Answer:
            if _streams(seen):
                return streamed(BEGIN, text_delta("One two"), then="stall")
            return attrs.evolve(whole(TEXT), then="stall")

        return self._case(stall)

    def breaking(self, after: int) -> Case:
        """It resets the connection: before all, or after so many pieces; a whole answer breaks in its midst."""
        pieces = [text_delta(TEXT[at : at + 8]) for at in range(0, len(TEXT), 8)]

        def cut(seen: Seen) -> Answer:
            if after == 0:
                return Answer(0, then="reset")
            if _streams(seen):
                return streamed(BEGIN, *pieces[:after], then="reset")
            return attrs.evolve(whole(TEXT), then="reset")

        return self._case(cut)

    def replying(self, response: Response) -> Exchange:
        """It answers with this response."""
        reason, usage = REASONS[response.finish_reason.value], _used(response.usage)

        def reply(seen: Seen) -> Answer:
            if _streams(seen):
                return streamed(BEGIN, *_events(response.message), *ending(reason, usage))
            return whole([_block(part) for part in response.message.content], reason, usage)

        before = self._follow(reply)
        return Exchange(self.model, lambda: [seen.json for seen in self._server.requests[before:]])

    def signed(self, thought: str, signature: str) -> Message:
        """As Claude signs it."""
        return Message("assistant", [Reasoning(thought, metadata={"bedrock": {"signature": signature}})])

    def _case(self, script: Script) -> Case:
        before = self._follow(script)
        return Case(self.model, lambda: self._server.open, lambda: len(self._server.requests) - before)

    def _follow(self, script: Script) -> int:
        self._server.script = [script]
        return len(self._server.requests)


def _streams(seen: Seen) -> bool:
    return seen.path.endswith("/converse-stream")


def _block(part: object) -> Mapping[str, Any]:
    match part:
        case Text():
            return {"text": part.text}
        case ToolCall():
            return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": json.loads(part.arguments)}}
        case Reasoning():
            signed = part.metadata.get("bedrock", {})
            if "redactedContent" in signed:
                return {"reasoningContent": {"redactedContent": signed["redactedContent"]}}
            return {"reasoningContent": {"reasoningText": {"text": part.text, **signed}}}
    raise TypeError(part)


def _events(message: Message) -> Iterator[bytes]:
    for at, part in enumerate(message.content):
        match part:
            case ToolCall():
                yield start({"toolUse": {"toolUseId": part.id, "name": part.name}}, at)
                if part.arguments != "{}":  # a call of nothing has no piece of input
                    yield from (delta({"toolUse": {"input": piece}}, at) for piece in _pieces(part.arguments))
            case Text():
                yield from (text_delta(piece, at) for piece in _pieces(part.text))
            case Reasoning():
                yield from (delta({"reasoningContent": {"text": piece}}, at) for piece in _pieces(part.text))
                for name, said in part.metadata.get("bedrock", {}).items():
                    yield delta({"reasoningContent": {name: said}}, at)
        yield stop(at)


def _pieces(text: str) -> list[str]:
    return [text[at : at + 8] for at in range(0, len(text), 8)]


def _used(usage: Usage | None) -> Mapping[str, int]:
    if usage is None:
        return {}
    beside = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    return {
        "inputTokens": beside,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": usage.cached_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }
