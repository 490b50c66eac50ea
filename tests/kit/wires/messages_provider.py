"""A provider of the Messages wire, on the loopback: it answers with the response that it is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import attrs
from conformance import Exchange
from laws import TEXT, Case
from loopback import Answer, Loopback, Script, Seen, streamed
from messages_wire import begin, delta, ending, error, model, saying, start, stop, text, whole

from modelport import Message, Model, Reasoning, Response, Text, ToolCall, Usage

REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "other": "pause_turn",
}


class MessagesProvider:
    """Sets up the situations for `AnthropicModel`, or what `make` builds in front of the server."""

    def __init__(self, make: Callable[[Loopback], Model] = model) -> None:
        self._make = make
        self._server = Loopback(error(500, "api_error"))

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
        return self._case(error(400))

    def stalling(self) -> Case:
        """It says something, and then nothing more."""

        def stall(seen: Seen) -> Answer:
            if seen.json.get("stream"):
                return streamed(begin(), text("One two"), then="stall")
            return attrs.evolve(whole(TEXT), then="stall")

        return self._case(stall)

    def breaking(self, after: int) -> Case:
        """It resets the connection: before all, or after so many pieces; a whole answer breaks in its midst."""
        pieces = [text(TEXT[at : at + 8]) for at in range(0, len(TEXT), 8)]

        def cut(seen: Seen) -> Answer:
            if after == 0:
                return Answer(0, then="reset")
            if seen.json.get("stream"):
                return streamed(begin(), *pieces[:after], then="reset")
            return attrs.evolve(whole(TEXT), then="reset")

        return self._case(cut)

    def replying(self, response: Response) -> Exchange:
        """It answers with this response."""
        reason = REASONS[response.finish_reason.value]

        def reply(seen: Seen) -> Answer:
            used = _used(response.usage)
            if seen.json.get("stream"):
                return streamed(begin(used), *_events(response.message), *ending(reason, used))
            return whole([_block(part) for part in response.message.content], reason, usage=used)

        before = self._follow(reply)
        return Exchange(self.model, lambda: [seen.json for seen in self._server.requests[before:]])

    def signed(self, thought: str, signature: str) -> Message:
        """As Claude signs it."""
        return Message("assistant", [Reasoning(thought, metadata={"anthropic": {"signature": signature}})])

    def _case(self, script: Script) -> Case:
        before = self._follow(script)
        return Case(self.model, lambda: self._server.open, lambda: len(self._server.requests) - before)

    def _follow(self, script: Script) -> int:
        self._server.script = [script]
        return len(self._server.requests)


def _block(part: object) -> Mapping[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case ToolCall():
            return {"type": "tool_use", "id": part.id, "name": part.name, "input": json.loads(part.arguments)}
        case Reasoning():
            return {"type": "thinking", "thinking": part.text, "signature": _signature(part)}
    raise TypeError(part)


def _events(message: Message) -> Iterator[bytes]:
    for at, part in enumerate(message.content):
        match part:
            case ToolCall():
                yield start({"type": "tool_use", "id": part.id, "name": part.name, "input": {}}, at)
                if part.arguments != "{}":  # a call of nothing has no piece of input
                    yield from (delta("input_json_delta", at, partial_json=piece) for piece in _pieces(part.arguments))
            case Text():
                yield start({"type": "text", "text": ""}, at)
                yield from (text(piece, at) for piece in _pieces(part.text))
            case Reasoning():
                yield start({"type": "thinking", "thinking": "", "signature": ""}, at)
                yield from (delta("thinking_delta", at, thinking=piece) for piece in _pieces(part.text))
                yield delta("signature_delta", at, signature=_signature(part))
        yield stop(at)


def _signature(part: Reasoning) -> str:
    return str(part.metadata.get("anthropic", {}).get("signature", ""))


def _pieces(text: str) -> list[str]:
    return [text[at : at + 8] for at in range(0, len(text), 8)]


def _used(usage: Usage | None) -> Mapping[str, int]:
    if usage is None:
        return {}
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
    }
