"""Hands out the starts of calls at a pace, evenly and in the order in which they are asked for.

One limiter serves threads, tasks and event loops at once. `with_rate_limit` and `requests_per_minute=` stand on it; the
arithmetic is in `domain/machines/pacing.py`.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from typing import Any, ClassVar

import attrs

from ...domain.checks import Number
from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.machines.allowance import Allowance
from ...domain.machines.estimate import may_have_worked
from ...domain.machines.metering import Meter, admit, correct, give_back, owe
from ...domain.machines.pacing import Pace, Pacing, nanoseconds, pause, release, reserve
from ...domain.response import Response
from . import deadline
from .clock import SYSTEM_CLOCK, Clock
from .fork import forgets
from .shared import Shared

_HOLDS_BACK = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED})

_SLIGHT = 1_000_000
"""Nanoseconds by which any timer may be late, and no provider notices."""

_LOOK = 1_000_000_000
"""Nanoseconds after which who waits looks whether somebody has given up, or tokens have come back."""

_TOKENS = Number("must be a number of at least 1", least=1, below=math.inf)
_MAX_WAIT = Number("must be at least 0 seconds", least=0)

_MAX_PAUSE = Number("must be a number of seconds above 0", above=0, below=math.inf)
_LOG = logging.getLogger("modelport.limiter")


@attrs.define(eq=False)
class Permit:
    """A place in the queue: when its call may start, what it may spend, and how many seconds it has waited.

    `wakes` is when whoever waits for it will look next whether it may start sooner.
    """

    start: int
    tokens: int = 0
    asked: int = 0
    wakes: int = 0
    waited: float = 0.0


class Limiter(Shared):
    """Hands out starts at a pace; share one between models that share a limit.

    With `tpm`, no minute holds more tokens than that, either, as far as they are known beforehand. `max_wait` is in
    seconds: who would wait longer is refused at once. `max_pause` is the longest pause, in seconds, that a provider's
    word (a Retry-After, a reset) can have everybody make; a longer one is cut short, and logged. Raises ValueError on a
    rate or a burst that lets nothing through.
    """

    word: ClassVar = "limiter"

    def __init__(
        self,
        rpm: float,
        *,
        tpm: float | None = None,
        burst: int = 1,
        max_wait: float | None = None,
        max_pause: float = 3600.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.pace = Pace(rpm, burst)
        _MAX_PAUSE.check(max_pause, "max_pause")
        self.max_pause = max_pause
        if tpm is not None:
            _TOKENS.check(tpm, "tokens per minute")
        if max_wait is not None:
            _MAX_WAIT.check(max_wait, "max_wait")
        self.tpm = None if tpm is None else int(tpm)
        self.max_wait = math.inf if max_wait is None else max_wait
        self.clock = clock
        self._state = Pacing()
        self._meter = Meter()
        self._begun: deque[int] = deque(maxlen=self.pace.kept)
        self._waiting: dict[Permit, None] = {}
        self._late = 0
        self._refunded = False
        self._hastens: int | None = None
        self._tolerated = max(self.pace.window // 20, _SLIGHT)
        self._lock = threading.Lock()
        forgets(self)

    def arguments(self) -> dict[str, Any]:
        """Its pace, and what bounds it."""
        return {
            "rpm": self.pace.rpm,
            "tpm": self.tpm,
            "burst": self.pace.burst,
            "max_wait": None if self.max_wait == math.inf else self.max_wait,
            "max_pause": self.max_pause,
            "clock": self.clock,
        }

    async def acquire(self, tokens: int = 0) -> float | ModelError:
        """Waits for a permit and gives the seconds that it took; or the error, when the wait would be too long."""
        permit = await self.admit(tokens)
        return permit if isinstance(permit, ModelError) else permit.waited

    async def admit(self, tokens: int = 0) -> Permit | ModelError:
        """Waits for a permit for so many tokens, to be settled later; or the error, when the wait would be too long."""
        with self._lock:
            asked = self._now()
            permit = Permit(asked, max(1, min(tokens, self.tpm)) if self.tpm else 0)
            state, meter = self._reserve(permit, asked, asked)
            if permit.start == asked and deadline.left() >= 0:
                self._state, self._meter = state, meter
                self._begun.append(asked)
                return permit
            refusal = self._refusal(permit.start, asked, self.max_wait)
            if refusal is not None:
                return refusal
            self._state, self._meter = state, meter
            self._waiting[permit] = None
            permit.asked = asked + self._late
        return await self._wait(permit)

    def _reserve(self, permit: Permit, now: int, soonest: int) -> tuple[Pacing, Meter]:
        """Sets when the permit starts; gives the states after that."""
        if not permit.tokens or self.tpm is None:
            state, permit.start = reserve(self.pace, self._state, soonest)
            return state, self._meter
        state, meter, permit.start = admit(self.pace, self.tpm, self._state, self._meter, now, permit.tokens, soonest)
        return state, meter

    async def _wait(self, permit: Permit) -> Permit | ModelError:
        try:
            while True:
                with self._lock:
                    self._hasten()
                    start, late = permit.start, self._late
                    permit.wakes = min(start, self._now() + _LOOK)
                await self.clock.sleep(max(0.0, (permit.wakes + late) / 1e9 - self.clock.now()))
                with self._lock:
                    if (permit.start, self._late) == (start, late):
                        if permit.wakes < start:
                            continue
                        behind = self._now() - start
                        if behind > self._tolerated:
                            self._late += behind
                        self._begun.append(start)
                        del self._waiting[permit]
                        permit.waited = (start + self._late - permit.asked) / 1e9
                        return permit
                    refusal = self._refusal(permit.start, permit.asked - self._late, self.max_wait)
                if refusal is not None:
                    return refusal
        finally:
            with self._lock:
                if permit in self._waiting:
                    del self._waiting[permit]
                    self._give_back(permit)

    def _give_back(self, permit: Permit) -> None:
        if permit.tokens:
            others = (*self._begun, *(other.start for other in self._waiting))
            self._state, self._meter = give_back(
                self.pace, self._state, self._meter, permit.start, permit.tokens, others
            )
        else:
            self._state = release(self._state, permit.start, self._now())
        self._refunded = True

    def _hasten(self) -> None:
        """Let those who wait start sooner, as tokens or starts have come back: from when each of them looks."""
        now = self._now()
        if not self._refunded or (self._hastens is not None and now < self._hastens):
            return
        self._refunded, self._hastens = False, now + _LOOK
        waiting = sorted(self._waiting, key=lambda permit: permit.start)
        for permit in waiting:
            self._meter = correct(self._meter, permit.start, -permit.tokens)
        self._state = Pacing(tuple(sorted(self._begun)), self._state.not_before)
        for permit in waiting:
            self._state, self._meter = self._reserve(permit, now, max(now, permit.wakes))

    def _now(self) -> int:
        """The limiter's own time, which stands still while a call is late to start, so that calls never bunch up."""
        return nanoseconds(self.clock.now()) - self._late

    def settle(self, permit: Permit, tokens: int) -> None:
        """What a call has really taken: what was too much is handed out again, what was too little is owed."""
        if permit.tokens and tokens != permit.tokens:
            with self._lock:
                self._meter = correct(self._meter, permit.start, tokens - permit.tokens)
                self._refunded = self._refunded or tokens < permit.tokens

    def ended(self, permit: Permit, outcome: Response | ModelError | None) -> None:
        """Settle how a call ended; nothing is known of one that was cancelled or left."""
        if isinstance(outcome, Response):
            if outcome.usage is not None:
                self.settle(permit, outcome.usage.total_tokens)
        elif outcome is not None and not may_have_worked(outcome):
            self.settle(permit, 0)

    def refusal(self, max_wait: float = math.inf) -> ModelError | None:
        """Why a call would be refused now; so is one that would wait longer than this. Asking changes nothing."""
        with self._lock:
            now = self._now()
            permit = Permit(now, 1)
            self._reserve(permit, now, now)
            return self._refusal(permit.start, now, min(max_wait, self.max_wait))

    def hold_back(self, seconds: float) -> None:
        """Let nothing start for so long: the provider has asked for it. Those who wait keep their order."""
        if not seconds > 0:
            return
        if seconds > self.max_pause:
            _LOG.warning("a provider asks for a pause of %.3g s; calls wait for max_pause=%g", seconds, self.max_pause)
            seconds = self.max_pause
        with self._lock:
            now = self._now()
            state = pause(self._state, now, now + nanoseconds(seconds), self._begun)
            if state is not self._state:
                self._state = state
                waiting = sorted(self._waiting, key=lambda permit: permit.start)
                for permit in waiting:
                    self._meter = correct(self._meter, permit.start, -permit.tokens)
                for permit in waiting:
                    self._state, self._meter = self._reserve(permit, now, now)

    def forget(self) -> None:
        """In a forked child: those who wait are the parent's, and so may be whoever holds the lock."""
        for permit in self._waiting:
            self._meter = correct(self._meter, permit.start, -permit.tokens)
        self._state = Pacing(tuple(sorted(self._begun)), self._state.not_before)
        self._waiting, self._lock = {}, threading.Lock()

    def _refusal(self, start: int, asked: int, max_wait: float) -> ModelError | None:
        wait = (start - asked) / 1e9
        if wait > max_wait:
            message = f"the wait would be {wait:.3g} s, more than max_wait={max_wait:g}"
            return ModelError(ErrorKind.LIMITER_FULL, message, Scope.MODEL, Sent.NO, retry_after=wait)
        if (start - self._now()) / 1e9 > deadline.left():
            message = f"the limiter's next permit comes after {wait:.3g} s, past the deadline"
            return ModelError(ErrorKind.DEADLINE_EXCEEDED, message, Scope.REQUEST, Sent.NO)
        return None

    def heard(self, error: ModelError) -> None:
        """What a call failed with: if the provider asks for time, everybody waits."""
        if error.retry_after and error.kind in _HOLDS_BACK:
            self.hold_back(error.retry_after)

    def learn(self, allowance: Allowance) -> None:
        """What the provider says is left: nothing starts until there is some, whoever has spent it."""
        tokens = allowance.tokens
        if allowance.requests is not None:
            self.hold_back(allowance.requests.pause)
        if tokens is None:
            return
        if self.tpm is None:
            self.hold_back(tokens.pause)
            return
        with self._lock:
            now = self._now()
            reset = 60.0 if tokens.reset is None else min(tokens.reset, 60.0)
            until = now + nanoseconds(reset)
            self._meter = owe(self.tpm, self._meter, now, max(0, int(tokens.remaining)), until)
