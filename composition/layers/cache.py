"""Ask once what was asked before: a good answer is kept by the request's fingerprint, and calls in flight are shared.

The key is the fingerprint of the request and what the model is, so that no model gives another one's answers. An answer
that was cut off or filtered isn't kept, and neither is an error. Identical calls in flight come to one call, which goes
on for as long as any of them waits; its ledger is shown to one of them. An answer from the cache has an empty ledger:
nothing was sent for it.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any, ClassVar, Final

import attrs
from returns.result import Failure, Result, Success

from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...domain.checks import Number
from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.event import Event, Failed, Finished, cut_off, replay, settle
from ...domain.forms.fingerprint import fingerprint
from ...domain.message import as_json
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import FinishReason, Response
from ..stack.compose import LayerOf
from ..stack.journal import Journal, open_journal
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, Rehearsal, brought
from ..stack.opened import T, drained
from ..stack.policy import Between, Call, Decorated, Opening, Whole
from ..stack.walk import below
from ..stack.written import Writer, adapter_written
from .coalescing import CoalescedCall, CoalescedCalls
from .stores import DiskStore, MemoryStore, Store

GOOD: Final = frozenset({FinishReason.STOP, FinishReason.TOOL_CALLS})
"""How an answer ends that is kept; others were cut off, filtered, or ended nobody knows why."""

_TTL: Final = Number("must be more than 0 seconds", "is a number of seconds", above=0)
_bypass: ContextVar[bool | None] = ContextVar("modelport_bypass_cache", default=None)
_ADDRESS = re.compile(r" at 0x[0-9A-Fa-f]+")  # where an object lies, in its repr: another place in each process
_nameless = itertools.count(1)


class bypass_cache:
    """No cache is asked for the calls inside; with `refresh`, what they come to is kept for later ones.

    >>> from modelport import ScriptedModel, compose
    >>> model = compose(ScriptedModel("one", "two"), with_cache())
    >>> with bypass_cache(refresh=True):
    ...     model("Hi").content, model("Hi").content
    ('one', 'two')
    >>> model("Hi").content
    'two'
    """

    __slots__ = ("_before", "_refresh")

    def __init__(self, *, refresh: bool = False) -> None:
        self._refresh = refresh
        self._before: bool | None = None

    def __enter__(self) -> None:
        self._before = _bypass.get()
        _bypass.set(self._refresh)

    def __exit__(self, *_: object) -> None:
        _bypass.set(self._before)


def _made(cache: Cache) -> Store:
    store, room = cache.store, cache.max_bytes
    if store is None:
        return MemoryStore(clock=cache.clock) if room is None else MemoryStore(room, clock=cache.clock)
    if isinstance(store, (str, os.PathLike)):
        return DiskStore(store) if room is None else DiskStore(store, room)
    if not isinstance(store, Store):
        raise TypeError(f"with_cache: store is a path or has get and put, as DiskStore has, not {store!r}")
    if room is not None:
        raise TypeError("with_cache: max_bytes belongs to the store that was passed; set it there")
    return store


@attrs.frozen(repr=False)
class Cache(LayerPolicy):
    """What `with_cache` does on each call; `prefix` stands before the keys of the model that it is over."""

    store: Store | str | os.PathLike[str] | None = None
    max_bytes: int | None = None
    ttl: float | None = None
    name: str | None = None
    clock: Clock = SYSTEM_CLOCK
    prefix: str = brought("", eq=False)
    keeps_answers: ClassVar = True
    kept: Store = brought(attrs.Factory(_made, takes_self=True), eq=False)
    calls: CoalescedCalls = brought(attrs.Factory(CoalescedCalls), eq=False)

    def __attrs_post_init__(self) -> None:
        if self.ttl is not None:
            _TTL.check(self.ttl, "with_cache: ttl")

    def rehearsed(self, at: Rehearsal) -> Cache:
        """One in memory, whatever its store: what is on the disk is of another time."""
        return Cache(None, self.max_bytes, self.ttl, self.name, at.clock, prefix=self.prefix)

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """A kept answer, or that of the call that all who ask the same share."""
        key = self._key(request)
        return await call(model if key is None else _Cached(model, self, key), request)

    def over(self, model: Model) -> Cache:
        """The same cache for this model, whose answers have keys of their own."""
        return attrs.evolve(self, prefix=self._prefix(model), kept=self.kept, calls=self.calls)

    def _key(self, request: Request) -> str | None:
        """The key of the answer; None for a call that goes by the cache."""
        if _bypass.get() is False:
            return None
        try:
            return f"{self.prefix}|{fingerprint(request)}"
        except ValueError:  # it holds what can't be told from what is nearly the same
            return None

    def _prefix(self, model: Model) -> str:
        if self.name is not None:
            return self.name
        try:
            return as_json(_told(model))
        except ValueError as unsaid:
            if isinstance(self.kept, MemoryStore):
                return f"#{next(_nameless)}"
            fix = "give its answers a name of their own: with_cache(..., name='...')"
            raise ValueError(f"with_cache: it can't be told which model this is, so {fix} ({unsaid})") from unsaid


def _told(model: Model) -> list[Any]:
    """What shapes the model's answers, the same in each process. Raises ValueError where that can't be said."""
    if not isinstance(model, Decorated):
        return [adapter_written(model, Writer())]
    return [_ADDRESS.sub("", repr(model.policy)), *map(_told, below(model))]


@attrs.frozen
class _Cached(Between):
    """A model whose answer to one request may be known, or on its way."""

    cache: Cache
    key: str

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The whole answer: a kept one, or that of the call that all who ask the same share."""
        cache = self.cache
        kept = None if _bypass.get() else await cache.kept.get(self.key)
        if kept is not None:
            return Success(kept)
        last, journal = None, open_journal()
        while last is None:
            call, number = cache.calls.join(self.key, self._ask_whole(request))
            until = self._until(number)
            try:
                while call.is_going_on() and cache.clock.now() < until:
                    await call.more(len(call.events), cache.clock, until)
            except BaseException:
                await cache.calls.leave(call, number, cache.clock, journal, cut_short=True)
                raise
            await cache.calls.leave(call, number, cache.clock, journal)
            last = self._last(call, number, until, 0, journal)
        return settle((last,))

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """The answer while it arrives; one that is kept arrives at once."""
        cache = self.cache
        kept = None if _bypass.get() else await cache.kept.get(self.key)
        last: Event | None = None if kept is None else Finished(kept)
        shown, journal = 0, open_journal()
        while last is None:
            call, number = cache.calls.join(self.key, self._ask_streamed(request))
            until = self._until(number)
            events_so_far, over = call.events, False
            try:
                while not over:
                    over = not call.is_going_on() or cache.clock.now() >= until
                    while shown < len(events_so_far):
                        shown += 1
                        yield events_so_far[shown - 1]
                    if not over:
                        await call.more(shown, cache.clock, until)
            except BaseException:
                await cache.calls.leave(call, number, cache.clock, journal, cut_short=True)
                raise
            await cache.calls.leave(call, number, cache.clock, journal)
            last = self._last(call, number, until, shown, journal)
        if isinstance(last, Finished) and not shown:  # it was kept, or asked for as a whole
            *pieces, last = replay(last.response)
            for piece in pieces:
                yield piece
        yield last

    def _until(self, number: int) -> float:
        """How long this call waits for another's. Its own call is an attempt, which a deadline lets end."""
        left = math.inf if number == 0 else deadline.left()
        return math.inf if left == math.inf else self.cache.clock.now() + left

    def _last(
        self, call: CoalescedCall, number: int, until: float, shown: int, journal: Journal | None
    ) -> Finished | Failed | None:
        """The last event for a caller that has `shown` this many; None to ask again."""
        if call.raised is not None:
            raise call.raised
        last = call.last
        if isinstance(last, Finished):
            return last if call.claim(journal) else Finished(attrs.evolve(last.response, attempts=()))
        if isinstance(last, Failed):
            if number and not shown and last.error.kind is ErrorKind.DEADLINE_EXCEEDED:
                return None  # that was the first one's deadline
            return last if call.claim(journal) else Failed(attrs.evolve(last.error, attempts=()), last.partial)
        if self.cache.clock.now() < until:  # the loop of the first one is gone
            return cut_off(call.events[:shown]) if shown else None
        message = "an identical call in flight didn't end before the deadline"
        return Failed(
            ModelError(ErrorKind.DEADLINE_EXCEEDED, message, Scope.REQUEST, Sent.NO),
            cut_off(call.events[:shown]).partial,
        )

    def _ask_whole(self, request: Request) -> Callable[[CoalescedCall], Awaitable[None]]:
        async def ask(call: CoalescedCall) -> None:
            if not await self._is_kept(call):
                result = await Whole(self.cache.clock)(self.inner, request)
                await self._end(
                    call, Failed(result.failure()) if isinstance(result, Failure) else Finished(result.unwrap())
                )

        return ask

    def _ask_streamed(self, request: Request) -> Callable[[CoalescedCall], Awaitable[None]]:
        async def ask(call: CoalescedCall) -> None:
            if await self._is_kept(call):
                return
            async with aclosing(drained(Opening(self.cache.clock), self.inner, request)) as events:
                async for event in events:
                    if isinstance(event, (Finished, Failed)):
                        await self._end(call, event)
                    else:
                        call.tell(event)

        return ask

    async def _is_kept(self, call: CoalescedCall) -> bool:
        """Whether an answer has come since the first look; it ends the call."""
        kept = None if _bypass.get() else await self.cache.kept.get(self.key)
        if kept is not None:
            self.cache.calls.end(call, Finished(kept))
        return kept is not None

    async def _end(self, call: CoalescedCall, last: Finished | Failed) -> None:
        if isinstance(last, Finished) and last.response.finish_reason in GOOD:
            kept = attrs.evolve(last.response, attempts=())
            await self.cache.kept.put(self.key, kept, self.cache.ttl)
        self.cache.calls.end(call, last)


@makes_layer
def with_cache(
    store: Store | str | os.PathLike[str] | None = None,
    *,
    max_bytes: int | None = None,
    ttl: float | None = None,
    name: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> LayerOf[Cache]:
    """A layer that gives an answer that it has given before, and shares calls in flight.

    `store` is where answers are kept: in memory (64 MiB of those used last) unless it is the path of a file (1 GiB), or
    a `Store` of your own. `ttl` is how many seconds an answer is good for. `name` stands for the model in the keys
    where it can't be told which one it is. `bypass_cache()` goes by it. Raises ValueError or TypeError on a setting
    that makes no sense.
    """
    cache = Cache(store, max_bytes, ttl, name, clock)
    return lambda model: Decorated(model, cache.over(model), clock)
