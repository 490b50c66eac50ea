"""One question to a model, complete: the conversation and all that shapes the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from .frozen import EMPTY, FrozenDict
from .message import Message
from .option import canonical
from .response_format import Free, ResponseFormat, as_response_format
from .stop import as_stops
from .tool import Tool


def _messages(messages: Iterable[Message]) -> tuple[Message, ...]:
    if isinstance(messages, (str, Mapping, Message)):
        raise TypeError("messages: Request takes Message values; as_messages(...) reads strings and dicts")
    return tuple(messages)


def _options(options: Mapping[str, Any]) -> FrozenDict:
    return canonical(options)


@attrs.frozen
class Request:
    """What is asked of a model.

    `stop_sequences` end the text before they appear in it; `tool_choice` is `auto`, `none`, `required` or a tool's name;
    `options` go under their canonical names (`max_tokens`, `temperature`, ...), others to the provider untouched.
    Raises ValueError or TypeError, naming the place, for what no model could answer.
    """

    messages: tuple[Message, ...] = attrs.field(converter=_messages)
    stop_sequences: tuple[str, ...] = attrs.field(default=(), converter=as_stops)
    tools: tuple[Tool, ...] = attrs.field(default=(), converter=tuple)
    tool_choice: str | None = attrs.field(default=None)
    response_format: ResponseFormat = attrs.field(factory=Free, converter=as_response_format)
    options: FrozenDict = attrs.field(default=EMPTY, converter=_options)

    @messages.validator
    def _check_messages(self, _: object, messages: tuple[object, ...]) -> None:
        if not messages:
            raise ValueError("messages: there are none; a model needs at least one")
        for at, message in enumerate(messages):
            if not isinstance(message, Message):
                raise TypeError(f"messages[{at}]: {type(message).__name__} is not a Message; see as_messages(...)")

    @tool_choice.validator
    def _check_tool_choice(self, _: object, choice: object) -> None:
        if choice is None or choice in ("auto", "none"):
            return
        names = [tool.name for tool in self.tools]
        if choice == "required" and names or choice in names:
            return
        raise ValueError(f"tool_choice: {choice!r} is not auto, none, required or one of the tools: {names}")
