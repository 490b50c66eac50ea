"""What each layer adds to a call that succeeds, and to each streamed event; and what a stack of seven comes to.

Run it with `python benchmarks/layers.py`. The targets: under 4 microseconds a call for a layer (8 for one that sets a
timeout), under 30 for seven together, under 0.3 an event and layer. Retry, rate limit and fallback together: under 10.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from collections.abc import AsyncGenerator

from returns.result import Result, Success

from modelport import (
    Capabilities,
    Event,
    Finished,
    Layer,
    Model,
    ModelError,
    Request,
    Response,
    ScriptedModel,
    TextDelta,
    as_request,
    compose,
    with_budget,
    with_cache,
    with_chaos,
    with_check,
    with_circuit_breaker,
    with_concurrency,
    with_defaults,
    with_fallback,
    with_hedge,
    with_log,
    with_rate_limit,
    with_retry,
    with_route,
    with_timeout,
    with_trace,
)

CALLS, EVENTS, ROUNDS = 1_000, 5_000, 15
REQUEST = as_request("Hello!")
ANSWER = Response.of("Hi")


class Instant:
    """The quickest model there can be, so that what is measured is the layers."""

    capabilities = Capabilities()
    provider = model_id = "instant"
    _success, _delta, _finished = Success(ANSWER), TextDelta("a"), Finished(ANSWER)

    async def generate(self, request: Request, /) -> Result[Response, ModelError]:
        """The same answer every time."""
        return self._success

    async def stream(self, request: Request, /) -> AsyncGenerator[Event]:
        """Many events."""
        for _ in range(EVENTS):
            yield self._delta
        yield self._finished


def spare() -> Model:
    """A model that is never asked."""
    return ScriptedModel("spare")


THREE: tuple[Layer, ...] = (with_rate_limit(1e9), with_retry(), with_fallback(spare()))
SEVEN: tuple[Layer, ...] = (
    with_timeout(attempt=30),
    with_concurrency(64),
    with_rate_limit(1e9),
    with_circuit_breaker(),
    with_retry(),
    with_fallback(spare()),
    with_timeout(total=60),
)
# By name: the layers that are measured, and those under them that stand in the other stack as well. A ledger is made by
# whatever stands nearest to the model, so a single layer is measured over another one.
STACKS: dict[str, tuple[Layer, ...]] = {
    "with_defaults": (with_defaults(seed=1),),
    "with_retry": (with_retry(),),
    "with_rate_limit": (with_rate_limit(1e9),),
    "with_concurrency": (with_concurrency(64),),
    "with_timeout(attempt=)": (with_timeout(attempt=30),),
    "with_timeout(total=)": (with_timeout(total=60),),
    "with_fallback": (with_fallback(spare()),),
    "with_route": (with_route(spare(), by="weighted", weights=[1, 0]),),
    "with_circuit_breaker": (with_circuit_breaker(),),
    "with_hedge": (with_hedge(30.0),),
    "with_cache (a hit)": (with_cache(),),
    "with_budget": (with_budget(tokens=10**12),),
    "with_check": (with_check(lambda response: True),),
    "with_chaos": (with_chaos({}),),
    "with_log (off)": (with_log("benchmark"),),
    "with_trace (no SDK)": (with_trace(),),
    "three together": THREE,
    "seven together": SEVEN,
}


async def per_call(model: Model) -> float:
    """Microseconds of CPU."""
    started = time.process_time()
    for _ in range(CALLS):
        await model.generate(REQUEST)
    return (time.process_time() - started) / CALLS * 1e6


async def per_event(model: Model) -> float:
    """Microseconds of CPU."""
    started = time.process_time()
    async for _ in model.stream(REQUEST):
        pass
    return (time.process_time() - started) / EVENTS * 1e6


async def main() -> None:
    """Both stacks in turn, so that a busy machine is as unfair to one as to the other."""
    logging.getLogger("benchmark").setLevel(logging.CRITICAL)
    print("| layer | a call, µs | an event, µs |")
    print("|---|---|---|")
    for name, layers in STACKS.items():
        together = name.endswith("together")
        bare: Model = Instant() if together else compose(Instant())
        stack = compose(bare, *layers)
        added = []
        for measure in (per_call, per_event):
            pairs = [(await measure(bare), await measure(stack)) for _ in range(ROUNDS)]
            before, after = (statistics.median(column) for column in zip(*pairs, strict=True))
            added.append(after - before)
        print(f"| {name} | {added[0]:.2f} | {added[1] / (len(layers) if together else 1):.2f} |")


if __name__ == "__main__":
    asyncio.run(main())
