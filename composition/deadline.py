"""The moment after which a call in progress must not wait any more, known to every layer below the one that set it."""

from __future__ import annotations

from contextvars import ContextVar

_until: ContextVar[float] = ContextVar("modelport_deadline")


def current() -> float:
    """The deadline on the clock of the layer that set it; infinity where none did."""
    return _until.get(float("inf"))


class until:
    """Sets a deadline for what happens inside; an earlier one from outside stands."""

    __slots__ = ("_moment", "_token")

    def __init__(self, moment: float) -> None:
        self._moment = min(moment, current())

    def __enter__(self) -> None:
        self._token = _until.set(self._moment)

    def __exit__(self, *_: object) -> None:
        _until.reset(self._token)
