"""Ends what a task waits for, from a timer or another task, and tells that from a cancellation by anybody else.

It is what `asyncio.timeout` does inside, without a scope that is open for longer than one wait: a stream may be read on
one task and closed on another.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Interrupt:
    """Interrupts the task that waits since `begin`.

    After the wait, however it ended, `mine` says whether all that happened was this interruption, and clears it away.
    """

    __slots__ = ("_before", "_struck", "loop", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: asyncio.Task[Any] | None = None
        """The task that waits; None while nobody does."""
        self._struck: asyncio.Task[Any] | None = None
        self._before = 0

    def begin(self) -> None:
        """The current task waits from now on; it may have been cancelled before, and have gone on all the same."""
        self.waiting = asyncio.current_task(self.loop)
        if self.waiting is not None:
            self._before = self.waiting.cancelling()

    def strike(self) -> None:
        """Interrupt who waits; does nothing where nobody does."""
        if self.waiting is not None and self._struck is None:
            self._struck = self.waiting
            self.waiting.cancel()

    def mine(self) -> bool:
        """Whether the wait was interrupted by this, and the task wasn't cancelled by anybody else as well."""
        self.waiting = None
        struck, self._struck = self._struck, None
        return struck is not None and struck.uncancel() <= self._before
