"""An answer while it arrives: deltas, then exactly one `Finished` or `Failed`.

`settle` folds a stream into what a whole call would have given; `replay` unfolds an answer into a stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs
from returns.result import Failure, Result, Success

from .error import ErrorKind, ModelError, Sent
from .message import Message, Part, Reasoning, Role, Text, ToolCall
from .response import Response


@attrs.frozen
class TextDelta:
    """A piece of the answer's text; never empty."""

    text: str


@attrs.frozen
class ReasoningDelta:
    """A piece of what the model thinks before it answers; never empty."""

    text: str


@attrs.frozen
class ToolCallDelta:
    """A piece of tool call number `index`: its id and name come with the first, `arguments` is JSON text to join."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


@attrs.frozen
class Finished:
    """The last event of a stream that went well: the whole answer."""

    response: Response


@attrs.frozen
class Failed:
    """The last event of a stream that went wrong: why, and the answer as far as it had come."""

    error: ModelError
    partial: Response | None = None


Delta = TextDelta | ReasoningDelta | ToolCallDelta
Event = Delta | Finished | Failed


def gather(deltas: Iterable[Event]) -> Message:
    """The assistant's message that these deltas make: reasoning, text, then tool calls by index; in linear time."""
    text: list[str] = []
    reasoning: list[str] = []
    calls: dict[int, tuple[str, str, list[str]]] = {}
    for delta in deltas:
        match delta:
            case TextDelta():
                text.append(delta.text)
            case ReasoningDelta():
                reasoning.append(delta.text)
            case ToolCallDelta():
                known_id, known_name, arguments = calls.get(delta.index) or ("", "", [])
                arguments.append(delta.arguments)
                # Some servers repeat the id and the name with every piece.
                calls[delta.index] = (known_id or delta.id or "", known_name or delta.name or "", arguments)
    parts: list[Part] = []
    if reasoning:
        parts.append(Reasoning("".join(reasoning)))
    if text:
        parts.append(Text("".join(text)))
    parts += [ToolCall(id, name, "".join(pieces)) for _, (id, name, pieces) in sorted(calls.items())]
    return Message(Role.ASSISTANT, parts)


def cut_off(deltas: Iterable[Event], provider: str | None = None, model_id: str | None = None) -> Failed:
    """What a stream that just ended has come to: a failure with the answer so far."""
    error = ModelError(
        ErrorKind.INTERRUPTED,
        "the stream ended without saying why",
        sent=Sent.YES,
        provider=provider,
        model_id=model_id,
    )
    message = gather(deltas)
    return Failed(error, Response(message, "other", model_id=model_id) if message.content else None)


def settle(events: Iterable[Event]) -> Result[Response, ModelError]:
    """What a stream comes to: its answer or its error; one that just ended is `interrupted`."""
    for event in events:
        match event:
            case Finished():
                return Success(event.response)
            case Failed():
                return Failure(event.error)
    return Failure(cut_off(()).error)


def replay(response: Response) -> Iterator[Event]:
    """The stream that comes to this answer, one delta a part."""
    index = 0
    for part in response.message.content:
        match part:
            case Text() if part.text:
                yield TextDelta(part.text)
            case Reasoning() if part.text:
                yield ReasoningDelta(part.text)
            case ToolCall():
                yield ToolCallDelta(index, part.id, part.name, part.arguments)
                index += 1
    yield Finished(response)
