"""What every model behind an API is besides its wire: called like a function, and paced where it was told to be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import attrs
from returns.result import Failure, Result

from ...domain.attempt import Attempt, Wait
from ...domain.error import ModelError
from ...domain.estimate import estimated
from ...domain.event import Event, Failed, Finished
from ...domain.request import Request
from ...domain.response import Response
from ..process.calling import Calling
from ..process.limiter import Limiter, Permit
from .rate_headers import listening


def limiter_of(requests_per_minute: float | Limiter | None) -> Limiter | None:
    """What `requests_per_minute=` means: a rate, or a limiter that several models share. Raises ValueError."""
    if requests_per_minute is None or isinstance(requests_per_minute, Limiter):
        return requests_per_minute
    return Limiter(requests_per_minute)


class ApiModel(Calling, ABC):
    """Gives the port to an adapter that has `_generate` and `_stream`.

    With `requests_per_minute`, no minute sees more starts of calls than that, from all threads and tasks that use this
    model. `with_rate_limit` does the same for a whole stack, and more.
    """

    __slots__ = ()

    model_id: str
    _limiter: Limiter | None

    @property
    @abstractmethod
    def provider(self) -> str:
        """The name in the ledger of attempts."""

    @abstractmethod
    async def _generate(self, request: Request) -> Result[Response, ModelError]:
        """The whole answer, in one physical request."""

    @abstractmethod
    def _stream(self, request: Request) -> AsyncGenerator[Event]:
        """The answer while it arrives, in one physical request."""

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer, in one physical request."""
        limiter = self._limiter
        if limiter is None:
            return await self._generate(request)
        permit = await _permit(limiter, request)
        if isinstance(permit, ModelError):
            return Failure(permit)
        turn = _Turn(self, limiter, permit)
        with listening(limiter.learn):
            result = await self._generate(request)
        return result.map(turn.answered).alt(turn.failed)

    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives. Its connection is dropped when the stream is closed, or a stop ends the text."""
        return self._stream(request) if self._limiter is None else self._paced(request, self._limiter)

    async def _paced(self, request: Request, limiter: Limiter) -> AsyncGenerator[Event]:
        permit = await _permit(limiter, request)
        if isinstance(permit, ModelError):
            yield Failed(permit)
            return
        turn = _Turn(self, limiter, permit)
        async with aclosing(self._stream(request)) as events:
            with listening(limiter.learn):  # the headers come before the first event
                event: Event | None = await anext(events, None)
            while event is not None:
                match event:
                    case Finished():
                        yield Finished(turn.answered(event.response))
                    case Failed():
                        yield Failed(turn.failed(event.error), event.partial)
                    case _:
                        turn.heard()
                        yield event
                event = await anext(events, None)


async def _permit(limiter: Limiter, request: Request) -> Permit | ModelError:
    return await limiter.admit(0 if limiter.tpm is None else estimated(request).total_tokens)


class _Turn:
    """A call whose permit has come: it enters itself, with its wait, into the ledger."""

    __slots__ = ("_first_event", "_limiter", "_model", "_permit", "_started", "_wait")

    def __init__(self, model: ApiModel, limiter: Limiter, permit: Permit) -> None:
        self._model, self._limiter, self._permit = model, limiter, permit
        self._wait = Wait("rate_limit", permit.waited)
        self._started = limiter.clock.now()
        self._first_event: float | None = None

    def heard(self) -> None:
        if self._first_event is None:
            self._first_event = self._limiter.clock.now() - self._started

    def answered(self, response: Response) -> Response:
        self._limiter.ended(self._permit, response)
        if not response.attempts:
            response = attrs.evolve(response, attempts=(self._attempt("answered", usage=response.usage),))
        return response.waited(self._wait) if self._wait.seconds else response

    def failed(self, error: ModelError) -> ModelError:
        self._limiter.ended(self._permit, error)
        self._limiter.heard(error)
        if not error.attempts:
            error = attrs.evolve(error, attempts=(self._attempt(error.kind.value, message=error.message),))
        return error.waited(self._wait) if self._wait.seconds else error

    def _attempt(self, outcome: str, **rest: Any) -> Attempt:
        duration = self._limiter.clock.now() - self._started
        model = self._model
        fields = (model.provider, model.model_id, outcome, self._started, duration, self._first_event)
        return Attempt(*fields, **rest)
