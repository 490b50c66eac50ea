"""Each call is one line in the log: what was asked of whom, what came of it, how long it took and what it cost.

The line is JSON, and the same fields are in the record's `modelport` for whoever formats logs himself. What was said is
left out unless it is asked for, and no secret is in it. Nothing is put together for a level that is off.
"""

from __future__ import annotations

import logging
from typing import Any

import attrs
from returns.result import Result

from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...domain.error import ModelError
from ...domain.event import Delta
from ...domain.forms.redaction import redacted
from ...domain.message import Message, Text, ToolCall, as_json
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, Rehearsal
from ..stack.opened import Said, T, heard
from ..stack.policy import Call, Decorated, Opening
from .known_secrets import known_secrets

_CUT_SHORT = "cut_short"


@attrs.frozen
class _LogLine:
    """The text of a line, put together when a handler wants it."""

    fields: dict[str, Any]

    def __str__(self) -> str:
        return as_json(self.fields)


@attrs.frozen(repr=False)
class Log(LayerPolicy):
    """What `with_log` does on each call."""

    logger: str = "modelport"
    level: int = logging.INFO
    content: bool = False
    clock: Clock = SYSTEM_CLOCK

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.logger, str):
            raise TypeError(f"with_log: logger is the name of one, such as 'modelport', not {self.logger!r}")
        if isinstance(self.level, bool) or not isinstance(self.level, int):
            raise TypeError(f"with_log: level is a number, such as logging.INFO, not {self.level!r}")

    def rehearsed(self, at: Rehearsal) -> None:
        """A rehearsal isn't logged."""

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, and its line in the log when it is over."""
        logger = logging.getLogger(self.logger)
        if not logger.isEnabledFor(max(self.level, logging.WARNING)):
            return await call(model, request)
        line = _LoggedCall(self, logger, model, request, isinstance(call, Opening))
        return await heard(call(model, request), line)


class _LoggedCall:
    """One call while it is made."""

    __slots__ = ("_began", "_first", "_log", "_logger", "_model", "_outcome", "_request", "_streamed")

    def __init__(self, log: Log, logger: logging.Logger, model: Model, request: Request, streamed: bool) -> None:
        self._log, self._logger, self._model = log, logger, model
        self._request, self._streamed = request, streamed
        self._outcome: Response | ModelError | None = None
        self._first: float | None = None
        self._began = log.clock.now()

    def saw(self, event: Delta, /) -> None:
        if self._first is None:
            self._first = self._log.clock.now() - self._began

    def ended(self, outcome: Said, /) -> Said:
        self._outcome = outcome
        return outcome

    def release(self) -> None:
        level = self._log.level if isinstance(self._outcome, Response) else max(self._log.level, logging.WARNING)
        if self._logger.isEnabledFor(level):
            fields = self._fields(self._log.clock.now() - self._began)
            self._logger.log(level, "%s", _LogLine(fields), extra={"modelport": fields})

    def _fields(self, seconds: float) -> dict[str, Any]:
        outcome = self._outcome
        attempts = outcome.attempts if outcome is not None else ()
        last = attempts[-1] if attempts else self._model
        fields: dict[str, Any] = {
            "outcome": _CUT_SHORT if outcome is None else "answered",
            "provider": getattr(last, "provider", None),
            "model": getattr(last, "model_id", None),
            "streamed": self._streamed,
            "seconds": round(seconds, 6),
            "first_event": None if self._first is None else round(self._first, 6),
            "attempts": len(attempts),
            "waited": round(sum(wait.seconds for attempt in attempts for wait in attempt.waits), 6),
        }
        if isinstance(outcome, Response):
            fields |= {
                "model": outcome.model_id or fields["model"],
                "finish_reason": outcome.finish_reason.value,
                "response_id": outcome.response_id,
            }
            if outcome.usage is not None:
                fields |= {"input_tokens": outcome.usage.input_tokens, "output_tokens": outcome.usage.output_tokens}
        elif outcome is not None:
            fields |= {
                "outcome": outcome.kind.value,
                "error": outcome.message,
                "status": outcome.status,
                "code": outcome.code,
                "request_id": outcome.request_id,
            }
        if self._log.content:
            fields["messages"] = [_words(message) for message in self._request.messages]
            fields["answer"] = _words(outcome.message) if isinstance(outcome, Response) else None
        if self._log.content or isinstance(outcome, ModelError):
            fields = redacted(fields, known_secrets(self._model))
        return {name: value for name, value in fields.items() if value is not None}


def _words(message: Message) -> dict[str, Any]:
    """What is said in it: its text and calls of tools, and how much else there is."""
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    others = sum(not isinstance(part, (Text, ToolCall)) for part in message.content)
    words = {"role": message.role.value, "text": message.text, "tool_calls": calls, "other_parts": others}
    return {name: value for name, value in words.items() if value or name == "text"}


@makes_layer
def with_log(
    logger: str = "modelport", *, level: int = logging.INFO, content: bool = False, clock: Clock = SYSTEM_CLOCK
) -> LayerOf[Log]:
    """A layer that writes one line for each call to this logger of the standard library.

    An answer is written at `level`; a failure, or a call that was cut short, at WARNING at least. With `content`, the
    messages and the answer are in it. Raises TypeError on what is no name and no level.
    """
    log = Log(logger, level, content, clock)
    return lambda model: Decorated(model, log, clock)
