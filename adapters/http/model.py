"""The shell of every model behind an API: it checks, prepares, paces, drives the exchange, and writes the ledger."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import attrs
from returns.result import Failure, Result

from ...domain.attempt import Wait
from ...domain.capability import Unsupported, missing
from ...domain.error import ModelError
from ...domain.event import Event, Failed, Finished
from ...domain.ledger import Entry
from ...domain.machines.estimate import most_tokens
from ...domain.options.grammar import formed
from ...domain.options.misnamed import refusal
from ...domain.options.option import resolve
from ...domain.reading.preparation import prepare
from ...domain.request import Request
from ...domain.response import Response
from ...domain.schemas.rewriting import Dialect
from ...domain.secrecy import shown_as_arguments
from ..process.calling import Calling, with_ledger
from ..process.limiter import Limiter, Permit
from ..process.sealed import Sealed
from . import exchange as http_exchange
from .dialect import in_dialect
from .exchange import Exchange
from .http_errors import Unwritable
from .post import TIMEOUT
from .rate_headers import listening
from .settings import Settings

_NOT_TOLD: Final = ("model_id", "timeout", "capabilities", "options")
"""The fields that a model's repr doesn't tell like all others."""


class ApiModel(Settings, Calling, Sealed, ABC):
    """Gives the port to an adapter that says what one exchange with its provider is.

    With `requests_per_minute`, no minute sees more starts of calls than that, from all threads and tasks that use this
    model. `with_rate_limit` does the same for a whole stack, and more.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        fields: Any = attrs.fields(type(self))
        named = {field.name: getattr(self, field.name) for field in fields if field.init and field.repr is not False}
        usual = {name: each.default for name, each in inspect.signature(type(self)).parameters.items()}
        told = (name for name, item in named.items() if item and item != usual.get(name) and name not in _NOT_TOLD)
        named = {name: named[name] for name in told}
        if self.timeout != TIMEOUT:
            named["timeout"] = self.timeout
        settings = [f"{name}={value!r}" for name, value in named.items()]
        settings = [repr(self.model_id), *settings, *shown_as_arguments(self.options)]
        return f"{type(self).__name__}({', '.join(settings)})"

    @property
    @abstractmethod
    def provider(self) -> str:
        """The name in the ledger of attempts."""

    @property
    def _dialect(self) -> Dialect | None:
        """The dialect of JSON Schema that its provider takes, where it takes less than all of it."""
        return None

    @abstractmethod
    def _exchange(self, request: Request) -> Exchange:
        """One physical call, which hasn't begun."""

    @with_ledger
    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer, in one physical request."""
        limiter = self.limiter
        if limiter is None:
            return await http_exchange.answered(self._exchange(request))
        permit = await self._permit(limiter, request)
        if isinstance(permit, ModelError):
            return Failure(permit)
        turn = _Turn(self, limiter, permit)
        with listening(limiter.learn):
            result = await http_exchange.answered(self._exchange(request))
        return result.map(turn.answered).alt(turn.failed)

    @with_ledger
    def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives. Its connection is dropped when the stream is closed, or a stop ends the text."""
        events = http_exchange.events(self._exchange, request)
        return events if self.limiter is None else self._paced(request, events, self.limiter)

    def _prepared(self, request: Request, usual: Mapping[str, Any]) -> tuple[Request, Mapping[str, Any]]:
        """The request as this model takes it, and the options of the call; the `usual` ones are the weakest.

        Raises `Unsupported` for what the model doesn't declare, or can't be given.
        """
        request = formed(request, self.options)
        lacking = missing(request, self.capabilities)
        if lacking:
            raise Unsupported(f"{self.model_id} doesn't declare {', '.join(lacking)}; see capabilities=")
        options: Mapping[str, Any] = resolve(usual, self.options, request.options)
        if self.drop_options and not options.keys().isdisjoint(self.drop_options):
            options = {name: value for name, value in options.items() if name not in self.drop_options}
        if not self.known.issuperset(options):
            name = next(name for name in options if name not in self.known)
            raise Unwritable(refusal(name, type(self).__name__, self.known, type(self)))
        conversions, flatten, join = self.custom_role_conversions, self.flatten_messages_as_text, self.join_messages
        if conversions or flatten or join:
            messages = prepare(request.messages, role_conversions=conversions, flatten=flatten, alternate=join)
            request = attrs.evolve(request, messages=messages)
        dialect = self._dialect
        return request if dialect is None else in_dialect(request, dialect), options

    async def _paced(self, request: Request, opening: AsyncGenerator[Event], limiter: Limiter) -> AsyncGenerator[Event]:
        async with aclosing(opening) as events:
            permit = await self._permit(limiter, request)
            if isinstance(permit, ModelError):
                yield Failed(permit)
                return
            turn = _Turn(self, limiter, permit)
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

    async def _permit(self, limiter: Limiter, request: Request) -> Permit | ModelError:
        return await limiter.admit(0 if limiter.tpm is None else most_tokens(request, (self.options,)))


class _Turn:
    """A call whose permit has come: it is entered, with its wait, into the ledger."""

    __slots__ = ("_entry", "_first_event", "_limiter", "_permit", "_wait")

    def __init__(self, model: ApiModel, limiter: Limiter, permit: Permit) -> None:
        self._limiter, self._permit = limiter, permit
        self._wait = Wait("rate_limit", permit.waited)
        self._entry = Entry(model, limiter.clock.now())
        self._first_event: float | None = None

    def heard(self) -> None:
        if self._first_event is None:
            self._first_event = self._limiter.clock.now() - self._entry.started

    def answered(self, response: Response) -> Response:
        self._limiter.ended(self._permit, response)
        response = self._entry.ended(response, self._limiter.clock.now(), self._first_event)
        return response.waited(self._wait) if self._wait.seconds else response

    def failed(self, error: ModelError) -> ModelError:
        self._limiter.ended(self._permit, error)
        self._limiter.heard(error)
        error = self._entry.ended(error, self._limiter.clock.now(), self._first_event)
        return error.waited(self._wait) if self._wait.seconds else error
