"""What can be wrong with an answer, although the provider sees nothing wrong in it."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from .error import ErrorKind, ModelError, Scope, Sent
from .request import Request
from .response import FinishReason, Response
from .response_format import JsonObject, JsonSchema


class Shortcoming(enum.StrEnum):
    """What is wrong with an answer.

    `unparseable` is an answer that isn't the JSON that was asked for, or calls a tool with arguments that are none.
    """

    EMPTY = "empty"
    CUT_OFF = "cut_off"
    FILTERED = "filtered"
    UNPARSEABLE = "unparseable"


Bad = frozenset[Shortcoming] | Callable[[Response], bool]
"""Which answers are bad: those with one of these shortcomings, or those of which a function says so."""

_SAID: Final[Mapping[Shortcoming | None, str]] = MappingProxyType(
    {
        Shortcoming.EMPTY: "the answer is empty",
        Shortcoming.CUT_OFF: "the answer was cut off at its most tokens",
        Shortcoming.FILTERED: "the answer was filtered",
        Shortcoming.UNPARSEABLE: "the answer can't be parsed as what was asked for",
        None: "the answer was found wanting",
    }
)


def shortcomings(request: Request, response: Response) -> Iterator[Shortcoming]:
    """All that is wrong with this answer to this request.

    >>> from modelport.domain.message import Message
    >>> list(shortcomings(Request([Message("user", "Hi")]), Response.of(" ", finish_reason="length")))
    [<Shortcoming.EMPTY: 'empty'>, <Shortcoming.CUT_OFF: 'cut_off'>]
    """
    if not response.tool_calls and not response.content.strip():
        yield Shortcoming.EMPTY
    if response.finish_reason is FinishReason.LENGTH:
        yield Shortcoming.CUT_OFF
    if response.finish_reason is FinishReason.CONTENT_FILTER:
        yield Shortcoming.FILTERED
    if not _parses(request, response):
        yield Shortcoming.UNPARSEABLE


def _parses(request: Request, response: Response) -> bool:
    try:
        for call in response.tool_calls:
            _ = call.input
        if isinstance(request.response_format, (JsonObject, JsonSchema)) and not response.tool_calls:
            said = json.loads(response.content)
            return isinstance(said, dict) or isinstance(request.response_format, JsonSchema)
    except (ValueError, RecursionError):
        return False
    return True


def found_bad(bad: Bad, request: Request, response: Response) -> ModelError | None:
    """The error that this answer comes to, its attempts in the ledger; None for a good one."""
    if callable(bad):
        if not bad(response):
            return None
        found = None
    else:
        found = next((each for each in shortcomings(request, response) if each in bad), None)
        if found is None:
            return None
    return ModelError(
        ErrorKind.CONTENT_FILTER if found is Shortcoming.FILTERED else ErrorKind.MALFORMED_RESPONSE,
        _SAID[found],
        Scope.REQUEST,
        Sent.YES,
        code=found,
        model_id=response.model_id,
        attempts=response.attempts,
    )
