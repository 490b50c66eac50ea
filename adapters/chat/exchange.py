"""One call over the chat-completions wire, whole or streamed, whatever carries the bytes."""

from __future__ import annotations

from functools import cached_property

from ...domain.options.option import canonical
from ...domain.request import Request
from ...domain.response import Response
from ..http import posted
from ..http.bounds import BOUNDS, Bounds
from ..http.model import ApiModel
from .answer import Arriving, decode
from .calls import made_up_after
from .calls_in_text import CallsInText, InText
from .stream import Reader

WITH_USAGE = canonical({"stream_options": {"include_usage": True}})
"""The option that makes a server say what a streamed answer has cost."""


class ChatExchange(posted.PostedExchange):
    """One physical request. An adapter posts it, and knows which secrets took part."""

    def __init__(
        self, model: ApiModel, request: Request, wire: str, bounds: Bounds = BOUNDS, *, calls_in_text: bool = False
    ) -> None:
        super().__init__(model, request, bounds)
        self.wire = wire  # the name under which its own words are kept in `metadata`
        self._made_up = made_up_after(request.messages)
        self._calls_in_text = calls_in_text and bool(request.tools)
        self._stops = () if self._calls_in_text else request.stop_sequences

    @cached_property
    def arriving(self) -> Arriving | CallsInText:
        """What a stream has said so far; an answer that comes whole needs none."""
        return self._in_text or self._said

    @cached_property
    def reader(self) -> posted.Reader:
        """What reads the stream into it."""
        reader = Reader(self._said, self.bounds.event)
        return reader if self._in_text is None else InText(reader, self._in_text)

    def decoded(self, body: bytes) -> Response:
        response = decode(body, self._stops, self.wire, self._made_up)
        return response if self._in_text is None else self._in_text.whole(response)

    @cached_property
    def _said(self) -> Arriving:
        return Arriving(self._stops, self.wire, self._made_up)

    @cached_property
    def _in_text(self) -> CallsInText | None:
        return CallsInText(self._said, self.request) if self._calls_in_text else None
