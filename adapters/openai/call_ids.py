"""Ids of tool calls for a server that takes no others: letters and digits, and so many of them."""

from __future__ import annotations

import hashlib
import string
from typing import Any, Final

import attrs

from ...domain.message import Message, ToolCall, ToolResult

_SIGNS: Final = string.digits + string.ascii_letters


def call_id(id_: str, length: int) -> str:
    """The id if it fits, else one of that length, the same for the same id.

    >>> call_id("D681PevKs", 9), len(call_id("call_123", 9))
    ('D681PevKs', 9)
    """
    if len(id_) == length and id_.isascii() and id_.isalnum():
        return id_
    number = int.from_bytes(hashlib.sha256(id_.encode(errors="surrogatepass")).digest())
    signs: list[str] = []
    for _ in range(length):
        number, sign = divmod(number, len(_SIGNS))
        signs.append(_SIGNS[sign])
    return "".join(signs)


def with_call_ids(message: Message, length: int) -> Message:
    """The message with such ids in its calls and its results; itself if they fit."""
    content = tuple(_fitting(part, length) for part in message.content)
    return message if content == message.content else attrs.evolve(message, content=content)


def _fitting(part: Any, length: int) -> Any:
    match part:
        case ToolCall():
            return attrs.evolve(part, id=call_id(part.id, length))
        case ToolResult():
            return attrs.evolve(part, call_id=call_id(part.call_id, length))
        case _:
            return part
