"""What becomes of many calls of a stack, in virtual time: hours pass in a moment, and nothing is sent.

The models at the ends of the stack are played: they answer after a latency drawn by chance, and fail as planned. The
layers are the stack's own, made anew. The same seed plays the same calls.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import attrs
from returns.result import Failure, Result, Success

from ...adapters.process.calling import as_request
from ...adapters.process.clock import Clock, VirtualClock
from ...domain.capability import Capabilities
from ...domain.checks import Number, whole
from ...domain.error import ModelError
from ...domain.event import Event, replay
from ...domain.frozen import EMPTY
from ...domain.machines.chaos import Plan
from ...domain.model import Model
from ...domain.price import Price
from ...domain.request import Request
from ...domain.response import Response
from ...domain.usage import Usage
from ..layers.chaos import with_chaos
from ..stack.compose import compose
from .comparison import Comparison
from .rehearsal import Rehearsed

EVERYONE = "*"
"""Stands for the id of every model that isn't named."""


_RATE = Number("must be a number of calls a second above 0", above=0, below=math.inf)


def _different(number: int) -> Request:
    return as_request(f"Question {number}")


@attrs.frozen
class Workload:
    """How many calls come, and how: at random, `rate` a second.

    `request` gives the request of each, by its number; without it no two are alike. Each answer takes this usage.
    """

    calls: int = 300
    rate: float = 5.0
    request: Callable[[int], Request] = _different
    usage: Usage = Usage(500, 200)

    def __attrs_post_init__(self) -> None:
        whole(1).check(self.calls, "Workload: calls")
        _RATE.check(self.rate, "Workload: rate")


@attrs.frozen
class Simulation:
    """What came of a workload: seconds from asking to the answer or the error of each call, and all that was sent."""

    calls: int
    answered: int
    errors: Mapping[str, int]
    seconds: tuple[float, ...]
    physical_calls: int
    usd: float | None
    share_by_time: tuple[float, ...]

    @property
    def success(self) -> float:
        """The share of calls that were answered."""
        return self.answered / self.calls

    def percentile(self, share: float) -> float:
        """The seconds within which this share of the calls was over."""
        return self.seconds[min(len(self.seconds) - 1, math.ceil(share * len(self.seconds)) - 1)]

    def __str__(self) -> str:
        return compared({"stack": self})

    def _repr_html_(self) -> str:
        return compared({"stack": self})._repr_html_()


def simulate(
    model: Model,
    workload: Workload | None = None,
    outages: Mapping[str, Plan | Mapping[str, Any]] = EMPTY,
    seed: int = 0,
    *,
    latency: float | Mapping[str, float] = 1.0,
    prices: Mapping[str, Price] = EMPTY,
) -> Simulation:
    """What the workload comes to, with these outages, each by the id of a model (`"*"` for every other).

    An outage is a plan of `with_chaos`: `{"down": [(20, 40)], "errors": {"server": 0.1}}`. `latency` is the median time
    of an answer, in seconds; single ones scatter around it (log-normal, sigma 0.4). Raises TypeError for a layer that
    isn't of this package, and ValueError for numbers that make no sense.
    """
    work = Workload() if workload is None else workload
    clock = VirtualClock()
    numbers = iter(range(1_000_000))

    def played(leaf: Model) -> Model:
        name = getattr(leaf, "model_id", None) or type(leaf).__name__
        number = next(numbers)
        median = latency if isinstance(latency, (int, float)) else latency.get(name, latency.get(EVERYONE, 1.0))
        actor = _Played(leaf, name, clock, median, work.usage, random.Random(f"{seed}:{number}:{name}"))
        plan = outages.get(name, outages.get(EVERYONE))
        if plan is None:
            return actor
        faults = attrs.evolve(plan, seed=seed + number) if isinstance(plan, Plan) else {"seed": seed + number, **plan}
        return with_chaos(faults, clock=clock)(actor)

    stack = compose(Rehearsed(played, clock, random.Random(f"{seed}:chance").random).model(model))
    return clock.run(_run(stack, work, clock, random.Random(f"{seed}:arrivals"), prices))


@attrs.frozen
class _Played:
    """Takes the place of a model, and answers after a while."""

    of: Model
    model_id: str
    clock: Clock
    median: float
    usage: Usage
    dice: random.Random

    @property
    def capabilities(self) -> Capabilities:
        return self.of.capabilities

    @property
    def provider(self) -> str | None:
        return getattr(self.of, "provider", None)

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        await self.clock.sleep(self.median * self.dice.lognormvariate(0.0, 0.4))
        return Success(Response.of("played", usage=self.usage, model_id=self.model_id))

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        said, last = replay((await self.generate(request)).unwrap())  # a layer may stream underneath
        yield said
        yield last


async def _run(
    stack: Model, work: Workload, clock: VirtualClock, dice: random.Random, prices: Mapping[str, Price]
) -> Simulation:
    ended: list[tuple[float, float, Response | ModelError]] = []

    async def call(number: int, after: float) -> None:
        await clock.sleep(after)
        began = clock.now()
        result = await stack.generate(work.request(number))
        said = result.failure() if isinstance(result, Failure) else result.unwrap()
        ended.append((began, clock.now() - began, said))

    at, starts = 0.0, []
    for _ in range(work.calls):
        starts.append(at)
        at += dice.expovariate(work.rate)
    await asyncio.gather(*(call(number, start) for number, start in enumerate(starts)))
    attempts = [attempt for _, _, said in ended for attempt in said.attempts]
    return Simulation(
        work.calls,
        sum(isinstance(said, Response) for _, _, said in ended),
        dict(sorted(Counter(said.kind.value for _, _, said in ended if isinstance(said, ModelError)).items())),
        tuple(sorted(seconds for _, seconds, _ in ended)),
        len(attempts),
        sum(_cost(attempt.model_id, attempt.usage, prices) for attempt in attempts) if prices else None,
        _shares([(began, isinstance(said, Response)) for began, _, said in ended]),
    )


def _cost(model_id: str | None, usage: Usage | None, prices: Mapping[str, Price]) -> float:
    price = prices.get(model_id or EVERYONE, prices.get(EVERYONE))
    return 0.0 if usage is None or price is None else price.of(usage)


_WIDTH = 40


def _shares(calls: list[tuple[float, bool]]) -> tuple[float, ...]:
    """The share of answered calls in each fortieth of the time; 1 where none was asked."""
    longest = max(began for began, _ in calls) or 1.0
    asked, answered = [0] * _WIDTH, [0] * _WIDTH
    for began, good in calls:
        at = min(_WIDTH - 1, int(began / longest * _WIDTH))
        asked[at] += 1
        answered[at] += good
    return tuple(good / number if number else 1.0 for good, number in zip(answered, asked, strict=True))


def compared(simulations: Mapping[str, Simulation]) -> Comparison:
    """Several simulations as text: one table, and one plot of the share of answered calls over time.

    A notebook shows the table with pictures: how long calls took, how many were answered over time, calls and cost.
    """
    return Comparison(simulations)
