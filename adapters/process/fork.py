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


class Unforkable(Forgetful, Protocol):
    """What holds something that must not be open while a process forks, such as a connection of SQLite."""

    def pause(self) -> None:
        """Before a fork: let go of it, and keep everybody from opening it."""
        ...

    def resume(self) -> None:
        """In the parent, after the fork: it may be opened again."""
        ...


ForgetT = TypeVar("ForgetT", bound=Callable[[], None])

_all: weakref.WeakSet[Forgetful] = weakref.WeakSet()
_pausing: weakref.WeakSet[Unforkable] = weakref.WeakSet()
_paused: list[Unforkable] = []
_modules: list[Callable[[], None]] = []


def forgets(thing: Forgetful) -> None:
    """Have it forget in every child that is forked from now on, as long as there is anybody else who holds it."""
    _all.add(thing)


def pauses(thing: Unforkable) -> None:
    """Have it pause during every fork from now on, and forget in the child."""
    _pausing.add(thing)
    forgets(thing)


def in_child(forget: ForgetT) -> ForgetT:
    """Have this function called in every child that is forked from now on: a module forgets what is its own."""
    _modules.append(forget)
    return forget


def _pause() -> None:
    for thing in list(_pausing):
        thing.pause()
        _paused.append(thing)


def _resume() -> None:
    while _paused:
        _paused.pop().resume()


def _forget() -> None:
    _paused.clear()
    for forget in _modules:
        forget()
    for thing in list(_all):
        thing.forget()


getattr(os, "register_at_fork", lambda **_: None)(  # Windows doesn't fork
    before=_pause, after_in_parent=_resume, after_in_child=_forget
)
