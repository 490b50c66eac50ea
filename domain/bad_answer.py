"""Answers that are no use: what may be wrong with one, and the error that it comes to."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, Literal

from .error import ErrorKind, ModelError, Scope, Sent
from .request import Request
from .response import FinishReason, Response
from .response_format import JsonObject, JsonSchema


class BadAnswer(enum.StrEnum):
    """What may be wrong with an answer, although the provider sees nothing wrong in it.

    `unparseable` is an answer that isn't the JSON that was asked for, or calls a tool with arguments that are none.
    """

    EMPTY = "empty"
    CUT_OFF = "cut_off"
    FILTERED = "filtered"
    UNPARSEABLE = "unparseable"


BadAnswerName = Literal["empty", "cut_off", "filtered", "unparseable"]
OnAnswers = BadAnswer | BadAnswerName | Iterable[BadAnswer | BadAnswerName] | Callable[[Response], bool]
"""What people pass as `on_response=`."""

AnswerFilter = frozenset[BadAnswer] | Callable[[Response], bool]
"""Which answers are bad: those of these kinds, or those of which a function says so."""

_MESSAGES: Final[Mapping[BadAnswer | None, str]] = MappingProxyType(
    {
        BadAnswer.EMPTY: "the answer is empty",
        BadAnswer.CUT_OFF: "the answer was cut off at its most tokens",
        BadAnswer.FILTERED: "the answer was filtered",
        BadAnswer.UNPARSEABLE: "the answer can't be parsed as what was asked for",
        None: "the answer failed its check",
    }
)


def wrong_with(request: Request, response: Response) -> Iterator[BadAnswer]:
    """All that is wrong with this answer to this request.

    >>> from modelport.domain.message import Message
    >>> list(wrong_with(Request([Message("user", "Hi")]), Response.of(" ", finish_reason="length")))
    [<BadAnswer.EMPTY: 'empty'>, <BadAnswer.CUT_OFF: 'cut_off'>]
    """
    if not response.tool_calls and not response.content.strip():
        yield BadAnswer.EMPTY
    if response.finish_reason is FinishReason.LENGTH:
        yield BadAnswer.CUT_OFF
    if response.finish_reason is FinishReason.CONTENT_FILTER:
        yield BadAnswer.FILTERED
    if not _parses(request, response):
        yield BadAnswer.UNPARSEABLE


def _parses(request: Request, response: Response) -> bool:
    try:
        for call in response.tool_calls:
            _ = call.input
        if isinstance(request.response_format, (JsonObject, JsonSchema)) and not response.tool_calls:
            value = json.loads(response.content)
            return isinstance(value, dict) or isinstance(request.response_format, JsonSchema)
    except (ValueError, RecursionError):
        return False
    return True


def bad_answer_error(bad: AnswerFilter, request: Request, response: Response) -> ModelError | None:
    """The error that this answer comes to, its attempts in the ledger; None for a good one."""
    if callable(bad):
        if not bad(response):
            return None
        kind = None
    else:
        kind = next((each for each in wrong_with(request, response) if each in bad), None)
        if kind is None:
            return None
    return ModelError(
        ErrorKind.CONTENT_FILTER if kind is BadAnswer.FILTERED else ErrorKind.MALFORMED_RESPONSE,
        _MESSAGES[kind],
        Scope.REQUEST,
        Sent.YES,
        code=kind,
        model_id=response.model_id,
        attempts=response.attempts,
    )
