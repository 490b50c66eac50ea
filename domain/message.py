"""A conversation: messages, each of one role, each made of parts.

Every part and message can carry `metadata`: what one provider wants back unread (thought signatures, encrypted
reasoning, cache markers), under that provider's name.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from .frozen import EMPTY, FrozenDict, freeze_mapping


class Role(enum.StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


def _metadata() -> Any:
    return attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)


@attrs.frozen
class Text:
    """Words."""

    text: str = attrs.field(validator=attrs.validators.instance_of(str))
    metadata: FrozenDict = _metadata()


def _one_source(part: Image | Audio | Document, *_: object) -> None:
    if (part.data is None) == (part.url is None):
        kind = type(part).__name__
        raise ValueError(f"{kind} takes exactly one of data= and url=")


def _source() -> Any:
    return attrs.field(default=None, repr=lambda data: "None" if data is None else f"<{len(data)} bytes>")


@attrs.frozen
class Image:
    """A picture: its bytes in their own media type, or the address of it."""

    data: bytes | None = _source()
    url: str | None = attrs.field(default=None, validator=_one_source)
    media_type: str = "image/png"
    detail: str | None = None
    metadata: FrozenDict = _metadata()


@attrs.frozen
class Audio:
    """A sound: its bytes in their own media type, or the address of it."""

    data: bytes | None = _source()
    url: str | None = attrs.field(default=None, validator=_one_source)
    media_type: str = "audio/wav"
    metadata: FrozenDict = _metadata()


@attrs.frozen
class Document:
    """A file to read: its bytes in their own media type, or the address of it."""

    data: bytes | None = _source()
    url: str | None = attrs.field(default=None, validator=_one_source)
    media_type: str = "application/pdf"
    name: str | None = None
    metadata: FrozenDict = _metadata()


@attrs.frozen
class Reasoning:
    """What the model thought before it answered; a signature that vouches for it is in `metadata`."""

    text: str
    metadata: FrozenDict = _metadata()


def _as_json(arguments: str | Mapping[str, Any]) -> str:
    if isinstance(arguments, str):
        return arguments
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))


@attrs.frozen
class ToolCall:
    """The model's wish to have a tool called.

    `arguments` is JSON text exactly as the model wrote it, so that nothing is lost when it is broken off or wrong;
    `input` reads it.
    """

    id: str
    name: str
    arguments: str = attrs.field(default="{}", converter=_as_json)
    metadata: FrozenDict = _metadata()

    @property
    def input(self) -> Mapping[str, Any]:
        """The arguments by name. Raises ValueError, with the text, when they are not a JSON object."""
        try:
            value = json.loads(self.arguments or "{}")
        except ValueError as error:
            raise ValueError(f"tool call {self.name!r}: arguments are not JSON: {self.arguments!r}") from error
        if not isinstance(value, dict):
            raise ValueError(f"tool call {self.name!r}: arguments are not a JSON object: {self.arguments!r}")
        return freeze_mapping(value)


def _parts(content: str | Part | Iterable[Part]) -> tuple[Any, ...]:
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if isinstance(content, PARTS):
        return (content,)
    return tuple(content)


@attrs.frozen
class ToolResult:
    """What a tool gave back for the call with the id `call_id`."""

    call_id: str
    content: tuple[Text | Image | Audio | Document, ...] = attrs.field(default=(), converter=_parts)
    name: str | None = None
    is_error: bool = False
    metadata: FrozenDict = _metadata()

    @property
    def text(self) -> str:
        """All of its text."""
        return "".join(part.text for part in self.content if isinstance(part, Text))


Part = Text | Image | Audio | Document | Reasoning | ToolCall | ToolResult
PARTS = (Text, Image, Audio, Document, Reasoning, ToolCall, ToolResult)


@attrs.frozen
class Message:
    """One turn of a conversation. Text can be given as it is.

    >>> Message("user", "Hello!").text
    'Hello!'
    """

    role: Role = attrs.field(converter=Role)
    content: tuple[Part, ...] = attrs.field(converter=_parts)
    name: str | None = None
    metadata: FrozenDict = _metadata()

    @content.validator
    def _check_content(self, _: object, content: tuple[object, ...]) -> None:
        for at, part in enumerate(content):
            if not isinstance(part, PARTS):
                raise TypeError(f"content[{at}]: {type(part).__name__} is not a part; see as_messages(...)")

    @property
    def text(self) -> str:
        """All of its text, without the reasoning."""
        return "".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in it."""
        return tuple(part for part in self.content if isinstance(part, ToolCall))
