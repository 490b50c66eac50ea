"""A provider of the chat-completions wire, on the loopback: it answers with the response that it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import attrs
from conformance import Exchange
from laws import TEXT, Case
from loopback import DONE, Answer, Loopback, Script, Seen, body, chunk, error, saying, sse, streamed, whole

from modelport import Message, Model, Reasoning, Response, Usage


class ChatProvider:
    """Sets up the situations for a model that `make` builds in front of the server; a context manager.

    `own` is the name under which the adapter keeps what is this provider's own, where it isn't `model.provider`.
    """

    def __init__(self, make: Callable[[Loopback], Model], own: str | None = None) -> None:
        self._make, self._own = make, own
        self._server = Loopback(error(500))

    def __enter__(self) -> Self:
        self._server.__enter__()
        self.model = self._make(self._server)
        self.own = self._own or str(getattr(self.model, "provider", "openai"))
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
                return streamed(chunk({"content": "One two"}), then="stall")
            return attrs.evolve(whole(TEXT), then="stall")

        return self._case(stall)

    def breaking(self, after: int) -> Case:
        """It resets the connection: before all, or after so many pieces; a whole answer breaks in its midst."""
        pieces = [chunk({"content": TEXT[at : at + 8]}) for at in range(0, len(TEXT), 8)]

        def cut(seen: Seen) -> Answer:
            if after == 0:
                return Answer(0, then="reset")
            if seen.json.get("stream"):
                return streamed(*pieces[:after], then="reset")
            return attrs.evolve(whole(TEXT), then="reset")

        return self._case(cut)

    def replying(self, response: Response) -> Exchange:
        """It answers with this response."""

        def reply(seen: Seen) -> Answer:
            return _streamed(response, self.own) if seen.json.get("stream") else _whole(response, self.own)

        before = self._follow(reply)
        return Exchange(self.model, lambda: [seen.json for seen in self._server.requests[before:]])

    def signed(self, thought: str, signature: str) -> Message:
        """As OpenRouter signs it."""
        details = {"type": "reasoning.text", "text": thought, "signature": signature}
        return Message("assistant", [Reasoning(thought)], metadata={self.own: {"reasoning_details": [details]}})

    def _case(self, script: Script) -> Case:
        before = self._follow(script)
        return Case(self.model, lambda: self._server.open, lambda: len(self._server.requests) - before)

    def _follow(self, script: Script) -> int:
        self._server.script = [script]
        return len(self._server.requests)


def _whole(response: Response, own: str) -> Answer:
    message: dict[str, Any] = {"role": "assistant", "content": response.content or None}
    if response.reasoning:
        message["reasoning_content"] = response.reasoning
    if response.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in response.tool_calls
        ]
    message |= response.message.metadata.get(own, {})
    choice = {"index": 0, "message": message, "finish_reason": response.finish_reason.value}
    return body({**_head(response), "object": "chat.completion", "choices": [choice], **_used(response.usage)})


def _streamed(response: Response, own: str) -> Answer:
    head = {**_head(response), "object": "chat.completion.chunk"}
    deltas = [{"role": "assistant", "content": ""}, *_deltas(response, own)]
    pieces = [chunk(delta, **head) for delta in deltas]
    pieces.append(chunk(finish=response.finish_reason.value, **head))
    if response.usage is not None:
        pieces.append(sse({**head, "choices": [], **_used(response.usage)}))
    return streamed(*pieces, DONE)


def _deltas(response: Response, own: str) -> Iterator[Mapping[str, Any]]:
    for piece in _pieces(response.reasoning):
        yield {"reasoning_content": piece}
    if own in response.message.metadata:
        yield response.message.metadata[own]
    for piece in _pieces(response.content):
        yield {"content": piece}
    for at, call in enumerate(response.tool_calls):
        function = {"name": call.name, "arguments": ""}
        yield {"tool_calls": [{"index": at, "id": call.id, "type": "function", "function": function}]}
        for piece in _pieces(call.arguments):
            yield {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}


def _pieces(text: str) -> list[str]:
    return [text[at : at + 8] for at in range(0, len(text), 8)]


def _head(response: Response) -> dict[str, Any]:
    return {"id": response.response_id or "c1", "created": 1_700_000_000, "model": response.model_id or "m-1"}


def _used(usage: Usage | None) -> dict[str, Any]:
    if usage is None:
        return {}
    return {
        "usage": {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
            "prompt_tokens_details": {
                "cached_tokens": usage.cached_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
            },
            "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        }
    }
