"""The blocks of content that a message is on the Messages wire. It is pure, and knows no SDK.

What the domain has no word for travels in `metadata["anthropic"]`: `signature` and `redacted` of a thought, `citations`
of a text or a document, `context`, `title` and `source` of a document, what a call brings besides its name, and a
`block` of another kind as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, assert_never

import attrs

from ...domain.capability import Unsupported
from ...domain.frozen import EMPTY
from ...domain.message import Audio, Document, Image, Message, Part, Reasoning, Role, Text, ToolCall, ToolResult
from ...domain.reading.preparation import CACHE_CONTROL, cache_marker
from ..http.calls import call_id, call_input
from .media import document_source, image_source

__all__ = ["CACHE_CONTROL", "PROVIDER", "Blocks", "blocks"]

PROVIDER: Final = "anthropic"

_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_THOUGHTS: Final = ("thinking", "redacted_thinking")  # which take no cache marker


@attrs.frozen
class Blocks:
    """The blocks of a message: results of tools, which must come first in a turn, and the others."""

    results: list[dict[str, Any]]
    others: list[dict[str, Any]]

    @property
    def markers(self) -> int:
        """How many cache markers are in them."""
        return sum(CACHE_CONTROL in block for block in (*self.results, *self.others))

    def without_markers(self, count: int) -> Blocks:
        """The same without so many of the first markers."""
        left = count

        def unmarked(block: dict[str, Any]) -> dict[str, Any]:
            nonlocal left
            if not left or CACHE_CONTROL not in block:
                return block
            left -= 1
            return {name: value for name, value in block.items() if name != CACHE_CONTROL}

        return Blocks([unmarked(block) for block in self.results], [unmarked(block) for block in self.others])


def blocks(message: Message, where: str) -> Blocks:
    """Those of a message; none where it says nothing. Raises `Unsupported`, naming the place, for what has no block."""
    results: list[dict[str, Any]] = []
    others: list[dict[str, Any]] = []
    for number, part in enumerate(message.content):
        place = f"{where}.content[{number}]"
        _check_side(part, message.role, place)
        block = _block(part, message.role, place)
        if block is None:
            continue
        marker = cache_marker(part)
        if marker is not None and block["type"] not in _THOUGHTS:
            block = {**block, CACHE_CONTROL: marker}
        (results if isinstance(part, ToolResult) else others).append(block)
    marker = cache_marker(message)
    if marker is not None:  # what a message is marked with, its last part is
        for group in (others, results):
            markable = [at for at, block in enumerate(group) if block["type"] not in _THOUGHTS]
            if markable:
                group[markable[-1]] = {CACHE_CONTROL: marker, **group[markable[-1]]}
                break
    return Blocks(results, others)


def own(value: Part) -> Mapping[str, Any]:
    """What a part brings for Anthropic."""
    found = value.metadata.get(PROVIDER) if value.metadata else None
    return found if isinstance(found, Mapping) else EMPTY


def _check_side(part: Part, role: Role, where: str) -> None:
    if role is Role.SYSTEM and not isinstance(part, (Text, Reasoning)):
        raise Unsupported(f"{where}: the system field takes text, and no {type(part).__name__}")
    if role is Role.ASSISTANT and isinstance(part, (Image, Document)):
        raise Unsupported(f"{where}: an assistant's message takes no {type(part).__name__} on this wire")


def _block(part: Part, role: Role | None, where: str) -> dict[str, Any] | None:
    match part:
        case Text():
            return _text(part, role)
        case Reasoning():
            return _thought(part)
        case ToolCall():
            named = {"type": "tool_use", "id": call_id(part.id, _ID), "name": part.name}
            return {**own(part), **named, "input": call_input(part.arguments)}
        case ToolResult():
            return _result(part, where)
        case Image():
            return {"type": "image", "source": own(part).get("source") or image_source(part, where)}
        case Audio():
            raise Unsupported(f"{where}: the Messages API takes no Audio")
        case Document():
            mine = own(part)
            block: dict[str, Any] = {"type": "document", "source": mine.get("source") or document_source(part, where)}
            if part.name is not None:
                block["title"] = part.name
            return {**block, **{name: mine[name] for name in ("citations", "context", "title") if name in mine}}
        case _:
            assert_never(part)


def _text(part: Text, role: Role | None) -> dict[str, Any] | None:
    mine = own(part)
    block = mine.get("block")
    if isinstance(block, Mapping):
        return dict(block)
    if not part.text.strip():
        return None
    wire: dict[str, Any] = {"type": "text", "text": part.text}
    if role is Role.ASSISTANT and mine.get("citations"):  # elsewhere they are refused
        wire["citations"] = mine["citations"]
    return wire


def _thought(part: Reasoning) -> dict[str, Any] | None:
    """A thought goes back as it came where its signature vouches for it; others' are left out."""
    mine = own(part)
    if mine.get("redacted"):
        return {"type": "redacted_thinking", "data": mine["redacted"]}
    if mine.get("signature"):
        return {"type": "thinking", "thinking": part.text, "signature": mine["signature"]}
    return None


def _result(part: ToolResult, where: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for number, inner in enumerate(part.content):
        block = _block(inner, None, f"{where}.content[{number}]")
        if block is not None:
            content.append(block)
    wire: dict[str, Any] = {"type": "tool_result", "tool_use_id": call_id(part.call_id, _ID)}
    inner_marker = next(filter(None, map(cache_marker, reversed(part.content))), None)
    if inner_marker is not None:
        wire[CACHE_CONTROL] = inner_marker
    if content:
        wire["content"] = content
    if part.is_error:
        wire["is_error"] = True
    return wire
