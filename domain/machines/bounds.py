"""The most that one call of a stack can come to, known before anything is sent.

Time is of two sorts: waiting, which every deadline cuts short, and the work of calls that have begun, which only a
timeout cuts short. Each has a bound of its own, and both together have one, as a timeout cuts either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import attrs


@attrs.frozen
class Bounds:
    """The most physical calls, the most seconds of waiting and of work, and the most calls in its queues.

    `limit` is the most seconds of both together, where that is less than their sum.

    Infinity where nothing limits it: a queue without an end, a provider that takes for ever.
    """

    calls: float = 1
    waiting: float = 0.0
    working: float = math.inf
    queue: float = 0
    limit: float = math.inf

    @property
    def seconds(self) -> float:
        """The longest time, waiting and working."""
        return min(self.waiting + self.working, self.limit)

    def times(self, number: int, waiting: float = 0.0) -> Bounds:
        """This number of calls, one after the other, with this much waiting between them in all."""
        waits, works = _times(self.waiting, number) + waiting, _times(self.working, number)
        return Bounds(self.calls * number, waits, works, self.queue, _times(self.limit, number) + waiting)

    def waits(self, seconds: float, queue: float = 0) -> Bounds:
        """The same after a wait in a queue with this much room."""
        waiting, limit = self.waiting + seconds, self.limit + seconds
        return attrs.evolve(self, waiting=waiting, queue=self.queue + queue, limit=limit)

    def works(self, seconds: float) -> Bounds:
        """The same with more work, which no deadline cuts short."""
        return attrs.evolve(self, working=self.working + seconds, limit=self.limit + seconds)

    def within(self, seconds: float) -> Bounds:
        """The same under a timeout, which cuts short whatever happens."""
        return self._in(seconds, seconds)

    def until(self, deadline: float, attempt: Bounds) -> Bounds:
        """The same before a deadline: nothing waits past it, and the last attempt begins before it."""
        return self._in(deadline, deadline + min(attempt.working, attempt.limit))

    def _in(self, waiting: float, in_all: float) -> Bounds:
        waits, works, limit = min(self.waiting, waiting), min(self.working, in_all), min(self.limit, in_all)
        return Bounds(self.calls, waits, works, self.queue, limit)

    def __str__(self) -> str:
        places = _shown(self.queue, "place")
        return f"{_shown(self.calls, 'call')}, {_shown(self.seconds, 'second')}, {places} in queues"

    def _repr_markdown_(self) -> str:
        rows = [
            ("physical calls", self.calls),
            ("seconds in all", self.seconds),
            ("seconds of waiting", self.waiting),
            ("seconds of work", self.working),
            ("places in queues", self.queue),
        ]
        lines = [f"| {what} | {'any number' if most == math.inf else f'{most:g}'} |" for what, most in rows]
        return "\n".join(["| at most | |", "|---|---|", *lines])


def one_after_another(bounds: Iterable[Bounds]) -> Bounds:
    """All of these calls, one after the other."""
    of = tuple(bounds)
    return Bounds(
        sum(each.calls for each in of),
        sum(each.waiting for each in of),
        sum(each.working for each in of),
        sum(each.queue for each in of),
        sum(each.seconds for each in of),
    )


def _times(seconds: float, number: int) -> float:
    return 0.0 if not seconds or not number else seconds * number


def _shown(number: float, what: str) -> str:
    if number == math.inf:
        return f"any number of {what}s"
    return f"{number:g} {what}{'' if number == 1 else 's'}"
