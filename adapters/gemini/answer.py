"""The answer on Gemini's wire: JSON, whole or in chunks of the same form, as a `Response` or as events.

Pure; knows no SDK. What it can't read is `Malformed`; an error that stands where the answer should is `Reported`, and
an answer that is none `NoAnswer`. Parts that the domain has no word for (code that was run, searches) are kept whole in
the metadata of an empty `Reasoning`, which no other provider is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from ...domain.answer_builder import AnswerBuilder, trimmed
from ...domain.error import ErrorKind
from ...domain.event import Event
from ...domain.frozen import FrozenDict
from ...domain.message import Message, Role
from ...domain.response import FinishReason, Response
from ..chat.answer import Reported
from ..chat.calls import MadeUp, made_up_id
from ..chat.errors import error_in
from ..chat.json import Halves, parse, shown
from ..chat.words import known_text
from ..http.http_errors import Malformed
from .parts import Parts, call_of
from .raw import Raw
from .usage import usage_of


class NoAnswer(Exception):
    """Gemini gave no answer, and a word for why: it blocked the question, or what the model made was unusable."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(f"{word}: {message}" if message else word)
        self.word = word


_FILTERED: Final = (
    "BLOCKLIST ESCALATION IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION IMAGE_SAFETY LANGUAGE MODEL_ARMOR "
    "PROHIBITED_CONTENT RECITATION SAFETY SPII"
)
FINISH_REASONS: Final[Mapping[str, FinishReason]] = FrozenDict(
    {
        # ai.google.dev/api/generate-content, FinishReason, and Vertex AI's
        "STOP": FinishReason.STOP,
        "MAX_TOKENS": FinishReason.LENGTH,
        "CONTINUATION": FinishReason.LENGTH,
        **dict.fromkeys(_FILTERED.split(), FinishReason.CONTENT_FILTER),
        "FINISH_REASON_UNSPECIFIED": FinishReason.OTHER,
        "IMAGE_OTHER": FinishReason.OTHER,
        "NO_IMAGE": FinishReason.OTHER,
        "OTHER": FinishReason.OTHER,
        "TOO_MANY_TOOL_CALLS": FinishReason.OTHER,
    }
)
"""What each finish reason means; another one that isn't a failure is `other`."""

FAILURES: Final[Mapping[str, ErrorKind]] = FrozenDict(
    {
        "MALFORMED_FUNCTION_CALL": ErrorKind.MALFORMED_RESPONSE,
        "MALFORMED_RESPONSE": ErrorKind.MALFORMED_RESPONSE,
        "UNEXPECTED_TOOL_CALL": ErrorKind.MALFORMED_RESPONSE,
        "MISSING_THOUGHT_SIGNATURE": ErrorKind.INVALID_REQUEST,
        "PUP_LIMITED_DISABLED": ErrorKind.PERMISSION,
    }
)
"""The finish reasons of what is no answer, and the kinds of error that they are."""


def decode(body: bytes, stops: tuple[str, ...] = (), made_up: MadeUp = made_up_id) -> Response:
    """A whole answer, cut at the first of the stops. Raises `Malformed`, `Reported` or `NoAnswer`."""
    try:
        answer = parse(body, whole=True)
    except ValueError:
        raise Malformed(f"the answer is not JSON: {shown(body)}" if body.strip() else "the answer is empty") from None
    chunks = answer if isinstance(answer, list) else [answer]  # a server that knows no events streams a list
    arriving = Arriving((), made_up)
    for chunk in chunks:
        decode_event(chunk, arriving)
    if not arriving.complete:
        raise Malformed(f"the answer has no candidate that ended: {shown(answer)}")
    return trimmed(arriving.response(answer if isinstance(answer, dict) else None), stops)


class Arriving:
    """What a stream has said so far. It belongs to one call, and is fed by `decode_event`."""

    __slots__ = ("_halves", "_made_up", "draft", "ended", "finish_reason", "parts", "raw", "usage")

    def __init__(self, stops: tuple[str, ...] = (), made_up: MadeUp = made_up_id) -> None:
        self.draft = AnswerBuilder(stops)
        self._made_up = made_up
        self._halves = Halves()
        self.ended = False  # the wire has no word for it: the last chunk is the one that nothing follows
        self.finish_reason: str | None = None
        self.parts = Parts()
        self.usage: dict[str, Any] = {}
        self.raw = Raw()

    @property
    def complete(self) -> bool:
        """Whether the server said why it ended, or a stop has ended the text."""
        return self.finish_reason is not None or self.draft.stopped_by is not None

    def response(self, raw: Mapping[str, Any] | None = None) -> Response:
        """The answer as its parts make it, whatever stops are in it; `raw` is what came, whole. Raises `Malformed`."""
        message = Message(Role.ASSISTANT, [*self.parts.read(self._made_up)])
        reason = FINISH_REASONS.get(self.finish_reason or "", FinishReason.OTHER)
        if reason is FinishReason.STOP and message.tool_calls:
            reason = FinishReason.TOOL_CALLS
        model_id, response_id = (known_text(self.raw.fields.get(name)) for name in ("modelVersion", "responseId"))
        if raw is None:
            raw = self.raw.answer(self.parts.wire(), self.usage)
        return Response(message, reason, None, usage_of(self.usage), model_id, response_id, raw=raw)

    def finish(self) -> list[Event]:
        """The last events, once it is `complete`."""
        events: list[Event] = []
        for part in ({"text": "\ufffd", "thought": True}, {"text": "\ufffd"}):
            if self._halves.left("thought" in part):
                events += self._said(part, "\ufffd", "thought" in part)
        events += self.draft.close()
        answer = self.response()
        last = self.draft.finish(
            answer.finish_reason,
            usage=answer.usage,
            model_id=answer.model_id,
            response_id=answer.response_id,
            message=answer.message,
        )
        return [*events, attrs.evolve(last, response=attrs.evolve(last.response, raw=answer.raw))]

    def text(self, part: Mapping[str, Any], text: str) -> Sequence[Event]:
        """The events of a text. Half a character at its end waits for the other."""
        is_thought = part.get("thought") is True
        if not text.isascii() or self._halves:
            text = self._halves.joined(is_thought, text)
        return self._said(part, text, is_thought)

    def _said(self, part: Mapping[str, Any], text: str, is_thought: bool) -> Sequence[Event]:
        self.parts.text(part, text, is_thought)
        if not text:
            return ()
        return self.draft.reasoning(text) if is_thought else self.draft.text(text)

    def call(self, call: Mapping[str, Any]) -> Sequence[Event]:
        """The events of a function call, which comes whole. Raises `Malformed`."""
        number, self.parts.calls = self.parts.calls, self.parts.calls + 1
        id_, name, arguments = call_of(call)
        return self.draft.tool_call(number, id_ or self._made_up(number), name, arguments)


def decode_event(chunk: object, arriving: Arriving) -> Sequence[Event]:
    """The events of one chunk, or of a whole answer. Raises `Malformed`, `Reported` or `NoAnswer`."""
    if not isinstance(chunk, dict):
        raise Malformed(f"the answer is not a JSON object: {shown(chunk)}")
    if chunk.get("error"):
        raise Reported(error_in(chunk))
    usage = chunk.get("usageMetadata")
    if isinstance(usage, dict):  # it grows from chunk to chunk, and later ones lack members of earlier ones
        arriving.usage.update(usage)
    arriving.raw.heed(chunk)
    candidate = _first_candidate(chunk)
    if candidate is None:
        _check_feedback(chunk.get("promptFeedback"))
        return ()
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    events: list[Event] = []
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, dict):
            raise Malformed(f"a part of the answer is not a JSON object: {shown(part)}")
        text, call = part.get("text"), part.get("functionCall")
        if isinstance(text, str):
            events += arriving.text(part, text)
        elif part:
            arriving.parts.other(part)
            events += arriving.call(call) if isinstance(call, dict) else ()
    if candidate.keys() != _CONTENT:
        arriving.raw.candidate(candidate)
        _heed_end(candidate, arriving)
    return events


_CONTENT: Final = {"content", "index"}


def _heed_end(candidate: Mapping[str, Any], arriving: Arriving) -> None:
    """Remember why it ended. Raises `NoAnswer` where what has come is none."""
    reason = candidate.get("finishReason")
    if not isinstance(reason, str) or not reason:
        return
    arriving.finish_reason = word = reason.upper()  # the SDK reads it in any case, and so gateways write it
    if word in FAILURES:
        raise NoAnswer(word, known_text(candidate.get("finishMessage")) or "")


def _first_candidate(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    candidates = answer.get("candidates")
    if not isinstance(candidates, list):
        return None
    return next((each for each in candidates if isinstance(each, dict) and not each.get("index")), None)


def _check_feedback(feedback: object) -> None:
    """Raises `NoAnswer` where the question was blocked."""
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if isinstance(feedback, dict) and isinstance(reason, str):
        raise NoAnswer(reason, known_text(feedback.get("blockReasonMessage")) or "the question was blocked")
