"""A conversation: messages, each of one role, each made of parts.

Every part and message can carry `metadata`: what one provider wants back unread (thought signatures, encrypted
reasoning), under that provider's name. A cache marker concerns them all, and stands under `cache_control`.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NoReturn

import attrs

from .fields import short_repr
from .frozen import EMPTY, FrozenDict, freeze_mapping


class Role(enum.StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise ValueError(f"unknown role {value!r}; a role is one of {', '.join(cls)}")


RoleName = Literal["system", "user", "assistant", "tool"]


def _role(role: Role | RoleName) -> Role:
    return role if type(role) is Role else Role(role)


@attrs.frozen
class Text:
    """Words."""

    text: str = attrs.field(validator=attrs.validators.instance_of(str))
    metadata: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)


def _one_source(part: Image | Audio | Document, _: object, url: Any) -> None:
    if (part.data is None) == (url is None):
        kind = type(part).__name__
        raise ValueError(f"{kind} takes exactly one of data= and url=")


def _bytes(data: Any) -> bytes | None:
    if data is None or type(data) is bytes:
        return data
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"data= takes bytes, not {type(data).__name__}; an address goes into url=")


def _size(data: bytes | None) -> str:
    return "None" if data is None else f"<{len(data)} bytes>"


@attrs.frozen
class Image:
    """A picture: its bytes in their own media type, or the address of it."""

    data: bytes | None = attrs.field(default=None, converter=_bytes, repr=_size)
    url: str | None = attrs.field(default=None, validator=_one_source)
    media_type: str = "image/png"
    detail: str | None = None
    metadata: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)
    __repr__ = short_repr


@attrs.frozen
class Audio:
    """A sound: its bytes in their own media type, or the address of it."""

    data: bytes | None = attrs.field(default=None, converter=_bytes, repr=_size)
    url: str | None = attrs.field(default=None, validator=_one_source)
    media_type: str = "audio/wav"
    metadata: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)
    __repr__ = short_repr


@attrs.frozen
class Document:
    """A file to read: its bytes in their own media type, or the address of it."""

    data: bytes | None = attrs.field(default=None, converter=_bytes, repr=_size)
    url: str | None = attrs.field(default=None, validator=_one_source)
    media_type: str = "application/pdf"
    name: str | None = None
    metadata: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)
    __repr__ = short_repr


@attrs.frozen
class Reasoning:
    """What the model thought before it answered; a signature that vouches for it is in `metadata`."""

    text: str
    metadata: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)


def as_json(value: Any) -> str:
    """A value as JSON text, with characters as they are where that is possible."""
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        written.encode()
    except UnicodeEncodeError:  # half a character can only be written as an escape
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    return written


def _arguments(arguments: str | Mapping[str, Any]) -> str:
    return arguments if isinstance(arguments, str) else as_json(arguments)


@attrs.frozen
class ToolCall:
    """The model's wish to have a tool called.

    `arguments` is JSON text exactly as the model wrote it, so that nothing is lost when it is broken off or wrong;
    `input` reads it.
    """

    id: str
    name: str
    arguments: str = attrs.field(default="{}", converter=_arguments)
    metadata: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)

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
    if isinstance(content, (tuple, list)):
        return tuple(content)
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if isinstance(content, PARTS):
        return (content,)
    if not isinstance(content, Iterable) or isinstance(content, (bytes, bytearray, memoryview, Mapping)):
        raise TypeError(f"content: {type(content).__name__} is no text and no parts; see as_messages(...)")
    return tuple(content)


def _check_parts(_: object, __: object, content: Any) -> None:
    for at, part in enumerate(content):
        if not isinstance(part, PARTS):
            raise TypeError(f"content[{at}]: {type(part).__name__} is not a part; see as_messages(...)")


def _shown(parts: tuple[Any, ...]) -> str:
    """Text alone is shown as it can be given."""
    return repr(parts[0].text if len(parts) == 1 and isinstance(parts[0], Text) else parts)


@attrs.frozen
class ToolResult:
    """What a tool gave back for the call with the id `call_id`."""

    call_id: str
    content: tuple[Text | Image | Audio | Document, ...] = attrs.field(
        default=(), converter=_parts, validator=_check_parts, repr=_shown
    )
    name: str | None = None
    is_error: bool = False
    metadata: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)
    __repr__ = short_repr

    @property
    def text(self) -> str:
        """All of its text."""
        return "".join(part.text for part in self.content if isinstance(part, Text))


Part = Text | Image | Audio | Document | Reasoning | ToolCall | ToolResult
PARTS = (Text, Image, Audio, Document, Reasoning, ToolCall, ToolResult)


class _Written:
    """Keeps what others have written of a value, by whom it is for, as long as it lives.

    It is no part of the value: what compares, shows, copies or pickles that doesn't see it.
    """

    __slots__ = ("written",)

    written: dict[object, Any]


def keep_written(value: _Written, to: object, written: Any) -> None:
    """Keep this in `value.written`, which is there from the first time on."""
    if not hasattr(value, "written"):
        object.__setattr__(value, "written", {})
    value.written[to] = written


@attrs.frozen
class Message(_Written):
    """One turn of a conversation. Text can be given as it is.

    >>> Message("user", "Hello!").text
    'Hello!'
    """

    role: Role = attrs.field(converter=_role)
    content: tuple[Part, ...] = attrs.field(converter=_parts, validator=_check_parts, repr=_shown)
    name: str | None = None
    metadata: FrozenDict = attrs.field(default=EMPTY, converter=freeze_mapping, kw_only=True, repr=False)
    __repr__ = short_repr

    @property
    def text(self) -> str:
        """All of its text, without the reasoning."""
        return "".join(part.text for part in self.content if isinstance(part, Text))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in it."""
        return tuple(part for part in self.content if isinstance(part, ToolCall))
