"""The answer on the Messages wire: JSON, whole or in events, as a `Response` or as events. Pure; knows no SDK.

What the domain has no word for is kept in `metadata["anthropic"]`, and goes back with the message: signatures, redacted
thoughts, citations, and whole blocks, such as those of the server's own tools. What it can't read is `Malformed`; an
error that stands where the answer should is `Reported`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from ...domain.answer_builder import AnswerBuilder, trimmed
from ...domain.event import Event
from ...domain.frozen import FrozenDict
from ...domain.message import Message, Part, Reasoning, Role, Text, ToolCall, as_json
from ...domain.response import FinishReason, Response
from ...domain.usage import Usage
from ..chat.answer import Reported
from ..chat.json import Halves, parse, shown
from ..chat.words import known_text
from ..http.http_errors import Malformed
from .blocks import PROVIDER

FINISH_REASONS: Final[Mapping[str, FinishReason]] = FrozenDict(
    {
        # platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "tool_use": FinishReason.TOOL_CALLS,
        "max_tokens": FinishReason.LENGTH,
        "model_context_window_exceeded": FinishReason.LENGTH,
        "refusal": FinishReason.CONTENT_FILTER,
        "pause_turn": FinishReason.OTHER,  # the answer goes on when it is sent back as it is
    }
)
"""What each stop reason means; another one is `other`."""


def decode(body: bytes, stops: tuple[str, ...] = (), model_id: str | None = None) -> Response:
    """A whole answer, cut at the first of the stops. Raises `Malformed` or `Reported`."""
    try:
        answer = parse(body, whole=True)
    except ValueError:
        raise Malformed(f"the answer is not JSON: {shown(body)}" if body.strip() else "the answer is empty") from None
    if not isinstance(answer, dict):
        raise Malformed(f"the answer is not a JSON object: {shown(body)}")
    if answer.get("type") == "error" or "error" in answer:
        raise Reported(answer.get("error") or answer)
    content = answer.get("content")
    if not isinstance(content, list):
        raise Malformed(f"the answer has no content; is this the Messages API? {shown(answer)}")
    return trimmed(_response(answer, _message(content), stops, model_id), stops)


def _message(content: Sequence[object]) -> Message:
    return Message(Role.ASSISTANT, [part for block in content if (part := _part(block)) is not None])


def _part(block: object) -> Part | None:
    """What a block of the answer is; nothing, where it is an empty text. Raises `Malformed`."""
    if not isinstance(block, dict):
        raise Malformed(f"a block of the answer is no JSON object: {shown(block)}")
    match block:
        case {"type": "text", "text": str(text)}:
            citations = block.get("citations")
            return Text(text, metadata={PROVIDER: {"citations": citations}} if citations else {}) if text else None
        case {"type": "tool_use", "id": str(id_), "name": str(name)}:
            own = {key: value for key, value in block.items() if key not in _OF_A_CALL and value is not None}
            arguments = block.get("input")
            written = arguments if isinstance(arguments, str) else as_json({} if arguments is None else arguments)
            return ToolCall(id_, name, written, metadata={PROVIDER: own} if own else {})
        case {"type": "thinking", "thinking": str(thought)}:
            signature = block.get("signature")
            return Reasoning(thought, metadata={PROVIDER: {"signature": signature}} if signature else {})
        case {"type": "redacted_thinking", "data": str(secret)}:
            return Reasoning("", metadata={PROVIDER: {"redacted": secret}})
        case {"type": str(kind)} if kind not in _KINDS:
            return Text("", metadata={PROVIDER: {"block": block}})
    raise Malformed(f"a block of the answer is of another shape: {shown(block)}")


_OF_A_CALL: Final = frozenset({"id", "input", "name", "type"})
_KINDS: Final = frozenset({"redacted_thinking", "text", "thinking", "tool_use"})


def _response(answer: Mapping[str, Any], message: Message, stops: tuple[str, ...], model_id: str | None) -> Response:
    stop = answer.get("stop_sequence")
    return Response(
        message,
        _finish_reason(answer.get("stop_reason"), bool(message.tool_calls)),
        stop if isinstance(stop, str) and stop in stops else None,
        usage_of(answer.get("usage")),
        known_text(answer.get("model")) or model_id,
        known_text(answer.get("id")),
        raw=answer,
    )


class Arriving:
    """What a stream has said so far. It belongs to one call, and is fed by `decode_event`."""

    __slots__ = ("_answer", "_blocks", "_calls", "_usage", "draft", "ended", "halves", "model_id", "stops")

    def __init__(self, stops: tuple[str, ...] = (), model_id: str | None = None) -> None:
        self.draft = AnswerBuilder(stops)
        self.stops = stops
        self.model_id = model_id
        self.halves = Halves()
        self.ended = False  # the server said `message_stop`
        self._answer: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._calls = 0

    @property
    def complete(self) -> bool:
        """Whether the server said why it ended, or a stop has ended the text."""
        return self._answer.get("stop_reason") is not None or self.draft.stopped_by is not None

    def finish(self) -> list[Event]:
        """The last events, once it is `complete`."""
        events: list[Event] = []
        for block in self._blocks.values() if self.halves else ():
            events += block.end(self)
        events += self.draft.close()
        blocks = [self._blocks[index] for index in sorted(self._blocks)]
        raw = {**self._answer, "content": [block.wire() for block in blocks]}
        if self._usage:
            raw["usage"] = self._usage
        parts = [part for block in blocks if (part := block.part()) is not None]
        answer = _response(raw, Message(Role.ASSISTANT, parts), self.stops, self.model_id)
        last = self.draft.finish(
            answer.finish_reason,
            stopped_by=answer.stopped_by,
            usage=answer.usage,
            model_id=answer.model_id,
            response_id=answer.response_id,
            message=answer.message,
        )
        return [*events, attrs.evolve(last, response=attrs.evolve(last.response, raw=raw))]

    def block(self, event: Mapping[str, Any]) -> _Block:
        """The block that an event belongs to."""
        index = event.get("index")
        at = index if isinstance(index, int) else 0
        block = self._blocks.get(at)
        if block is None:
            block = self._blocks[at] = _Block(at)
        return block

    def call(self) -> int:
        """The number of the next tool call."""
        self._calls += 1
        return self._calls - 1

    def keep(self, fields: object, usage: object) -> None:
        """Remember what belongs to the answer as a whole; of each count the last one stands, as they are cumulative."""
        for known, said in ((self._answer, fields), (self._usage, usage)):
            if isinstance(said, Mapping):
                known.update({name: value for name, value in said.items() if value is not None})


@attrs.define
class _Block:
    """A block of content in the making."""

    at: int
    start: dict[str, Any] = attrs.field(factory=dict)
    pieces: list[str] = attrs.field(factory=list)
    number: int | None = None

    def add(self, piece: str, arriving: Arriving) -> Sequence[Event]:
        """The events of another piece of what it says: of a text, a thought, or a call's arguments."""
        if not piece.isascii() or arriving.halves:
            piece = arriving.halves.joined(self.at, piece)
        return self._shown(piece, arriving) if piece else ()

    def end(self, arriving: Arriving) -> Sequence[Event]:
        """The events of what was waiting for more: half a character that stays alone becomes U+FFFD."""
        if not arriving.halves.left(self.at):
            return ()
        return self._shown(arriving.halves.joined(self.at, " ").removesuffix(" "), arriving)

    def _shown(self, piece: str, arriving: Arriving) -> Sequence[Event]:
        self.pieces.append(piece)
        kind = self.start.get("type", "text")
        if kind == "text":
            return arriving.draft.text(piece)
        if kind == "thinking":
            return arriving.draft.reasoning(piece)
        return () if self.number is None else arriving.draft.tool_call(self.number, arguments=piece)

    def wire(self) -> dict[str, Any]:
        """The block as a whole answer has it."""
        said = "".join(self.pieces)
        kind = self.start.get("type", "text")
        if kind in ("text", "thinking"):
            return {"type": kind, **self.start, kind: said}
        return {**self.start, "input": _value(said)} if said else self.start

    def part(self) -> Part | None:
        """The block as a part of a message; a call's arguments are as the model wrote them."""
        part = _part(self.wire())
        written = "".join(self.pieces)
        return attrs.evolve(part, arguments=written) if isinstance(part, ToolCall) and written else part


def _value(written: str) -> Any:
    try:
        return parse(written.encode())
    except ValueError:
        return written


def decode_event(event: object, arriving: Arriving) -> Sequence[Event]:
    """The events of one event of the wire; those that it doesn't know say nothing. Raises `Malformed` or `Reported`."""
    if not isinstance(event, dict):
        raise Malformed(f"an event of the stream is not a JSON object: {shown(event)}")
    delta = event.get("delta")
    kind = event.get("type")
    if kind == "content_block_delta":  # nearly every event
        return _delta(delta, arriving.block(event), arriving) if isinstance(delta, dict) else ()
    match kind:
        case "content_block_start":
            start = event.get("content_block")
            return _start(start, arriving.block(event), arriving) if isinstance(start, dict) else ()
        case "content_block_stop":
            return _stop(arriving.block(event), arriving)
        case "message_start":
            message = event.get("message")
            if isinstance(message, dict):
                usage = message.get("usage")
                arriving.keep({name: it for name, it in message.items() if name not in ("content", "usage")}, usage)
        case "message_delta":
            arriving.keep(delta, event.get("usage"))
        case "message_stop":
            arriving.ended = True
        case "error":
            raise Reported(event.get("error") or event)
        case _ if "error" in event:
            raise Reported(event["error"])
    return ()


def _start(start: dict[str, Any], block: _Block, arriving: Arriving) -> Sequence[Event]:
    block.start = dict(start)
    match start:
        case {"type": "tool_use", "id": str(id_), "name": str(name)}:
            block.number = arriving.call()
            return arriving.draft.tool_call(block.number, id_, name)
        case {"type": ("text" | "thinking") as kind}:
            said = block.start.pop(kind, "")
            return block.add(said, arriving) if isinstance(said, str) else ()
    return ()


def _delta(delta: dict[str, Any], block: _Block, arriving: Arriving) -> Sequence[Event]:
    text = delta.get("text")
    if type(text) is str and delta.get("type") == "text_delta":
        return block.add(text, arriving)
    match delta:
        case {"type": "input_json_delta", "partial_json": str(piece)}:
            return block.add(piece, arriving)
        case {"type": "thinking_delta", "thinking": str(piece)}:
            block.start.setdefault("type", "thinking")
            return block.add(piece, arriving)
        case {"type": "citations_delta", "citation": dict(citation)}:
            block.start["citations"] = [*(block.start.get("citations") or ()), citation]
        case _:  # a signature, or what no name is known for yet
            for name, value in delta.items():
                if name != "type" and isinstance(value, str):
                    begun = block.start.get(name)
                    block.start[name] = begun + value if isinstance(begun, str) else value
    return ()


def _stop(block: _Block, arriving: Arriving) -> Sequence[Event]:
    if block.number is None or block.pieces:
        return block.end(arriving) if arriving.halves else ()
    arguments = block.start.get("input")  # of a tool that takes nothing, or of a server that says it at once
    return arriving.draft.tool_call(block.number, arguments=as_json(arguments or {}))


def _finish_reason(word: object, has_calls: bool) -> FinishReason:
    reason = FINISH_REASONS.get(word, FinishReason.OTHER) if isinstance(word, str) else FinishReason.OTHER
    return FinishReason.TOOL_CALLS if reason is FinishReason.STOP and has_calls else reason


def usage_of(usage: object) -> Usage | None:
    """The tokens of a `usage` object; None where it says nothing.

    >>> usage_of({"input_tokens": 9, "cache_read_input_tokens": 3, "output_tokens": 4})
    Usage(input_tokens=12, output_tokens=4, cached_tokens=3)
    """
    if not isinstance(usage, Mapping):
        return None
    beside, output = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if beside is None or output is None:  # zeros would be a bill of nothing
        return None
    # "Total input tokens ... is the summation": platform.claude.com/docs/en/build-with-claude/prompt-caching
    cached = _count(usage, "cache_read_input_tokens") or 0
    written = _count(usage, "cache_creation_input_tokens") or 0
    thought = _count(usage.get("output_tokens_details"), "thinking_tokens") or 0
    return Usage(beside + cached + written, output, cached, written, thought)


def _count(counts: object, name: str) -> int | None:
    value = counts.get(name) if isinstance(counts, Mapping) else None
    return value if type(value) is int and value >= 0 else None
