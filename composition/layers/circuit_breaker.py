"""Leave a model alone for a while when it fails too often, so that calls go elsewhere at once.

Every physical call is judged by how it ended, a stream by its whole way. What the caller did wrong, what was refused
here, and what was given up says nothing of the model. One breaker serves threads, tasks and event loops at once.
"""

from __future__ import annotations

import math
import threading
from functools import partial
from typing import Any, ClassVar

import attrs
from returns.result import Failure, Result, Success

from ...adapters.process.clock import SYSTEM_CLOCK, Clock
from ...adapters.process.fork import forgets
from ...adapters.process.shared import Shared
from ...domain.checks import named
from ...domain.error import MEANING, ErrorKind, ModelError, Scope, Sent
from ...domain.machines import breaker as steps
from ...domain.machines.breaker import Circuit, Judgement, Mode, Tolerance
from ...domain.model import Model
from ...domain.request import Request
from ...domain.response import Response
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy, passed_as
from ..stack.opened import OnEnd, Opened, T, heard
from ..stack.policy import Call, Decorated
from .error_filter import ErrorFilter, OnErrors, as_error_filter, passes

COUNTED = frozenset(kind for kind, meaning in MEANING.items() if meaning.breaks_circuit)
"""The kinds that count against a model unless `on=` says otherwise."""

_NO_ERA = -1


class Breaker(Shared):
    """Lets calls through while a model does well; share one between models that fail together.

    `ratio` is the share of failures among at least `minimum` calls in `window` seconds that opens it, for `pause`
    seconds; then `probes` calls must go well. Raises ValueError on numbers that make no sense.
    """

    word: ClassVar = "breaker"

    def __init__(
        self,
        ratio: float = 0.5,
        *,
        window: float = 60.0,
        minimum: int = 10,
        pause: float = 30.0,
        probes: int = 1,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.tolerance = Tolerance(ratio, window, minimum, pause, probes)
        self.clock = clock
        self._circuit = Circuit()
        self._lock = threading.Lock()
        forgets(self)

    def forget(self) -> None:
        """In a forked child: the probes on their way are the parent's, and so may be whoever holds the lock."""
        self._circuit, self._lock = attrs.evolve(self._circuit, out=0), threading.Lock()

    def arguments(self) -> dict[str, Any]:
        """What it bears."""
        return {**attrs.asdict(self.tolerance), "clock": self.clock}

    @property
    def mode(self) -> Mode:
        """What it does with calls now. One that is open stays so until somebody asks after its pause."""
        return self._circuit.mode

    def isolate(self) -> None:
        """Let nothing through until `reset`: for maintenance, or a provider that is known to be down."""
        with self._lock:
            self._circuit = steps.isolate(self._circuit)

    def reset(self) -> None:
        """Let everything through again, and forget what has failed."""
        with self._lock:
            self._circuit = steps.reset(self._circuit)

    def refusal(self) -> ModelError | None:
        """Why a call would not be let through now; asking changes nothing."""
        circuit, now = self._circuit, self.clock.now()
        _, allowed = steps.ask(self.tolerance, circuit, now)
        return None if allowed else _refused(circuit, now)

    def ask(self) -> int | ModelError:
        """Lets a call through, and gives the era that its reports belong to; or the refusal."""
        circuit = self._circuit
        if circuit.mode is Mode.CLOSED:
            return circuit.era
        with self._lock:
            now = self.clock.now()
            self._circuit, allowed = steps.ask(self.tolerance, self._circuit, now)
            return self._circuit.era if allowed else _refused(self._circuit, now)

    def report(self, era: int, judgement: Judgement, asked: float | None = None) -> None:
        """Say how a call of this era went; `asked` is the provider's Retry-After."""
        with self._lock:
            self._circuit = steps.report(self.tolerance, self._circuit, era, judgement, self.clock.now(), asked)

    def opened(self, era: int) -> int:
        """Say that a stream of this era has begun; gives the era that its end belongs to.

        A probe has come back well with its first content, however long the stream is.
        """
        with self._lock:
            if self._circuit.mode is not Mode.HALF_OPEN or self._circuit.era != era:
                return era
            self._circuit = steps.report(self.tolerance, self._circuit, era, Judgement.GOOD, self.clock.now())
            return self._circuit.era if self._circuit.mode is Mode.CLOSED else _NO_ERA


def _refused(circuit: Circuit, now: float) -> ModelError:
    wait = steps.wait(circuit, now)
    why = {
        Mode.OPEN: f"it failed too often lately, and is tried again in {wait or 0.0:.3g} s",
        Mode.HALF_OPEN: "it failed too often lately, and is being tried again",
        Mode.ISOLATED: "it is isolated until somebody resets it",
    }
    return ModelError(ErrorKind.CIRCUIT_OPEN, why[circuit.mode], Scope.MODEL, Sent.NO, retry_after=wait)


@attrs.define(eq=False)
class _Turn:
    """A call that was let through."""

    policy: CircuitBreaker
    era: int

    def ended(self, outcome: Response | ModelError | None) -> None:
        judgement, asked = Judgement.NEITHER, None
        try:
            if isinstance(outcome, Response):
                judgement = Judgement.GOOD
            elif outcome is not None and passes(self.policy.on, outcome):
                judgement, asked = Judgement.BAD, outcome.retry_after
        finally:  # a function of the application's, given as `on`, may raise
            self.policy.breaker.report(self.era, judgement, asked)


@attrs.frozen(repr=False)
class CircuitBreaker(LayerPolicy):
    """What `with_circuit_breaker` does on each call."""

    breaker: Breaker = passed_as("ratio")
    on: ErrorFilter = COUNTED
    clock: Clock = SYSTEM_CLOCK

    def shown(self) -> dict[str, Any]:
        """What the breaker says of itself."""
        settings = self.breaker.settings()
        return {"": settings} if settings else {}

    def refusal(self, max_wait: float = math.inf) -> ModelError | None:
        """Why a call would be refused now; for a route that looks before it chooses."""
        del max_wait  # nobody waits here
        return self.breaker.refusal()

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """One call, if the breaker lets it through."""
        era = self.breaker.ask()
        if isinstance(era, ModelError):
            return Failure(era)
        turn = _Turn(self, era)
        result = await heard(call(model, request), OnEnd(turn.ended))
        if isinstance(result, Success) and isinstance(result.unwrap(), Opened):
            turn.era = self.breaker.opened(era)
        return result


@makes_layer
def with_circuit_breaker(
    ratio: float | Breaker = 0.5,
    *,
    window: float = 60.0,
    minimum: int = 10,
    pause: float = 30.0,
    probes: int = 1,
    on: OnErrors = COUNTED,
    clock: Clock = SYSTEM_CLOCK,
) -> LayerOf[CircuitBreaker]:
    """A layer that refuses calls (`circuit_open`) while too many of them fail.

    It opens when `ratio` or more of at least `minimum` calls in the last `window` seconds failed, and stays open for
    `pause` seconds, or for a longer Retry-After. Then `probes` calls are let through: when they go well it closes, when
    one fails it opens again. `on` is the kinds of error that count, or a function of the error. In place of a ratio, a
    `Breaker` that models share, or that is isolated by hand; without one, each model gets a breaker of its own. Raises
    ValueError on numbers that make no sense.
    """
    counted = as_error_filter(on, "with_circuit_breaker: on")
    if isinstance(ratio, Breaker):
        shared = ratio
        if (window, minimum, pause, probes) != (60.0, 10, 30.0, 1):
            raise TypeError(
                "with_circuit_breaker: window, minimum, pause and probes belong to the Breaker; set them there"
            )
        return lambda model: Decorated(model, CircuitBreaker(shared, counted, clock), clock)
    new = partial(Breaker, ratio, window=window, minimum=minimum, pause=pause, probes=probes, clock=clock)
    with named("with_circuit_breaker"):
        new()
    return lambda model: Decorated(model, CircuitBreaker(new(), counted, clock), clock)
