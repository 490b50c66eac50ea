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
from .calls import OF_A_CALL, Call, MadeUp, arguments_of, function_of, is_whole, made_up_id, pieces_in, whole_calls
from .errors import error_in
from .json import Halves, parse, shown
from .raw import FILTERS, WORDS, Raw, filtered_by
from .usage import usage_of
from .words import KEPT_OF_MESSAGE, kept, known_text, merged, reasoning_in, text_at, text_of, words


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
        "sensitive": FinishReason.CONTENT_FILTER,  # Zhipu: docs.bigmodel.cn/api-reference
    }
)
"""What each finish reason means; another one is `other`."""

# A provider behind a gateway broke down, or one was too busy to end the answer: what has come is no answer.
_FAILURES: Final[Mapping[str, Mapping[str, Any]]] = FrozenDict(
    {
        "error": {"code": 502, "message": "the server broke the answer off: finish_reason is 'error'"},
        "insufficient_system_resource": {
            "code": 503,
            "message": "the server lacks resources to end the answer",
        },  # DeepSeek
        "network_error": {"code": 502, "message": "the server broke the answer off: finish_reason is 'network_error'"},
    }
)


def decode(
    body: bytes, stops: tuple[str, ...] = (), provider: str = "openai", made_up: MadeUp = made_up_id
) -> Response:
    """A whole answer, cut at the first of the stops. Raises `Malformed` or `Reported`."""
    return decode_answer(answer_in(body), stops, provider, made_up)


def answer_in(body: bytes) -> dict[str, Any]:
    """The JSON object of a whole answer. Raises `Malformed`."""
    try:
        answer = parse(body, whole=True)
    except ValueError:
        raise Malformed(f"the answer is not JSON: {shown(body)}" if body.strip() else "the answer is empty") from None
    if not isinstance(answer, dict):
        raise Malformed(f"the answer is not a JSON object: {shown(body)}")
    return answer


def decode_answer(
    answer: Mapping[str, Any],
    stops: tuple[str, ...] = (),
    provider: str = "openai",
    made_up: MadeUp = made_up_id,
) -> Response:
    """The same, of an answer that is read already."""
    if answer.get("error"):
        raise Reported(error_in(answer))
    choice = _first_choice(answer)
    message = choice.get("message") if choice is not None else None
    if choice is None or not isinstance(message, dict):
        what = "no choices" if choice is None else "a choice without a message"
        raise Malformed(f"the answer has {what}: {shown(answer)}")
    _check_failure(choice)
    reasoning, text = words(message)
    refusal = text_at(message, "refusal")
    calls = whole_calls(message, provider, made_up)
    parts: list[Part] = []
    if reasoning:
        parts.append(Reasoning(reasoning))
    if text or refusal:
        parts.append(Text(text + refusal))
    response = Response(
        Message(Role.ASSISTANT, [*parts, *calls], metadata=kept(merged(message), KEPT_OF_MESSAGE, provider)),
        _finish_reason(choice.get("finish_reason"), bool(calls), bool(refusal or filtered_by(choice.get(FILTERS)))),
        _stopped_by(choice, stops),
        usage_of(answer.get("usage")),
        known_text(answer.get("model")),
        known_text(answer.get("id")),
        raw=answer,
    )
    return trimmed(response, stops)


class Arriving:
    """What a stream has said so far. It belongs to one call, and is fed by `decode_event`."""

    __slots__ = (
        "_calls",
        "_current",
        "_made_up",
        "_metadata",
        "details_count",
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

    def __init__(self, stops: tuple[str, ...] = (), provider: str = "openai", made_up: MadeUp = made_up_id) -> None:
        self.draft = AnswerBuilder(stops)
        self._made_up = made_up
        self.stops = stops
        self.provider = provider
        self.details_count = True  # until reasoning came that isn't in details, which may then say it again
        self.ended = False  # the server said `[DONE]`
        self.finish_reason: object = None
        self.stopped_by: str | None = None
        self.usage: Usage | None = None
        self.model_id: str | None = None
        self.response_id: str | None = None
        self.raw = Raw()
        self.refused = False
        self._calls: list[Call] = []
        self.halves = Halves()
        self._current: dict[int, Call] = {}  # by the wire's index
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
        for call in self._named if self.halves else ():
            events += self.draft.tool_call(call.number, arguments="\ufffd") if left(call.number) else ()
        events += self.draft.close()
        reason = _finish_reason(self.finish_reason, bool(self._named), self.refused or self.raw.filtered)
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

    @property
    def _named(self) -> list[Call]:
        """The calls that can be made; one without a name is none."""
        return [call for call in self._calls if call.name]

    def _message(self) -> Message:
        whole = self.draft.gathered()
        parts: list[Part] = []
        named = iter(self._named)
        for part in whole.content:
            own = self._metadata.get(next(named).number) if isinstance(part, ToolCall) else None
            parts.append(attrs.evolve(part, metadata={self.provider: own}) if own else part)
        own = self._metadata.get(-1)
        return attrs.evolve(whole, content=parts, metadata={self.provider: merged(own)} if own else {})

    @property
    def began(self) -> bool:
        """Whether anything of the answer has come."""
        return bool(self._calls) or self.draft.began

    def call(self, piece: Mapping[str, Any]) -> list[Event]:
        """Events for one entry of a delta's `tool_calls`. A call without a name waits for it."""
        function = function_of(piece)
        id_, name, arguments = text_of(piece.get("id")), text_at(function, "name"), arguments_of(function)
        call = self._call(piece.get("index"), id_, name, arguments)
        own = {key: value for key, value in piece.items() if key not in OF_A_CALL and value is not None}
        if own:
            call.own.update(own)
            self._metadata[call.number] = call.own
        if arguments and (self.halves or not arguments.isascii()):
            arguments = self.halves.joined(call.number, arguments)
        if arguments[:1] == "{" and len(arguments) == call.size and arguments == call.arguments and is_whole(arguments):
            arguments = ""  # some say them whole once more at the end
        call.add(arguments)
        call.id = call.id or id_
        if call.name:
            return [*self.draft.tool_call(call.number, arguments=arguments)] if arguments else []
        if not name:
            return []
        call.name = name
        call.id = call.id or self._made_up(call.number)  # its result must be able to name it
        return [*self.draft.tool_call(call.number, call.id, name, call.arguments)]

    def _call(self, index: object, id_: str, name: str, arguments: str) -> Call:
        """The call that a piece belongs to, whatever the server makes of indices.

        Some give all calls one index, or none; some repeat the name, or invent a new id for each piece.
        """
        at = index if isinstance(index, int) else None
        if at is not None:
            call = self._current.get(at)
            if call is None and not id_ and not name and self._calls:
                call = self._calls[-1]  # a piece that names nothing goes on with what is open
        else:
            known = [call for call in self._calls if call.id == id_] if id_ else self._calls
            call = known[-1] if known else None
        begins = call is None or bool(
            name and call.name and (id_ != call.id if id_ else is_whole(call.arguments) and arguments[:1] == "{")
        )
        if call is None or begins:
            call = Call(len(self._calls))
            self._calls.append(call)
        if at is not None:
            self._current[at] = call
        return call

    def keep(self, delta: Mapping[str, Any]) -> None:
        """Remember what the domain has no word for."""
        for name in KEPT_OF_MESSAGE:
            value = delta.get(name)
            if value is not None:
                own = self._metadata.setdefault(-1, {})
                if isinstance(value, list) and isinstance(own.get(name), list):
                    own[name].extend(value)
                else:
                    own[name] = [*value] if isinstance(value, list) else value


def decode_event(chunk: object, arriving: Arriving) -> Sequence[Event]:
    """The events of one chunk. Raises `Malformed` or `Reported`."""
    if not isinstance(chunk, dict):
        raise Malformed(f"a chunk of the stream is not a JSON object: {shown(chunk)}")
    if chunk.get("error"):
        raise Reported(error_in(chunk))
    choice = _first_choice(chunk)
    if arriving.model_id is None or arriving.response_id is None:
        arriving.model_id = arriving.model_id or known_text(chunk.get("model"))
        arriving.response_id = arriving.response_id or known_text(chunk.get("id"))
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
    _check_failure(choice)
    delta = choice.get("delta")
    if not delta:
        delta = choice.get("message")  # some say the whole answer in one event
        if not delta or arriving.began:
            return ()
    if not isinstance(delta, dict):
        raise Malformed(f"a choice of the stream is not a message: {shown(choice)}")
    content = delta.get("content")
    if type(content) is str and len(delta) == 1:  # nearly every chunk
        if not content.isascii() or arriving.halves:
            content = arriving.halves.joined("text", content)
        return arriving.draft.text(content) if content else ()
    events: list[Event] = []
    reasoning, text = words(delta, arriving.details_count)
    if reasoning:
        arriving.details_count = arriving.details_count and not reasoning_in(delta)
        events += arriving.draft.reasoning(arriving.halves.joined("reasoning", reasoning))
    if text:
        events += arriving.draft.text(arriving.halves.joined("text", text))
    refusal = text_at(delta, "refusal")
    if refusal:
        arriving.refused = True
        events += arriving.draft.text(arriving.halves.joined("text", refusal))
    for piece in pieces_in(delta):
        events += arriving.call(piece)
    if not WORDS.issuperset(delta):
        arriving.keep(delta)
        arriving.raw.message(delta)
    return events


def _first_choice(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The choice that is the answer, if there is one. Raises `Malformed`."""
    choices = answer.get("choices")
    if not choices or choices == [None]:
        return None
    if not isinstance(choices, list) or not isinstance(choices[0], dict):
        raise Malformed(f"the answer's choices is not a list of objects: {shown(choices)}")
    first: dict[str, Any] = choices[0]
    if first.get("index"):  # `n` answers share a stream: the first is the answer
        return next((choice for choice in choices if isinstance(choice, dict) and not choice.get("index")), None)
    return first


def _check_failure(choice: Mapping[str, Any]) -> None:
    """Raises `Reported` where the choice is no answer but a failure, whatever stands beside it."""
    error, reason = choice.get("error"), choice.get("finish_reason")
    if error:
        raise Reported(error)
    if isinstance(reason, str) and reason in _FAILURES:
        raise Reported(_FAILURES[reason])


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
