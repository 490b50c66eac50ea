"""One question to a model, complete: the conversation and all that shapes the answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import attrs

from .fields import short_repr
from .frozen import EMPTY, FrozenDict
from .message import Message, ToolResult
from .options.option import OMIT, canonical, resolve
from .options.option_names import KNOWN
from .response_format import Free, ResponseFormat, as_response_format
from .secrecy import shown
from .stop import as_stops
from .tool import Tool, ToolChoice


def _messages(messages: Iterable[Message]) -> tuple[Message, ...]:
    if isinstance(messages, (str, Mapping, Message)) or not isinstance(messages, Iterable):
        raise TypeError("messages: Request takes Message values; as_messages(...) reads strings and dicts")
    return tuple(messages)


def _tools(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    if isinstance(tools, (str, Mapping, Tool)) or not isinstance(tools, Iterable):
        raise TypeError(f"tools: a list of Tool values, not {tools!r}")
    return tuple(tools)


def _tool_choice(choice: ToolChoice | None) -> Any:
    match choice:
        case Tool():
            return choice.name
        case {"type": "function", "function": {"name": name}}:  # the chat-completions wire
            return name
    return choice


def _options(options: Mapping[str, Any]) -> FrozenDict:
    return canonical(options, known=KNOWN)


def _check_messages(_: object, __: object, messages: Any) -> None:
    if not messages:
        raise ValueError("messages: there are none; a model needs at least one")
    for at, message in enumerate(messages):
        if not isinstance(message, Message):
            raise TypeError(f"messages[{at}]: {type(message).__name__} is not a Message; see as_messages(...)")


def _check_tools(_: object, __: object, tools: Any) -> None:
    names: set[str] = set()
    for at, tool in enumerate(tools):
        if not isinstance(tool, Tool):
            raise TypeError(f"tools[{at}]: {tool!r} is not a Tool; see Tool.from_function(...)")
        if tool.name in names:
            raise ValueError(f"tools[{at}]: {tool.name!r} is there already; each name stands for one tool")
        names.add(tool.name)


def _check_tool_choice(request: Request, _: object, choice: Any) -> None:
    if choice is None or choice in ("auto", "none"):
        return
    names = [tool.name for tool in request.tools]
    if choice == "required" and names or choice in names:
        return
    raise ValueError(f"tool_choice: {choice!r} is not auto, none, required or one of the tools: {names}")


def _check_options(request: Request, _: object, options: FrozenDict) -> None:
    if options.get("grammar") not in (None, OMIT) and not isinstance(request.response_format, Free):
        raise ValueError("options: grammar and response_format are one thing; keep response_format")


@attrs.frozen
class Request:
    """What is asked of a model.

    `stop_sequences` end the text before they appear in it; `tool_choice` is `auto`, `none`, `required` or a tool's
    name;
    `options` are those that some model takes, under their canonical names (`max_tokens`, `temperature`, ...); what only
    a provider knows goes into `extra_body={...}`.
    Raises ValueError or TypeError, naming the place, for what no model could answer.
    """

    messages: tuple[Message, ...] = attrs.field(converter=_messages, validator=_check_messages)
    stop_sequences: tuple[str, ...] = attrs.field(default=(), converter=as_stops)
    tools: tuple[Tool, ...] = attrs.field(default=(), converter=_tools, validator=_check_tools)
    tool_choice: str | None = attrs.field(default=None, converter=_tool_choice, validator=_check_tool_choice)
    response_format: ResponseFormat = attrs.field(factory=Free, converter=as_response_format)
    options: FrozenDict = attrs.field(default=EMPTY, converter=_options, validator=_check_options, repr=shown)

    __repr__ = short_repr

    @cached_property
    def kinds(self) -> frozenset[type]:
        """The types of its messages' parts, and of the parts that tools gave back."""
        kinds: set[type] = {type(part) for message in self.messages for part in message.content}
        if ToolResult in kinds:
            results = (part for message in self.messages for part in message.content if isinstance(part, ToolResult))
            kinds.update(type(inner) for result in results for inner in result.content)
        return frozenset(kinds)


_OTHERS = tuple(field.name for field in attrs.fields(Request) if field.name != "options")


def with_options(request: Request, options: FrozenDict) -> Request:
    """The same request with other options; the rest of it was checked when it was made, message by message."""
    changed = Request.__new__(Request)
    for name in _OTHERS:
        object.__setattr__(changed, name, getattr(request, name))
    object.__setattr__(changed, "options", options)
    return changed


def above(weaker: FrozenDict, request: Request) -> Request:
    """The request as a model answers it that has these weaker options.

    >>> above(canonical({"seed": 7}), Request([Message("user", "Hi")], options={"max_tokens": 5})).options
    {'seed': 7, 'max_tokens': 5}
    """
    return with_options(request, resolve(weaker, request.options)) if weaker else request
