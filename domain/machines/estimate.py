"""How many tokens a call will take, before anybody has counted them: a guess to reserve with, and to settle later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from ..error import ErrorKind, ModelError, Sent
from ..frozen import FrozenDict
from ..message import Part, Reasoning, Text, ToolCall, ToolResult
from ..request import Request, above
from ..usage import Usage

Estimate = Callable[[Request], Usage]
"""Guesses what a request will take."""

_BYTES: Final = 4  # of UTF-8 a token: four letters of English, one and a third of Korean
_MESSAGE: Final = 4  # the role, and where a message begins and ends
_MEDIA: Final = 1000
_ANSWER: Final = 500

_WORKED: Final = frozenset({ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT, ErrorKind.MALFORMED_RESPONSE})


def estimated(request: Request) -> Usage:
    """A quarter of the bytes that are sent, and `max_tokens` for the answer, or 500 where nobody says.

    >>> from modelport.domain.message import Message
    >>> estimated(Request([Message("user", "Why is the sky blue?")], options={"max_tokens": 50}))
    Usage(input_tokens=9, output_tokens=50)
    """
    size = _BYTES * _MESSAGE * len(request.messages)
    for message in request.messages:
        for part in message.content:
            size += len(part.text.encode()) if type(part) is Text else _size(part)
    for tool in request.tools:
        size += len(tool.name) + len((tool.description or "").encode()) + len(str(tool.parameters))
    most = request.options.get("max_tokens") if request.options else None
    return Usage(size // _BYTES, most if isinstance(most, int) else _ANSWER)


def _size(part: Part) -> int:
    match part:
        case Text() | Reasoning():
            return len(part.text.encode())
        case ToolCall():
            return len(part.name) + len(part.arguments.encode())
        case ToolResult():
            return sum(map(_size, part.content))
    return _MEDIA * _BYTES


def most_tokens(request: Request, levels: Iterable[FrozenDict], estimate: Estimate = estimated) -> int:
    """The most tokens that a request may take; `levels` are the weaker options of each model that may answer it."""
    return max(estimate(above(weaker, request)).total_tokens for weaker in levels)


def may_have_worked(error: ModelError) -> bool:
    """Whether the provider may have done the work, and so counted it, although there is no answer."""
    return error.kind in _WORKED and error.sent is not Sent.NO


def as_estimate(estimate: Estimate | None, where: str) -> Estimate:
    """What people pass as `estimate=`. Raises TypeError for what can't be asked."""
    if estimate is not None and not callable(estimate):
        raise TypeError(f"{where}: a function from a request to its Usage, not {estimate!r}")
    return estimated if estimate is None else estimate
