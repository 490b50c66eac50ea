"""The answer on the Responses wire: JSON, whole or in events, as a `Response` or as events. Pure; knows no SDK.

What it can't read is `Malformed`; an error that stands where the answer should is `Reported`. The last event of a
stream holds the whole answer, which is what the stream comes to: reasoning is encrypted anew from event to event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ....domain.answer_builder import trimmed
from ....domain.frozen import FrozenDict
from ....domain.message import Message, Role
from ....domain.response import FinishReason, Response
from ....domain.usage import Usage
from ...chat.answer import Reported, answer_in
from ...chat.calls import MadeUp, made_up_id
from ...chat.json import shown
from ...chat.usage import usage_of
from ...chat.words import entries, known_text
from ...http.http_errors import CutOff, Malformed
from .items import is_refusal, parts_of

INCOMPLETE: Final[Mapping[str, FinishReason]] = FrozenDict(
    {"max_output_tokens": FinishReason.LENGTH, "content_filter": FinishReason.CONTENT_FILTER}
)
"""What the reason of an incomplete answer means; another one is `other`."""

_UNFINISHED: Final = ("queued", "in_progress")


def decode(body: bytes, stops: tuple[str, ...] = (), made_up: MadeUp = made_up_id, at: str | None = None) -> Response:
    """A whole answer of the host `at`, cut at the first of the stops. Raises `Malformed`, `Reported` or `CutOff`."""
    answer = answer_in(body)
    check(answer)
    if not isinstance(answer.get("output"), list):
        raise Malformed(f"the answer has no output: {shown(answer)}")
    if answer.get("status") in _UNFINISHED:
        raise Malformed(f"the answer isn't there yet: its status is {answer['status']}, and nobody waits for it here")
    return trimmed(response_of(answer, made_up, at), stops)


def check(answer: Mapping[str, Any]) -> None:
    """Raises `Reported` or `CutOff` where it is no answer but a failure."""
    if answer.get("error"):
        raise Reported(answer["error"])
    if answer.get("status") == "failed":
        raise Reported({"message": "the response failed, and the server doesn't say why", "code": "server_error"})
    if answer.get("status") == "cancelled":
        raise CutOff("the response was cancelled")


def response_of(answer: Mapping[str, Any], made_up: MadeUp, at: str | None) -> Response:
    """The answer that this object is, with all that has come of it."""
    output = entries(answer.get("output"))
    message = Message(Role.ASSISTANT, parts_of(output, made_up, at))
    return Response(
        message,
        _finish_reason(answer, bool(message.tool_calls), output),
        usage=_usage(answer.get("usage")),
        model_id=known_text(answer.get("model")),
        response_id=known_text(answer.get("id")),
        raw=answer,
    )


def _finish_reason(answer: Mapping[str, Any], has_calls: bool, output: Sequence[Mapping[str, Any]]) -> FinishReason:
    if any(is_refusal(piece) for item in output for piece in entries(item.get("content"))):
        return FinishReason.CONTENT_FILTER
    status = answer.get("status", "completed")
    if status == "incomplete":
        details = answer.get("incomplete_details")
        reason = known_text(details.get("reason")) if isinstance(details, Mapping) else None
        return INCOMPLETE.get(reason or "", FinishReason.OTHER)
    if status != "completed":
        return FinishReason.OTHER
    return FinishReason.TOOL_CALLS if has_calls else FinishReason.STOP


def _usage(usage: object) -> Usage | None:
    """The tokens, which this wire counts under other names than that of chat completions."""
    if not isinstance(usage, Mapping):
        return None
    return usage_of(
        {
            "prompt_tokens": usage.get("input_tokens"),
            "prompt_tokens_details": usage.get("input_tokens_details"),
            "completion_tokens": usage.get("output_tokens"),
            "completion_tokens_details": usage.get("output_tokens_details"),
        }
    )
