"""What a stream of the Responses wire comes to, read without a server."""

from __future__ import annotations

from collections.abc import Sequence

from modelport.adapters.chat.stream import Reader
from modelport.adapters.openai.responses.stream import Arriving, decode_event
from modelport.domain.event import Event, Finished
from modelport.domain.response import Response


def fold(chunks: Sequence[bytes], stops: tuple[str, ...] = ()) -> tuple[list[Event], Response]:
    """The events of a stream, and what it came to."""
    arriving = Arriving(stops)
    reader = Reader(arriving, decode=decode_event)
    events: list[Event] = []
    for chunk in chunks:
        events += reader.read(chunk)
    if arriving.draft.stopped_by is None:
        events += reader.end()
    assert arriving.complete
    *rest, last = arriving.finish()
    assert isinstance(last, Finished)
    return [*events, *rest], last.response
