"""A conversation with a chosen model: each question goes with all that went before, and its answer is kept.

Tools that the model calls are run, and their results sent back, until it answers. When it has had its rounds, it is
asked for an answer without any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, Literal

import attrs

from ...domain.error import ModelError
from ...domain.event import Failed, Finished, TextDelta
from ...domain.frozen import EMPTY
from ...domain.message import Message, Part, Role
from ...domain.request import Request
from ...domain.response import FinishReason, Response
from ...domain.response_format import Free, ResponseFormat
from ...domain.tool import Tool
from ..stack.blocking import blocking
from .demonstration import REPEATS
from .display.repetition import repeats_itself
from .display.screens import Screen
from .exits import Ended, complain
from .inputs.tool_calls import called
from .inputs.tool_functions import Functions
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
    check: Callable[[str], str | None] | None = None
    """Why a text isn't what the response format asks for."""

    def request(self, messages: Iterable[Message], tool_choice: Literal["none"] | None = None) -> Request:
        """The request of these messages. Raises ValueError or TypeError for what no model could answer."""
        tools = tuple(Tool.from_function(function) for function in self.functions.values())
        return Request(tuple(messages), self.stop, tools, tool_choice, self.response_format, self.options)

    def reason(self, response: Response) -> str | None:
        """Why this is no answer to what was asked; None where it is one."""
        if response.tool_calls:
            rounds = f"{self.rounds} round{'' if self.rounds == 1 else 's'}"
            return f"there is no answer: the model wants more tools after {rounds}; --rounds allows more"
        if not response.content.strip() and response.stopped_by is None:
            return f"there is no answer: the model wrote nothing, and ended with {response.finish_reason}"
        wrong = None if self.check is None else self.check(response.content)
        if wrong is None:
            return None
        hint = "; it was cut off, --max-tokens allows more" if response.finish_reason is FinishReason.LENGTH else ""
        return f"the answer isn't what --schema asks for: {_short(wrong, 500)}{hint}"


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
        left = self.asked.rounds
        while left and isinstance(outcome, Response) and outcome.tool_calls:
            left -= 1
            messages = (*request.messages, outcome.message, *self._results(outcome))
            request = self.asked.request(messages, None if left else "none")
            outcome = self._answer(request, screen)
        if isinstance(outcome, Response) and not outcome.tool_calls:
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
        except Ended:
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


def _short(text: str, most: int = 100) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


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
