"""The answer on the chat-completions wire: JSON, whole or in chunks, as a `Response` or as events. Pure; knows no SDK.

It reads what servers send rather than what is specified: chunks without choices, calls of tools without an index, usage
that grows from chunk to chunk, finish reasons of their own. What it can't read is `Malformed`; an error that stands
where the answer should is `Reported`. What the domain has no word for is kept in `metadata[provider]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from ...domain.answer_builder import AnswerBuilder, trimmed
from ...domain.event import Event, Finished
from ...domain.frozen import FrozenDict
from ...domain.message import Message, Part, Reasoning, Role, Text, ToolCall
from ...domain.response import FinishReason, Response
from ...domain.usage import Usage
from ..http.http_errors import Malformed
from .errors import error_in
from .json import Halves, parse, shown
from .raw import FILTERS, WORDS, Raw, filtered_by
from .usage import usage_of


class Reported(Exception):
    """The server sent an error in place of the answer, under a status that promised one."""

    def __init__(self, error: object) -> None:
        super().__init__(error)
        self.error = error


FINISH_REASONS: Final[Mapping[str, FinishReason]] = FrozenDict(
    {
        "stop": FinishReason.STOP,
        "length": FinishReason.LENGTH,
        "tool_calls": FinishReason.TOOL_CALLS,
        "content_filter": FinishReason.CONTENT_FILTER,
        "function_call": FinishReason.TOOL_CALLS,  # before tools
        "eos": FinishReason.STOP,  # llama.cpp
        "eos_token": FinishReason.STOP,  # TGI
        "stop_sequence": FinishReason.STOP,  # TGI
        "end_turn": FinishReason.STOP,  # Anthropic, behind a gateway
        "max_tokens": FinishReason.LENGTH,  # the same
        "model_length": FinishReason.LENGTH,  # Mistral
        "tool_use": FinishReason.TOOL_CALLS,  # Anthropic, behind a gateway
    }
)
"""What each finish reason means; another one is `other`."""


def decode(body: bytes, stops: tuple[str, ...] = (), provider: str = "openai") -> Response:
    """A whole answer, cut at the first of the stops. Raises `Malformed` or `Reported`."""
    try:
        answer = parse(body, mended=True)
    except ValueError:
        raise Malformed(f"the answer is not JSON: {shown(body)}" if body.strip() else "the answer is empty") from None
    if not isinstance(answer, dict):
        raise Malformed(f"the answer is not a JSON object: {shown(body)}")
    return decode_answer(answer, stops, provider)


def decode_answer(answer: Mapping[str, Any], stops: tuple[str, ...] = (), provider: str = "openai") -> Response:
    """The same, of an answer that is read already."""
    if answer.get("error"):
        raise Reported(error_in(answer))
    choice = _first_choice(answer)
    message = choice.get("message") if choice is not None else None
    if choice is None or not isinstance(message, dict):
        what = "no choices" if choice is None else "a choice without a message"
        raise Malformed(f"the answer has {what}: {shown(answer)}")
    reasoning, text = _words(message)
    refusal = _text(message.get("refusal"))
    calls = _whole_calls(message, provider)
    parts: list[Part] = []
    if reasoning:
        parts.append(Reasoning(reasoning))
    if text or refusal:
        parts.append(Text(text + refusal))
    response = Response(
        Message(Role.ASSISTANT, [*parts, *calls], metadata=_kept(message, _KEPT_OF_MESSAGE, provider)),
        _finish_reason(choice.get("finish_reason"), bool(calls), bool(refusal or filtered_by(choice.get(FILTERS)))),
        _stopped_by(choice, stops),
        usage_of(answer.get("usage")),
        _known_text(answer.get("model")),
        _known_text(answer.get("id")),
        raw=answer,
    )
    return trimmed(response, stops)


class Arriving:
    """What a stream has said so far. It belongs to one call, and is fed by `decode_event`."""

    __slots__ = (
        "_calls",
        "_current",
        "_metadata",
        "draft",
        "ended",
        "finish_reason",
        "halves",
        "model_id",
        "provider",
        "raw",
        "refused",
        "response_id",
        "stopped_by",
        "stops",
        "usage",
    )

    def __init__(self, stops: tuple[str, ...] = (), provider: str = "openai") -> None:
        self.draft = AnswerBuilder(stops)
        self.stops = stops
        self.provider = provider
        self.ended = False  # the server said `[DONE]`
        self.finish_reason: object = None
        self.stopped_by: str | None = None
        self.usage: Usage | None = None
        self.model_id: str | None = None
        self.response_id: str | None = None
        self.raw = Raw()
        self.refused = False
        self._calls: list[_Call] = []
        self.halves = Halves()
        self._current: dict[int, _Call] = {}  # by the wire's index
        self._metadata: dict[int, dict[str, Any]] = {}  # by the call's number; of the message itself under -1

    @property
    def complete(self) -> bool:
        """Whether the server said why it ended, or a stop has ended the text."""
        return self.finish_reason is not None or self.draft.stopped_by is not None

    def finish(self) -> list[Event]:
        """The last events, once it is `complete`."""
        left = self.halves.left
        events: list[Event] = [*self.draft.reasoning("\ufffd")] if left("reasoning") else []
        events += self.draft.text("\ufffd") if left("text") else ()
        for call in self._calls if self.halves else ():
            events += self.draft.tool_call(call.number, arguments="\ufffd") if left(call.number) else ()
        events += self.draft.close()
        reason = _finish_reason(self.finish_reason, bool(self._calls), self.refused or self.raw.filtered)
        message = self._message() if self._metadata else None
        last = self.draft.finish(
            reason,
            stopped_by=self.stopped_by,
            usage=self.usage,
            model_id=self.model_id,
            response_id=self.response_id,
            message=message,
        )
        return [*events, Finished(attrs.evolve(last.response, raw=self.raw.answer))]

    def _message(self) -> Message:
        whole = self.draft.gathered()
        parts: list[Part] = []
        number = 0
        for part in whole.content:
            if isinstance(part, ToolCall):
                own = self._metadata.get(number)
                parts.append(attrs.evolve(part, metadata={self.provider: own}) if own else part)
                number += 1
            else:
                parts.append(part)
        own = self._metadata.get(-1)
        return attrs.evolve(whole, content=parts, metadata={self.provider: own} if own else {})

    def call(self, piece: Mapping[str, Any]) -> list[Event]:
        """Events for one entry of a delta's `tool_calls`."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        id_, name, arguments = _text(piece.get("id")), _text(function.get("name")), _arguments(function)
        call = self._call(piece.get("index"), id_, name, arguments)
        new_id, new_name = None, None
        if not call.id:
            new_id = call.id = id_ or f"call_{call.number}"  # its result must be able to name it
        if not call.name and name:
            new_name = call.name = name
        if arguments and (self.halves or not arguments.isascii()):
            arguments = self.halves.joined(call.number, arguments)
        call.arguments += arguments
        own = {key: value for key, value in piece.items() if key not in _OF_A_CALL and value is not None}
        if own:
            self._metadata.setdefault(call.number, {}).update(own)
        if new_id is None and new_name is None and not arguments:
            return []
        return [*self.draft.tool_call(call.number, new_id, new_name, arguments)]

    def _call(self, index: object, id_: str, name: str, arguments: str) -> _Call:
        """The call that a piece belongs to, whatever the server makes of indices.

        Some give all calls one index, or none; some repeat the name, or invent a new id for each piece.
        """
        at = index if isinstance(index, int) else None
        if at is not None:
            call = self._current.get(at)
        else:
            known = [call for call in self._calls if call.id == id_] if id_ else self._calls
            call = known[-1] if known else None
        begins = call is None or bool(
            name and call.name and (id_ != call.id if id_ else _is_whole(call.arguments) and arguments[:1] == "{")
        )
        if call is None or begins:
            call = _Call(len(self._calls))
            self._calls.append(call)
        if at is not None:
            self._current[at] = call
        return call

    def keep(self, delta: Mapping[str, Any]) -> None:
        """Remember what the domain has no word for."""
        for name in _KEPT_OF_MESSAGE:
            value = delta.get(name)
            if value is not None:
                own = self._metadata.setdefault(-1, {})
                own[name] = [*own[name], *value] if isinstance(value, list) and name in own else value


@attrs.define
class _Call:
    number: int
    id: str = ""
    name: str = ""
    arguments: str = ""


def decode_event(chunk: object, arriving: Arriving) -> Sequence[Event]:
    """The events of one chunk. Raises `Malformed` or `Reported`."""
    if not isinstance(chunk, dict):
        raise Malformed(f"a chunk of the stream is not a JSON object: {shown(chunk)}")
    if chunk.get("error"):
        raise Reported(error_in(chunk))
    choice = _first_choice(chunk)
    if arriving.model_id is None or arriving.response_id is None:
        arriving.model_id = arriving.model_id or _known_text(chunk.get("model"))
        arriving.response_id = arriving.response_id or _known_text(chunk.get("id"))
        arriving.raw.heed(chunk, choice)
    usage = chunk.get("usage")
    if usage:
        arriving.usage = usage_of(usage) or arriving.usage  # where it comes more than once, it grows
    if choice is None:
        arriving.raw.heed(chunk, None)
        return ()
    if choice.get("finish_reason"):  # some say "" while they go on
        arriving.finish_reason = choice["finish_reason"]
        arriving.stopped_by = _stopped_by(choice, arriving.stops)
        arriving.raw.heed(chunk, choice)
    if choice.get("logprobs"):
        arriving.raw.logprobs(choice["logprobs"])
    if choice.get(FILTERS):
        arriving.raw.filters(choice[FILTERS])
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return ()
    content = delta.get("content")
    if type(content) is str and len(delta) == 1:  # nearly every chunk
        if not content.isascii() or arriving.halves:
            content = arriving.halves.joined("text", content)
        return arriving.draft.text(content) if content else ()
    events: list[Event] = []
    reasoning, text = _words(delta)
    if reasoning:
        events += arriving.draft.reasoning(arriving.halves.joined("reasoning", reasoning))
    if text:
        events += arriving.draft.text(arriving.halves.joined("text", text))
    refusal = _text(delta.get("refusal"))
    if refusal:
        arriving.refused = True
        events += arriving.draft.text(arriving.halves.joined("text", refusal))
    calls = delta.get("tool_calls")
    if isinstance(calls, list):
        for piece in calls:
            if isinstance(piece, dict):
                events += arriving.call(piece)
    legacy = delta.get("function_call")
    if isinstance(legacy, dict) and legacy and not calls:  # some say each call in both ways
        events += arriving.call({"index": 0, "function": legacy})
    if not WORDS.issuperset(delta):
        arriving.keep(delta)
        arriving.raw.message(delta)
    return events


def _first_choice(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    first: dict[str, Any] = choices[0]
    if first.get("index"):  # `n` answers share a stream: the first is the answer
        return next((choice for choice in choices if isinstance(choice, dict) and not choice.get("index")), None)
    return first


def _words(message: Mapping[str, Any]) -> tuple[str, str]:
    """Its reasoning and its text, where each server puts them."""
    reasoning = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    content = message.get("content")
    if not isinstance(content, list):
        return reasoning, _text(content)
    text = ""
    for part in content:  # Mistral
        if isinstance(part, dict) and part.get("type") == "thinking":
            inner = part.get("thinking")
            pieces = inner if isinstance(inner, list) else [{"text": inner}]
            reasoning += "".join(_text(piece.get("text")) for piece in pieces if isinstance(piece, dict))
        elif isinstance(part, dict):
            text += _text(part.get("text")) or _text(part.get("refusal"))
    return reasoning, text


_OF_A_CALL: Final = frozenset({"id", "type", "function", "index"})
# Encrypted or signed reasoning, which OpenRouter wants back with the next question.
_KEPT_OF_MESSAGE: Final = ("reasoning_details", "extra_content")


def _whole_calls(message: Mapping[str, Any], provider: str) -> list[ToolCall]:
    entries = message.get("tool_calls")
    pieces = [piece for piece in entries if isinstance(piece, dict)] if isinstance(entries, list) else []
    legacy = message.get("function_call")
    if not pieces and isinstance(legacy, dict) and legacy:
        pieces = [{"function": legacy}]
    calls = []
    for number, piece in enumerate(pieces):
        function = piece.get("function")
        function = function if isinstance(function, dict) else {}
        names = tuple(name for name in piece if name not in _OF_A_CALL)
        calls.append(
            ToolCall(
                _text(piece.get("id")) or f"call_{number}",
                _text(function.get("name")),
                _arguments(function),
                metadata=_kept(piece, names, provider),
            )
        )
    return calls


def _kept(fields: Mapping[str, Any], names: tuple[str, ...], provider: str) -> dict[str, Any]:
    own = {name: fields[name] for name in names if fields.get(name) is not None}
    return {provider: own} if own else {}


def _arguments(function: Mapping[str, Any]) -> str:
    arguments = function.get("arguments")
    if isinstance(arguments, dict):  # Ollama, of old
        import orjson

        return orjson.dumps(arguments).decode()
    return _text(arguments)


def _is_whole(arguments: str) -> bool:
    import orjson

    try:
        orjson.loads(arguments)
    except ValueError:
        return False
    return True


def _finish_reason(word: object, has_calls: bool, refused: bool) -> FinishReason:
    reason = FINISH_REASONS.get(word, FinishReason.OTHER) if isinstance(word, str) else FinishReason.OTHER
    if refused:
        return FinishReason.CONTENT_FILTER
    if reason is FinishReason.STOP and has_calls:  # OpenAI says so where tool_choice named the tool
        return FinishReason.TOOL_CALLS
    return reason


def _stopped_by(choice: Mapping[str, Any], stops: tuple[str, ...]) -> str | None:
    """The word of vLLM and SGLang for the stop that ended the text; they also give numbers of tokens there."""
    for name in ("stop_reason", "matched_stop"):
        value = choice.get(name)
        if isinstance(value, str) and value in stops:
            return value
    return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _known_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
