"""The port: what every model is, whatever it stands on.

The laws, which `tests/kit/laws.py` runs for every adapter, every layer and stacks of them:

1. It never raises for what a provider, network or runtime does. It raises for a programmer's mistake, at construction,
   and lets cancellation through.
2. A stream ends in exactly one `Finished` or `Failed`.
3. Folding the stream gives what `generate` gives (ids and timings aside).
4. The text never holds a stop sequence nor anything after it, whoever enforces it. `stopped_by` names it where known.
5. Closing a stream, or cancelling a call, frees everything: connection, slot, and local generation stops.
6. Nothing passed in is changed.
7. One model may be used from many tasks, threads and event loops, one after the other or at once.
8. An adapter makes one attempt: SDK retries are off, so that layers alone decide, and every attempt is seen.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol, runtime_checkable

from returns.result import Result

from .capability import Capabilities
from .error import ModelError
from .event import Event
from .request import Request
from .response import Response


@runtime_checkable
class Model(Protocol):
    """Answers a request, whole or as a stream of events."""

    @property
    def capabilities(self) -> Capabilities:
        """What this model declares that it can do."""
        ...

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer."""
        ...

    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives."""
        ...
