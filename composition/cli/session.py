"""A conversation with a chosen model: each question goes with all that went before, and its answer is kept.

Tools that the model calls are run, and their results sent back, until it answers or has had its rounds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

import attrs

from ...domain.error import ModelError
from ...domain.event import Failed, Finished, TextDelta
from ...domain.frozen import EMPTY
from ...domain.message import Message, Part, Role
from ...domain.request import Request
from ...domain.response import Response
from ...domain.response_format import Free, ResponseFormat
from ...domain.tool import Tool
from ..stack.blocking import blocking
from .demonstration import REPEATS
from .display.repetition import repeats_itself
from .display.screens import Screen
from .exits import complain
from .inputs.tool_functions import Functions, called
from .model_choice import Choice


@attrs.frozen
class Asked:
    """How every question of a conversation is asked."""

    choice: Choice
    stop: tuple[str, ...] = ()
    options: Mapping[str, Any] = EMPTY
    response_format: ResponseFormat = attrs.field(factory=Free)
    functions: Functions = EMPTY
    rounds: int = 5

    def request(self, messages: Iterable[Message]) -> Request:
        """The request of these messages. Raises ValueError or TypeError for what no model could answer."""
        tools = tuple(Tool.from_function(function) for function in self.functions.values())
        return Request(tuple(messages), self.stop, tools, None, self.response_format, self.options)


@attrs.define
class Session:
    """The conversation so far."""

    asked: Asked
    messages: tuple[Message, ...] = ()

    def ask(self, parts: Iterable[Part], screen: Screen) -> tuple[Request, Response | ModelError]:
        """The last request, and what came of it. A question that failed is forgotten.

        What interrupts the answer goes through; what was shown of it is kept.
        """
        request = self.asked.request((*self.messages, Message(Role.USER, tuple(parts))))
        outcome = self._answer(request, screen)
        rounds = 0
        while isinstance(outcome, Response) and outcome.tool_calls:
            if rounds == self.asked.rounds:
                complain(f"(it wants more tools after {rounds} rounds; --rounds allows more)")
                break
            rounds += 1
            request = self.asked.request((*request.messages, outcome.message, *self._results(outcome)))
            outcome = self._answer(request, screen)
        if isinstance(outcome, Response):
            self.messages = (*request.messages, outcome.message)
        return request, outcome

    def _answer(self, request: Request, screen: Screen) -> Response | ModelError:
        text = ""
        outcome: Response | ModelError | None = None
        try:
            with closing(blocking(self.asked.choice.model).stream(request)) as events:
                for event in events:
                    match event:
                        case TextDelta():
                            text += event.text
                            screen.show(event.text)
                            if self.asked.choice.is_demonstration and repeats_itself(text):
                                break
                        case Finished():
                            outcome = event.response
                        case Failed():
                            outcome = event.error
        except KeyboardInterrupt:
            self.messages = (*request.messages, Message(Role.ASSISTANT, text)) if text else self.messages
            raise
        finally:
            screen.close(complete=isinstance(outcome, Response) and not outcome.tool_calls)
        if outcome is None:
            complain(REPEATS)
            return Response.of(text, finish_reason="other", model_id=self.asked.choice.name)
        return outcome

    def _results(self, response: Response) -> Iterator[Message]:
        for call in response.tool_calls:
            complain(f"({call.name} {_short(call.arguments)})")
            result = called(call, self.asked.functions)
            complain(f"({call.name} {'failed' if result.is_error else 'gave'}: {_short(result.text)})")
            yield Message(Role.TOOL, (result,))


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:97]}..."


def ledger(response: Response) -> str:
    """A line of what an answer took: the model, seconds, tokens, and each attempt.

    >>> ledger(Response.of("Hi!"))
    '(0 attempts)'
    """
    said: list[str] = []
    attempts = response.attempts
    if attempts:
        said += [f"{attempts[-1].provider or ''}:{attempts[-1].model_id or ''}".strip(":")]
        said += [f"{attempts[-1].started + attempts[-1].duration - attempts[0].started:.1f} s"]
    if response.usage is not None:
        said += [f"{response.usage.input_tokens} tokens read, {response.usage.output_tokens} written"]
    outcomes = ", ".join(attempt.outcome for attempt in attempts)
    said += [f"{len(attempts)} attempt{'' if len(attempts) == 1 else 's'}{f': {outcomes}' if outcomes else ''}"]
    return f"({'; '.join(filter(None, said))})"
