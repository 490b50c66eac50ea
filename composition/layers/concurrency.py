"""So many calls in progress at once, and no more: the others wait, by priority and then in the order of asking.

A slot is held until the answer is there or the stream is closed, and given back on whatever task, thread or event loop
that happens; who waits is woken on its own. The order is decided in `domain/machines/concurrency.py`.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import attrs
from returns.result import Failure, Result

from ...adapters.process import deadline
from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.fork import forgets
from ...adapters.process.shared import Shared
from ...domain.attempt import Wait
from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.machines.bounds import Bounds
from ...domain.machines.concurrency import Admission, Crowd, Room, arrive, give_up, leave
from ...domain.model import Model
from ...domain.request import Request
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, passed_as
from ..stack.opened import Said, T, heard
from ..stack.policy import Call, Decorated

_Waiting = tuple[asyncio.AbstractEventLoop, "asyncio.Future[bool]"]


class Slots(Shared):
    """Room for `n` calls at once; share it between models that share a limit.

    `max_queue` is how many may wait: the next is refused at once. Raises ValueError on numbers that make no sense.
    """

    word: ClassVar = "slots"

    def __init__(self, n: int, *, max_queue: int | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self.room = Room(n, max_queue)
        self.clock = clock
        self._crowd = Crowd()
        self._waiting: dict[int, _Waiting] = {}
        self._lock = threading.Lock()
        self._back: deque[int] = deque()
        self._of_parent = 0
        forgets(self)

    def arguments(self) -> dict[str, Any]:
        """How much room there is."""
        return {"n": self.room.n, "max_queue": self.room.max_queue, "clock": self.clock}

    @property
    def taken(self) -> int:
        """How many calls are in progress."""
        return self._crowd.inside

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._crowd.waiting)

    @property
    def full(self) -> bool:
        """Whether one more call would be refused."""
        return arrive(self.room, self._crowd)[1] is Admission.FULL

    def refusal(self) -> ModelError | None:
        """What one more call would be refused with."""
        return self._too_many() if self.full else None

    def _too_many(self) -> ModelError:
        message = f"{self.room.n} calls are in progress and {self.room.max_queue} wait already"
        return ModelError(ErrorKind.LIMITER_FULL, message, Scope.MODEL, Sent.NO)

    async def take(self, priority: float = 0.0) -> Slot | ModelError:
        """A slot, once one is free, to be released; or the error, when too many wait already or the time is over."""
        waiting: _Waiting | None = None
        with self._lock:
            self._crowd, admission = arrive(self.room, self._crowd, priority)
            ticket = self._crowd.tickets
            if admission is Admission.WAIT:
                loop = asyncio.get_running_loop()
                waiting = self._waiting[ticket] = (loop, loop.create_future())
        if self._back:
            self._settle()
        if admission is Admission.IN:
            return Slot(self, ticket)
        if waiting is not None:
            return await self._wait(ticket, *waiting)
        return self._too_many()

    async def _wait(
        self, ticket: int, loop: asyncio.AbstractEventLoop, let_in: asyncio.Future[bool]
    ) -> Slot | ModelError:
        asked = self.clock.now()
        left = deadline.left()
        timer = None if left == math.inf else loop.call_later(max(0.0, left), _say, let_in, False)
        try:
            in_time = await let_in
        except BaseException:
            self.give_back(ticket)
            raise
        finally:
            if timer is not None:
                timer.cancel()
        if in_time:
            return Slot(self, ticket, self.clock.now() - asked)
        self.give_back(ticket)
        message = f"no slot was free before the deadline: {self.room.n} calls are in progress"
        return ModelError(ErrorKind.DEADLINE_EXCEEDED, message, Scope.REQUEST, Sent.NO)

    def give_back(self, ticket: int) -> None:
        """Let the next one in; the holder of this ticket has left, or waits no longer.

        Safe in a garbage collection, which may strike while this very thread holds the lock: then it is done after.
        """
        if ticket > self._of_parent:
            self._back.append(ticket)
            self._settle()

    def _settle(self) -> None:
        while self._back and self._lock.acquire(blocking=False):
            try:
                if self._back:  # another thread may have been quicker
                    self._take_back(self._back.popleft())
            finally:
                self._lock.release()

    def _take_back(self, ticket: int) -> None:
        if self._waiting.pop(ticket, None) is not None:
            self._crowd = give_up(self._crowd, ticket)
            return
        self._crowd, next_in = leave(self._crowd)
        if next_in is not None:
            loop, let_in = self._waiting.pop(next_in)
            try:
                loop.call_soon_threadsafe(_say, let_in, True)
            except RuntimeError:  # its loop is closed: nobody waits there any more
                self._back.append(next_in)

    def forget(self) -> None:
        """In a forked child: the calls in progress are the parent's, and so may be whoever holds the lock."""
        self._of_parent = self._crowd.tickets
        self._crowd = Crowd(tickets=self._of_parent)
        self._waiting, self._back, self._lock = {}, deque(), threading.Lock()


def _say(let_in: asyncio.Future[bool], answer: bool) -> None:
    if not let_in.done():
        let_in.set_result(answer)


@attrs.define(eq=False)
class Slot:
    """One call's slot, and the seconds that it took to get it."""

    slots: Slots
    ticket: int
    waited: float = 0.0

    def ended(self, outcome: Said, /) -> Said:
        """The same, with the wait in its ledger."""
        return outcome.waited(Wait("concurrency", self.waited)) if self.waited else outcome

    def release(self) -> None:
        """Let the next one in."""
        self.slots.give_back(self.ticket)


@attrs.frozen(repr=False)
class Concurrency(LayerPolicy):
    """What `with_concurrency` does on each call."""

    slots: Slots = passed_as("n")
    priority: Callable[[Request], float] | None = None

    def shown(self) -> dict[str, Any]:
        """What the slots say of themselves."""
        named = {"": self.slots.settings()}
        return named if self.priority is None else {**named, "priority": self.priority}

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """After a wait that nobody knows, unless nobody may wait."""
        most = self.slots.room.max_queue
        return below if most == 0 else below.waits(math.inf, math.inf if most is None else most)

    def refusal(self, max_wait: float = math.inf) -> ModelError | None:
        """What a call would be refused with now. How long one would wait for a slot nobody knows."""
        return self.slots.refusal()

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, once a slot is free; or a refusal."""
        slot = await self.slots.take(0.0 if self.priority is None else self._priority(self.priority, request))
        return Failure(slot) if isinstance(slot, ModelError) else await heard(call(model, request), slot)

    def _priority(self, priority: Callable[[Request], float], request: Request) -> float:
        number = priority(request)
        if not isinstance(number, (int, float)) or math.isnan(number):
            raise TypeError(f"with_concurrency: priority(request) must give a number, not {number!r}")
        return number


@makes_layer
def with_concurrency(
    n: int | Slots,
    *,
    max_queue: int | None = None,
    priority: Callable[[Request], float] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> LayerOf[Concurrency]:
    """A layer that has at most `n` calls in progress at once, streams until they are closed.

    With `max_queue` calls waiting the next one is refused (`limiter_full`) without being sent. `priority` gives a
    number for a request: the highest goes first, and who asked first among equals. In place of a number, `Slots` that
    several models share. Raises ValueError or TypeError on what lets nothing through.
    """
    if isinstance(n, Slots):
        if max_queue is not None:
            raise TypeError("with_concurrency: max_queue belongs to the Slots that were passed; set it there")
        slots = n
    else:
        slots = Slots(n, max_queue=max_queue, clock=clock)
    if priority is not None and not callable(priority):
        raise TypeError(f"with_concurrency: priority must be a function of the request, not {priority!r}")
    policy = Concurrency(slots, priority)
    return lambda model: Decorated(model, policy, clock)
