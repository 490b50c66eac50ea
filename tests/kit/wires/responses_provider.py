"""A provider of the Responses wire, on the loopback: it answers with the response that it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import responses_wire as wire
from chat_provider import ChatProvider
from conformance import Exchange
from laws import TEXT, Case
from loopback import Answer, Loopback, Seen, streamed

from modelport import Message, Model, Reasoning, Response, Usage

OWN = "openai-responses"


class ResponsesProvider(ChatProvider):
    """Sets up the situations for a model that `make` builds in front of the server; a context manager."""

    def __init__(self, make: Callable[[Loopback], Model]) -> None:
        super().__init__(make, OWN)

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        """It ignores stops, of which the wire has none."""
        return self._case(wire.saying(text, sizes))

    def stalling(self) -> Case:
        """It says something, and then nothing more."""

        def stall(seen: Seen) -> Answer:
            if seen.json.get("stream"):
                return streamed(wire.delta("One two"), then="stall")
            return attrs.evolve(wire.whole(TEXT), then="stall")

        return self._case(stall)

    def breaking(self, after: int) -> Case:
        """It resets the connection: before all, or after so many pieces; a whole answer breaks in its midst."""
        pieces = [wire.delta(TEXT[at : at + 8]) for at in range(0, len(TEXT), 8)]

        def cut(seen: Seen) -> Answer:
            if after == 0:
                return Answer(0, then="reset")
            if seen.json.get("stream"):
                return streamed(*pieces[:after], then="reset")
            return attrs.evolve(wire.whole(TEXT), then="reset")

        return self._case(cut)

    def replying(self, response: Response) -> Exchange:
        """It answers with this response."""
        before = self._follow(wire.replying(written(response)))
        return Exchange(self.model, lambda: [seen.json for seen in self._server.requests[before:]])

    def signed(self, thought: str, signature: str) -> Message:
        """Reasoning that only the server can read, and what followed it."""
        item = wire.reasoning(thought, encrypted=signature)
        own = {"item": item, "at": f"127.0.0.1:{self._server.port}"}
        return Message("assistant", [Reasoning(thought, metadata={OWN: own})])


def written(response: Response) -> dict[str, Any]:
    """The response in the words of this wire, without ids of items, which the response doesn't have either."""
    output = []
    for at, part in enumerate(response.message.content):
        if isinstance(part, Reasoning):
            own: Any = part.metadata.get(OWN, {})
            output.append(own.get("item") or wire.reasoning(part.text, id=f"rs_{at}"))
    if response.content:
        output.append(wire.message(response.content, id=None))
    output += (wire.call(each.name, each.arguments, call_id=each.id, id=None) for each in response.tool_calls)
    status = {"length": "incomplete"}.get(response.finish_reason, "completed")
    details = {"reason": "max_output_tokens"} if status == "incomplete" else None
    used = None if response.usage is None else usage(response.usage)
    return wire.response(*output, status=status, incomplete_details=details, usage=used)


def usage(used: Usage) -> dict[str, Any]:
    """The tokens in the words of this wire."""
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {"cached_tokens": used.cached_tokens, "cache_write_tokens": used.cache_write_tokens},
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "total_tokens": used.total_tokens,
    }
