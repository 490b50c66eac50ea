"""The answer on Bedrock's wire, whole or in events, as a `Response` or as events.

Pure; knows no SDK. It reads JSON as the service sends it, where bytes are base64, and as boto3 gives it, where they
are bytes. What the domain has no word for is kept in `metadata["bedrock"]`, and goes back with the message:
signatures, redacted thoughts, whole blocks such as citations. What it can't read is `Malformed`; an error that stands
in a stream is `Reported`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from ...domain.answer_builder import AnswerBuilder, trimmed
from ...domain.event import Event
from ...domain.frozen import FrozenDict
from ...domain.message import Audio, Image, Message, Part, Reasoning, Role, Text, ToolCall, as_json
from ...domain.response import FinishReason, Response
from ...domain.usage import Usage
from ..http.http_errors import Malformed
from .media import block_text
from .request import PROVIDER


class Reported(Exception):
    """The service sent an error in the midst of a stream: its own word for it, and what it said."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message


FINISH_REASONS: Final[Mapping[str, FinishReason]] = FrozenDict(
    {
        # docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, stopReason
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "tool_use": FinishReason.TOOL_CALLS,
        "max_tokens": FinishReason.LENGTH,
        "model_context_window_exceeded": FinishReason.LENGTH,
        "guardrail_intervened": FinishReason.CONTENT_FILTER,
        "content_filtered": FinishReason.CONTENT_FILTER,
        "malformed_model_output": FinishReason.OTHER,
        "malformed_tool_use": FinishReason.OTHER,
    }
)
"""What each stop reason means; another one is `other`."""

BLOCKS: Final = frozenset(
    {
        "audio",
        "cachePoint",
        "citationsContent",
        "document",
        "guardContent",
        "image",
        "reasoningContent",
        "searchResult",
        "text",
        "toolAddition",
        "toolRemoval",
        "toolResult",
        "toolUse",
        "video",
    }
)
"""The blocks of content that can go back to the service: of others nobody knows whether it takes what it has sent."""


_SHAPES: Final[Mapping[str, type]] = FrozenDict({name: str if name == "text" else Mapping for name in BLOCKS})
_CALL_SHAPES: Final[Mapping[str, type]] = FrozenDict({"toolUseId": str, "name": str, "input": str})  # in pieces
_DELTA_SHAPES: Final[Mapping[str, type]] = FrozenDict(
    {
        "citation": Mapping,
        "image": Mapping,
        "reasoningContent": Mapping,
        "text": str,
        "toolResult": list,
        "toolUse": Mapping,
    }
)


def decode(answer: object, stops: tuple[str, ...] = (), model_id: str | None = None) -> Response:
    """A whole answer, cut at the first of the stops. Raises `Malformed`."""
    output = answer.get("output") if isinstance(answer, Mapping) else None
    message = output.get("message") if isinstance(output, Mapping) else None
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(answer, Mapping) or not isinstance(content, Sequence) or isinstance(content, str):
        raise Malformed("the answer has no output.message.content; is this the Converse API?")
    parts = [_part(block) for block in content if _is_known(block) and block != {"text": ""}]
    return trimmed(_response(answer, Message(Role.ASSISTANT, parts), stops, model_id), stops)


def _response(answer: Mapping[str, Any], message: Message, stops: tuple[str, ...], model_id: str | None) -> Response:
    reason = answer.get("stopReason")
    metadata = answer.get("ResponseMetadata")
    return Response(
        message,
        _finish_reason(reason, bool(message.tool_calls)),
        _stopped_by(reason, answer.get("additionalModelResponseFields"), stops),
        _usage(answer.get("usage")),
        _invoked(answer.get("trace")) or model_id,
        _text(metadata.get("RequestId")) or None if isinstance(metadata, Mapping) else None,
        raw=answer,
    )


def _is_known(block: object) -> bool:
    """Whether it is a block that can go back. Raises `Malformed` for what is none."""
    if not isinstance(block, Mapping):
        raise Malformed(f"a block of the answer is no JSON object, but {type(block).__name__}")
    _check_shapes(block, _SHAPES)
    return not block.keys().isdisjoint(BLOCKS)


def _part(block: Mapping[str, Any]) -> Part:
    match block:
        case {"text": str(text)}:
            return Text(text)
        case {"toolUse": call} if "type" not in call:  # one with a type is of a tool that the service runs itself
            arguments = call.get("input")
            id_, name = call.get("toolUseId"), call.get("name")
            if not isinstance(id_, str) or not isinstance(name, str):
                raise Malformed("a block of the answer is of another shape: toolUse without a toolUseId and a name")
            return ToolCall(
                id_, name, arguments if isinstance(arguments, str) else as_json({} if arguments is None else arguments)
            )
        case {"reasoningContent": {"reasoningText": {"text": str(text)} as thought}}:
            signature = thought.get("signature")
            return Reasoning(text, metadata={PROVIDER: {"signature": signature}} if signature else {})
        case {"reasoningContent": {"redactedContent": (str() | bytes()) as secret}}:
            kept = base64.b64encode(secret).decode() if isinstance(secret, bytes) else secret
            return Reasoning("", metadata={PROVIDER: {"redactedContent": kept}})
        case {"image": {"format": str(kind), "source": {"bytes": (str() | bytes()) as data}}}:
            return Image(_bytes(data), media_type=f"image/{kind}")
        case {"audio": {"format": str(kind), "source": {"bytes": (str() | bytes()) as data}}}:
            return Audio(_bytes(data), media_type="audio/mpeg" if kind == "mp3" else f"audio/{kind}")
        case {"image": {"source": {"bytes": _}}} | {"audio": {"source": {"bytes": _}}}:
            raise Malformed("a picture or a sound of the answer is of another shape")
    return Text(block_text(block), metadata={PROVIDER: {"block": block}})


def _check_shapes(fields: Mapping[str, Any], shapes: Mapping[str, type]) -> None:
    """Raises `Malformed` for a known field of another shape."""
    for name in sorted(fields.keys() & shapes):
        if not isinstance(fields[name], shapes[name]):
            raise Malformed(f"a block of the answer is of another shape: {name} is {type(fields[name]).__name__}")


def _bytes(data: str | bytes) -> bytes:
    return data if isinstance(data, bytes) else base64.b64decode(data)


class Arriving:
    """What a stream has said so far. It belongs to one call, and is fed by `decode_event`."""

    __slots__ = ("_blocks", "_calls", "_raw", "draft", "metadata", "model_id", "request_id", "stops")

    def __init__(self, stops: tuple[str, ...] = (), model_id: str | None = None) -> None:
        self.draft = AnswerBuilder(stops)
        self.stops = stops
        self.model_id = model_id
        self.request_id: str | None = None
        self.metadata = False
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._raw: dict[str, Any] = {}

    @property
    def complete(self) -> bool:
        """Whether the service said why it ended, or a stop has ended the text."""
        return "stopReason" in self._raw or self.draft.stopped_by is not None

    @property
    def ended(self) -> bool:
        """Whether nothing more comes: it has said why it ended, and what it cost."""
        return self.metadata and "stopReason" in self._raw

    def finish(self) -> list[Event]:
        """The last events, once it is `complete`."""
        events: list[Event] = [*self.draft.close()]
        wire = [self._blocks[index].wire() for index in sorted(self._blocks)]
        parts = [_part(block) for block in wire if _is_known(block)]
        raw = {"output": {"message": {"role": "assistant", "content": wire}}, **self._raw}
        if self.request_id:
            raw["ResponseMetadata"] = {"RequestId": self.request_id}
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
        index = event.get("contentBlockIndex")
        at = index if isinstance(index, int) else 0
        block = self._blocks.get(at)
        if block is None:
            block = self._blocks[at] = _Block()
        return block

    def call(self, block: _Block) -> int:
        """The number of the tool call that a block is."""
        if block.number is None:
            block.number = self._calls
            self._calls += 1
        return block.number

    def keep(self, event: Mapping[str, Any]) -> None:
        """Remember what belongs to the answer as a whole."""
        self._raw.update(event)


@attrs.define
class _Block:
    """A block of content in the making."""

    kind: str = "text"
    start: dict[str, Any] = attrs.field(factory=dict)
    pieces: list[str] = attrs.field(factory=list)
    citations: list[Any] = attrs.field(factory=list)
    content: list[Any] = attrs.field(factory=list)
    redacted: str | None = None
    number: int | None = None

    def wire(self) -> dict[str, Any]:
        """The block as a whole answer has it."""
        text = "".join(self.pieces)
        match self.kind:
            case "text" if self.citations:
                return {"citationsContent": {"content": [{"text": text}], "citations": self.citations}}
            case "text":
                return {"text": text} if text else {}
            case "toolUse":
                return {"toolUse": {**self.start, "input": text or "{}"}}
            case "reasoningContent" if self.redacted is not None:
                return {"reasoningContent": {"redactedContent": self.redacted}}
            case "reasoningContent":
                return (
                    {"reasoningContent": {"reasoningText": {"text": text, **self.start}}} if text or self.start else {}
                )
        return {self.kind: {**self.start, **({"content": self.content} if self.content else {})}}


def decode_event(name: str, event: object, arriving: Arriving) -> Sequence[Event]:
    """The events of one event of the wire, by its name. Raises `Malformed` or `Reported`."""
    if not isinstance(event, Mapping):
        raise Malformed(f"an event of the stream is not a JSON object: {name}")
    if name == "contentBlockDelta":
        delta = _content_of(event, "delta")
        text = delta.get("text")
        if type(text) is str:  # nearly every event
            arriving.block(event).pieces.append(text)
            return arriving.draft.text(text) if text else ()
        return _delta(arriving, arriving.block(event), delta)
    if name == "contentBlockStart":
        return _start(arriving, arriving.block(event), _content_of(event, "start"))
    if name == "contentBlockStop":
        block = arriving.block(event)
        if block.number is not None and not block.pieces:
            return arriving.draft.tool_call(block.number, arguments="{}")  # a tool that takes nothing
    elif name in ("messageStop", "metadata"):
        arriving.keep(event)
        arriving.metadata |= name == "metadata"
    elif name.endswith("Exception"):
        raise Reported(name, _text(event.get("message")))
    return ()


def _content_of(event: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    content = event.get(name) or {}
    if not isinstance(content, Mapping):
        raise Malformed(f"an event of the stream is of another shape: {name} is {type(content).__name__}")
    return content


def _start(arriving: Arriving, block: _Block, start: Mapping[str, Any]) -> Sequence[Event]:
    _check_shapes(start, _SHAPES)
    for kind, fields in start.items():
        block.kind, block.start = kind, dict(fields) if isinstance(fields, Mapping) else {}
    if block.kind != "toolUse" or "type" in block.start:  # a tool that the service runs itself
        return ()
    _check_shapes(block.start, _CALL_SHAPES)
    id_, name = _text(block.start.get("toolUseId")), _text(block.start.get("name"))
    return arriving.draft.tool_call(arriving.call(block), id_, name)


def _delta(arriving: Arriving, block: _Block, delta: Mapping[str, Any]) -> Sequence[Event]:
    _check_shapes(delta, _DELTA_SHAPES)
    match delta:
        case {"toolUse": Mapping() as call}:
            _check_shapes(call, _CALL_SHAPES)
            piece = call.get("input")
            block.kind = "toolUse"
            if not piece:
                return ()
            block.pieces.append(piece)
            return () if block.number is None else arriving.draft.tool_call(block.number, arguments=piece)
        case {"reasoningContent": Mapping() as thought}:
            block.kind = "reasoningContent"
            return _thought(arriving, block, thought)
        case {"citation": Mapping() as citation}:
            block.citations.append(dict(citation))
        case {"toolResult": list(content)}:
            block.kind = "toolResult"
            block.content += content
        case {"image": Mapping() as image}:
            block.kind = "image"
            block.start = {**block.start, **image}
    return ()


def _thought(arriving: Arriving, block: _Block, thought: Mapping[str, Any]) -> Sequence[Event]:
    match thought:
        case {"text": str(piece)}:
            block.pieces.append(piece)
            return arriving.draft.reasoning(piece)
        case {"signature": str(signature)}:
            block.start["signature"] = block.start.get("signature", "") + signature
        case {"redactedContent": (str() | bytes()) as secret}:
            piece = secret if isinstance(secret, str) else base64.b64encode(secret).decode()
            whole = _bytes(block.redacted or "") + _bytes(piece)
            block.redacted = base64.b64encode(whole).decode()
    return ()


def _finish_reason(word: object, has_calls: bool) -> FinishReason:
    reason = FINISH_REASONS.get(word, FinishReason.OTHER) if isinstance(word, str) else FinishReason.OTHER
    return FinishReason.TOOL_CALLS if reason is FinishReason.STOP and has_calls else reason


def _stopped_by(reason: object, fields: object, stops: tuple[str, ...]) -> str | None:
    """The stop that the service says it found, or the only one that it can have been."""
    if reason != "stop_sequence":
        return None
    stop = fields.get("stop_sequence") if isinstance(fields, Mapping) else None
    return stop if stop in stops else stops[0] if len(stops) == 1 else None


def _usage(usage: object) -> Usage | None:
    if not isinstance(usage, Mapping) or not usage:
        return None
    cached, written = _count(usage, "cacheReadInputTokens"), _count(usage, "cacheWriteInputTokens")
    # inputTokens are those beside the cache: docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
    read = _count(usage, "inputTokens") + cached + written
    return Usage(read, _count(usage, "outputTokens"), cached, written)


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    if value is not None and not isinstance(value, int):
        raise Malformed(f"the usage of the answer is of another shape: {name} is {type(value).__name__}")
    return max(value or 0, 0)


def _invoked(trace: object) -> str | None:
    """The model that a prompt router chose."""
    router = trace.get("promptRouter") if isinstance(trace, Mapping) else None
    return _text(router.get("invokedModelId")) or None if isinstance(router, Mapping) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
