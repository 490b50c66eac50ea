"""A stream whose first content has arrived: who listens to it, and how it ends. It is drained here and nowhere else.

A policy is over when a stream has opened. What wants to see the events, hear the end or let go of something listens.
Listeners stand in the order of their layers, from the model outwards, and each is told what its own layer gives. So a
chunk passes one generator, however many layers there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Protocol, TypeVar

from returns.result import Failure, Result, Success

from ...domain.attempt import Attempt, Wait
from ...domain.error import ModelError
from ...domain.event import Event, Failed, Finished, cut_off
from ...domain.ledger import Entry
from ...domain.response import Response
from .interrupt import Interrupt

Said = TypeVar("Said", Response, ModelError)
"""What a call came to."""

Hear = Callable[[Response | ModelError | None], None]
"""Hears the end: the answer, the error, or None for a call that was cancelled or a stream that was left."""

_BROKEN_OFF = cut_off(())
"""How a stream ends that just stops, against the law, without saying how."""


class Listener(Protocol):
    """Follows one call, whole or streamed. One with a method `saw(delta)` sees each piece of a stream, too."""

    def ended(self, outcome: Said, /) -> Said:
        """What the call came to, with its ledger, before it is passed on; not called when it is cut short."""
        ...

    def release(self) -> None:
        """The call is over, whichever way. Called once, before the end of a stream is passed on; it can't wait."""
        ...


class Limit(Listener, Protocol):
    """A listener that may end a stream while somebody waits for more of it: see `Opened.strike`."""

    def resumed(self) -> None:
        """Somebody waits for more again."""
        ...

    def over(self) -> Failed:
        """How the stream ends that it has struck. It hears nothing afterwards."""
        ...


class OnEnd:
    """Tells a function how a call ended."""

    __slots__ = ("_hear", "_outcome")

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._outcome: Response | ModelError | None = None

    def ended(self, outcome: Said, /) -> Said:
        """The same."""
        self._outcome = outcome
        return outcome

    def release(self) -> None:
        """Now it is known."""
        self._hear(self._outcome)


class _Earlier:
    """Puts what was tried before first in the ledger."""

    __slots__ = ("_attempts",)

    def __init__(self, attempts: tuple[Attempt, ...]) -> None:
        self._attempts = attempts

    def ended(self, outcome: Said, /) -> Said:
        return outcome.after(*self._attempts)

    def release(self) -> None:
        """Nothing is held."""


class _Waited:
    """Says in the ledger that the first attempt had waited."""

    __slots__ = ("_wait",)

    def __init__(self, wait: Wait) -> None:
        self._wait = wait

    def ended(self, outcome: Said, /) -> Said:
        return outcome.waited(self._wait)

    def release(self) -> None:
        """Nothing is held."""


class Opened:
    """A stream whose first event has arrived; `first_event` is the seconds until then, None for an end."""

    __slots__ = (
        "_entry",
        "_listeners",
        "_loop",
        "_now",
        "first",
        "first_event",
        "interrupt",
        "limits",
        "rest",
        "struck",
        "watchers",
    )

    def __init__(self, first: Event, rest: AsyncGenerator[Event], entry: Entry, now: Callable[[], float]) -> None:
        self.first, self.rest = first, rest
        self.first_event = None if isinstance(first, (Finished, Failed)) else now() - entry.started
        self._entry, self._now = entry, now
        self._listeners: list[Listener] = []
        self._loop = asyncio.get_running_loop()
        self.watchers: list[Callable[[Any], object]] = []
        self.limits: list[Limit] = []
        self.interrupt: Interrupt | None = None
        self.struck: Limit | None = None

    def listen(self, listener: Listener) -> None:
        """Let this one follow the stream, behind those who do already."""
        self._listeners.append(listener)
        saw = getattr(listener, "saw", None)
        if saw is not None:
            self.watchers.append(saw)

    def limit(self, limit: Limit, *, hears: bool) -> None:
        """Let this one, who may end the stream, follow it; with `hears` it hears when somebody waits for more."""
        self.listen(limit)
        self.interrupt = self.interrupt or Interrupt(asyncio.get_running_loop())
        if hears:
            self.limits.append(limit)

    def strike(self, limit: Limit) -> None:
        """End the stream, now or as soon as somebody waits for more of it."""
        assert self.interrupt is not None
        self.struck = self.struck or limit
        self.interrupt.strike()

    def after(self, *earlier: Attempt) -> Opened:
        """The same stream, with what was tried before put first in its ledger."""
        self._listeners.append(_Earlier(earlier))
        return self

    def waited(self, wait: Wait) -> Opened:
        """The same stream, its first attempt having waited first."""
        self._listeners.append(_Waited(wait))
        return self

    async def end(self, event: Event) -> Finished | Failed:
        """The last event, with the whole ledger in it, once everybody has been told."""
        await self.rest.aclose()
        if self.struck is not None:
            return self._told(self._cut_short(self.struck))
        if isinstance(event, Finished):
            return self._told(Finished(self._entry.ended(event.response, self._now(), self.first_event)))
        failed = event if isinstance(event, Failed) else _BROKEN_OFF
        return self._told(Failed(self._entry.ended(failed.error, self._now(), self.first_event), failed.partial))

    async def empty(self) -> Response | None:
        """The answer, ledger and all, of a stream that ended without any content; None where there is some."""
        if not isinstance(self.first, Finished):
            return None
        try:
            self.first = await self.end(self.first)
        except BaseException:
            await self.close()
            raise
        return self.first.response if isinstance(self.first, Finished) else None

    async def close(self) -> None:
        """Let go of everything, if that hasn't been done, also where the model's own stream can't be closed."""
        try:
            await self.rest.aclose()
        finally:
            self._release()

    def __del__(self) -> None:
        """A policy has thrown it away: what is held for it is let go on its loop, where no lock is held meanwhile."""
        if self._listeners:
            try:
                self._loop.call_soon_threadsafe(self._release)
            except RuntimeError:  # its loop has closed
                self._release()

    def _cut_short(self, limit: Limit) -> Failed:
        """What a limit has made of it: to those below, it was cut short."""
        while (listener := self._listeners.pop(0)) is not limit:
            listener.release()
        return limit.over()

    def _told(self, last: Finished | Failed) -> Finished | Failed:
        if isinstance(last, Finished):
            response = last.response
            for listener in self._listeners:
                response = listener.ended(response)
            last = Finished(response)
        else:
            error = last.error
            for listener in self._listeners:
                error = listener.ended(error)
            last = Failed(error, last.partial)
        self._release()
        return last

    def _release(self) -> None:
        try:
            while self._listeners:
                self._listeners.pop(0).release()
        finally:
            if self._listeners:  # one has raised: the others let go all the same
                self._release()


T = TypeVar("T", Response, Opened)
"""What a call gives: a whole answer, or an opened stream."""


async def heard(calling: Awaitable[Result[T, ModelError]], listener: Listener) -> Result[T, ModelError]:
    """What this call comes to; the listener follows it to its end, which for a stream is later."""
    try:
        result = await calling
        if not isinstance(result, Success):
            error = result.failure()
            outcome = listener.ended(error)
            result = result if outcome is error else Failure(outcome)
        else:
            outcome = result.unwrap()
            if isinstance(outcome, Opened):
                outcome.listen(listener)
                return result
            response = listener.ended(outcome)
            result = result if response is outcome else Success(response)
    except BaseException:
        listener.release()
        raise
    listener.release()
    return result


async def close(result: Result[T, ModelError] | None) -> None:
    """Let go of a stream that nobody reads, if there is one."""
    if isinstance(result, Success) and isinstance(outcome := result.unwrap(), Opened):
        await outcome.close()


def after(earlier: tuple[Attempt, ...], result: Result[T, ModelError]) -> Result[T, ModelError]:
    """The same result, with what was tried before put first in its ledger."""
    if not earlier:
        return result
    if not isinstance(result, Success):
        return Failure(result.failure().after(*earlier))
    return Success(result.unwrap().after(*earlier))


def waited(wait: Wait, result: Result[T, ModelError]) -> Result[T, ModelError]:
    """The same result, its first attempt having waited first."""
    if not isinstance(result, Success):
        return Failure(result.failure().waited(wait))
    return Success(result.unwrap().waited(wait))


def need_asyncio() -> None:
    """Raises RuntimeError, with the fix, where no event loop of asyncio runs, whose tasks and timers layers need."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        fix = "under trio, call it in a thread: await trio.to_thread.run_sync(model, 'Hello!')"
        raise RuntimeError(f"a stack of layers needs asyncio, and no event loop of asyncio runs here; {fix}") from None


async def drained(opening: Callable[..., Awaitable[Result[Opened, ModelError]]], *what: Any) -> AsyncGenerator[Event]:
    """The stream that `opening(*what)` opens, to its end. Whoever leaves it early lets go of everything."""
    need_asyncio()
    result = await opening(*what)
    if not isinstance(result, Success):
        yield Failed(result.failure())
        return
    opened = result.unwrap()
    last: Event = opened.first
    try:
        if not isinstance(last, (Finished, Failed)):
            watchers, interrupt = opened.watchers, opened.interrupt
            for saw in watchers:
                saw(last)
            yield last
            last = _BROKEN_OFF
            # What follows happens for every event: nothing is looked up or called that need not be.
            if interrupt is None:
                async for event in opened.rest:
                    kind = type(event)
                    if kind is Finished or kind is Failed:
                        last = event
                        break
                    for saw in watchers:
                        saw(event)
                    yield event
            else:
                resumes = [limit.resumed for limit in opened.limits]
                begin = interrupt.begin
                try:
                    for resumed in resumes:
                        resumed()
                    if opened.struck is None:
                        begin()
                        async for event in opened.rest:
                            interrupt.waiting = None
                            kind = type(event)
                            if kind is Finished or kind is Failed:
                                last = event
                                break
                            for saw in watchers:
                                saw(event)
                            yield event
                            for resumed in resumes:
                                resumed()
                            if opened.struck is not None:
                                break
                            begin()
                except asyncio.CancelledError:
                    if not interrupt.mine():
                        raise
                finally:
                    interrupt.mine()
        end = await opened.end(last)
    finally:
        await opened.close()
    yield end
