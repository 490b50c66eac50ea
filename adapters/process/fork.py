"""A forked child forgets what is in progress: those calls are its parent's, and so may be whoever holds a lock."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forgetful(Protocol):
    """What counts calls in progress."""

    def forget(self) -> None:
        """Begin anew with what nobody else is using, the lock first."""
        ...


_all: weakref.WeakSet[Forgetful] = weakref.WeakSet()


def forgets(thing: Forgetful) -> None:
    """Have it forget in every child that is forked from now on."""
    _all.add(thing)


def _forget() -> None:
    for thing in _all:
        thing.forget()


getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_forget)  # Windows doesn't fork
