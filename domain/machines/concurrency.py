"""Who may go in when only so many fit: the first of the highest priority, when somebody has come out.

Pure steps: `arrive` lets one in, makes it wait or turns it away; `leave` says who goes in next, and `give_up` takes
one out of the queue. Nobody who arrives goes ahead of one who waits with the same priority.
"""

from __future__ import annotations

import enum
from bisect import insort

import attrs

from ..checks import whole


@attrs.frozen
class Room:
    """How many fit: `n` inside, and `max_queue` who wait, None for any number. Raises ValueError on other numbers."""

    n: int
    max_queue: int | None = None

    def __attrs_post_init__(self) -> None:
        whole(1).check(self.n, "n, the calls in progress at once,")
        if self.max_queue is not None:
            whole(0).check(self.max_queue, "max_queue")


@attrs.frozen
class Crowd:
    """How many are inside, who waits (by priority, then by ticket), and how many tickets were given out."""

    inside: int = 0
    waiting: tuple[tuple[float, int], ...] = ()
    tickets: int = 0


class Admission(enum.Enum):
    """What happens to one who arrives."""

    IN = "in"
    WAIT = "wait"
    FULL = "full"


def arrive(room: Room, crowd: Crowd, priority: float = 0.0) -> tuple[Crowd, Admission]:
    """The crowd with one more, whose ticket is its `tickets`, and what happens to it; the highest priority is first.

    >>> arrive(Room(1), Crowd())
    (Crowd(inside=1, waiting=(), tickets=1), <Admission.IN: 'in'>)
    """
    ticket = crowd.tickets + 1
    if crowd.inside < room.n:
        return Crowd(crowd.inside + 1, crowd.waiting, ticket), Admission.IN
    if room.max_queue is not None and len(crowd.waiting) >= room.max_queue:
        return crowd, Admission.FULL
    waiting = list(crowd.waiting)
    insort(waiting, (-priority, ticket))
    return Crowd(crowd.inside, tuple(waiting), ticket), Admission.WAIT


def leave(crowd: Crowd) -> tuple[Crowd, int | None]:
    """The crowd after somebody has come out, and the ticket of who goes in now.

    >>> leave(Crowd(1, ((0.0, 2),), 2))
    (Crowd(inside=1, waiting=(), tickets=2), 2)
    """
    if not crowd.waiting:
        return Crowd(crowd.inside - 1, (), crowd.tickets), None
    return Crowd(crowd.inside, crowd.waiting[1:], crowd.tickets), crowd.waiting[0][1]


def give_up(crowd: Crowd, ticket: int) -> Crowd:
    """The crowd without one who waited with this ticket."""
    return Crowd(crowd.inside, tuple(one for one in crowd.waiting if one[1] != ticket), crowd.tickets)
