"""A forked child forgets what is in progress: those calls are its parent's, and so may be whoever holds a lock."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Protocol, TypeVar


class Forgetful(Protocol):
    """What counts calls in progress."""

    def forget(self) -> None:
        """Begin anew with what nobody else is using, the lock first."""
        ...


ForgetT = TypeVar("ForgetT", bound=Callable[[], None])

_all: weakref.WeakSet[Forgetful] = weakref.WeakSet()
_modules: list[Callable[[], None]] = []


def forgets(thing: Forgetful) -> None:
    """Have it forget in every child that is forked from now on, as long as there is anybody else who holds it."""
    _all.add(thing)


def in_child(forget: ForgetT) -> ForgetT:
    """Have this function called in every child that is forked from now on: a module forgets what is its own."""
    _modules.append(forget)
    return forget


def _forget() -> None:
    for forget in _modules:
        forget()
    for thing in _all:
        thing.forget()


getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_forget)  # Windows doesn't fork
