"""What every model on this machine is besides its runtime: called like a function, asked for nothing that it can't.

It is loaded on first use, once in a process, until it is closed. An adapter adds how it loads what answers, how it
reads a request, and how it generates.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, ClassVar

import attrs
from returns.result import Result

from ...domain.answer_builder import AnswerBuilder
from ...domain.capability import Unsupported, missing
from ...domain.error import ModelError, ModelFailure
from ...domain.event import Event, Failed, Finished, settle
from ...domain.frozen import FrozenDict
from ...domain.options.grammar import formed
from ...domain.options.option import resolve, spread
from ...domain.reading.preparation import prepare
from ...domain.request import Request, with_options
from ...domain.response import Response
from ..process.calling import Calling, with_ledger
from ..process.crossing import Give, pieces
from ..process.sealed import Sealed
from .answer import LocalAnswer
from .errors import Errors
from .prompt import unsupported
from .settings import Settings


class LocalModel(Settings, Calling, Sealed, ABC):
    """Gives the port to an adapter that has `_events`, and a `_runtime` that can be closed."""

    __slots__ = ()

    errors: ClassVar[Errors]
    is_local: ClassVar[bool] = True
    """It runs on this machine: a call of it costs nothing, unless a price is given for it."""

    _runtime: Any

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return self.errors.provider

    @with_ledger
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer."""
        async with aclosing(self._checked(request, deltas=False)) as events:
            return settle([event async for event in events])

    @with_ledger
    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives. Closing it stops generation, or leaves the queue."""
        return self._checked(request, deltas=True)

    def close(self) -> None:
        """Let go of what was loaded, and of its memory when no call uses it any more; the next call loads it again."""
        self._runtime.close()

    async def aclose(self) -> None:
        """The same, without keeping the event loop waiting."""
        await asyncio.to_thread(self.close)

    async def _checked(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        try:
            prepared = self._prepared(request)
        except (ModelFailure, Unsupported, ValueError) as error:
            yield Failed(self.errors.translate(error, self.model_id, "reading"))
            return
        async with aclosing(self._events(prepared, deltas=deltas)) as events:
            async for event in events:
                yield event

    def _prepared(self, request: Request) -> Request:
        """The request as this model takes it, with the options of the call over its own.

        Raises ModelFailure, `Unsupported` or ValueError for what the model doesn't declare, or can't be given.
        """
        request = formed(request, self.options)
        lacking = missing(request, self.capabilities)
        if lacking:
            raise unsupported(f"this model has no {', '.join(lacking)}")
        conversions, flatten = self.custom_role_conversions, self.flatten_messages_as_text
        messages = prepare(request.messages, role_conversions=conversions, flatten=flatten)
        options = FrozenDict(spread(resolve(self.options, request.options)))
        return with_options(attrs.evolve(request, messages=messages), options)

    @abstractmethod
    def _events(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        """The events of the answer to a prepared request; without `deltas` the last one is enough.

        A whole call doesn't want the event loop woken for each token: that would take time from the computation.
        """


class ThreadedModel(LocalModel):
    """One that answers each call in a thread of its own, from its prompt to its end."""

    __slots__ = ()

    def _events(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        return pieces(self._runtime.threads, partial(self._answer, request, deltas))

    def _answer(self, request: Request, deltas: bool, give: Give[Event], cancelled: threading.Event) -> None:
        phase, fail = "loading", AnswerBuilder().fail
        try:
            ready = self._runtime.ready()
            if cancelled.is_set():
                return
            phase = "reading"
            answer, generate = self._begin(ready, request, give if deltas else None, cancelled)
            fail = answer.fail
            phase = "generating"
            finished = generate()
            if not cancelled.is_set():
                give(finished)
        except Exception as error:
            give(fail(self._failed(error, phase)))

    @abstractmethod
    def _begin(
        self, ready: Any, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> tuple[LocalAnswer, Callable[[], Finished]]:
        """The answer to a request that has been read, and what generates it, until it is `cancelled`, by what is ready.

        What this raises is wrong with the request.
        """

    def _failed(self, error: Exception, phase: str) -> ModelError:
        return self.errors.translate(error, self.model_id, phase)
