"""What a model declares that it can do, and what a request asks beyond that."""

from __future__ import annotations

import attrs

from .fields import short_repr
from .message import Audio, Document, Image, ToolCall, ToolResult
from .request import Request
from .response_format import feature


@attrs.frozen
class Capabilities:
    """What a model can take and give.

    `max_stops` is how many stop sequences its provider takes: None for any number, 0 for none (the domain enforces the
    rest). `context_window` is in tokens, where it is known.
    """

    tools: bool = False
    images: bool = False
    audio: bool = False
    documents: bool = False
    json_object: bool = False
    json_schema: bool = False
    regex: bool = False
    grammar: bool = False
    max_stops: int | None = None
    context_window: int | None = None
    __repr__ = short_repr


class Unsupported(ValueError):
    """The request holds what this model, or the wire to it, has no way to say."""


def missing(request: Request, capabilities: Capabilities) -> tuple[str, ...]:
    """The capabilities that this request needs and the model hasn't, in the order of their declaration.

    >>> from modelport.domain.message import Message
    >>> missing(Request([Message("user", "hi")], response_format={"type": "json_object"}), Capabilities())
    ('json_object',)
    """
    needed: set[str | None] = {feature(request.response_format)}
    if request.tools:
        needed.add("tools")
    needed.update(map(_PART_NEEDS.get, request.kinds))
    return tuple(name for name in FEATURES if name in needed and not getattr(capabilities, name))


_PART_NEEDS: dict[type, str] = {
    Image: "images",
    Audio: "audio",
    Document: "documents",
    ToolCall: "tools",
    ToolResult: "tools",
}
FEATURES = ("tools", "images", "audio", "documents", "json_object", "json_schema", "regex", "grammar")
"""The capabilities that a request may ask for, in the order of their declaration."""
