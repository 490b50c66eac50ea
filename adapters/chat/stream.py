"""The streamed answer of a chat-completions server: bytes in, events out, whoever fetched the bytes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from ...domain.event import Event
from ..http import sse
from .answer import Arriving, Malformed, Reported, decode_event
from .json import parse


async def arriving_events(chunks: AsyncIterator[bytes], arriving: Arriving) -> AsyncGenerator[Event]:
    """The events of the stream, up to its end, to `[DONE]`, or to a stop; the last event is for the caller to make.

    What comes after `[DONE]` isn't read. Raises `Malformed` or `Reported`, and what reading the bytes raises.
    """
    state, begun = sse.START, False
    async for chunk in chunks:
        state, events = sse.feed(state, chunk)
        rest = iter(events)
        for said in rest:
            begun = True
            if said.data.startswith(b"[DONE]"):
                arriving.done = True
                return
            for event in decode_event(_object(said), arriving):
                yield event
            if arriving.draft.stopped_by is not None:
                for also in rest:  # what has come already may say what it cost
                    arriving.done = arriving.done or also.data.startswith(b"[DONE]")
                    with contextlib.suppress(ValueError, Reported):
                        decode_event(_object(also), arriving)
                return
    for said in sse.end(state):
        with contextlib.suppress(ValueError):  # half an event: the stream was cut
            if not said.data.startswith(b"[DONE]"):
                for event in decode_event(_object(said), arriving):
                    yield event
            begun = True
    if not begun:
        raise Malformed("the answer is empty: no event in the stream")


def _object(said: sse.ServerEvent) -> Any:
    if not said.data.strip():
        return {}  # a sign of life
    try:
        chunk = parse(said.data)
    except ValueError:
        if said.name == "error":
            raise Reported(said.text) from None
        raise
    if said.name == "error":
        raise Reported(chunk.get("error", chunk) if isinstance(chunk, dict) else chunk)
    return chunk
