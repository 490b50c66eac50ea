"""What retry, rate limit and fallback together add to a call that succeeds, and to each streamed event.

Run it with `python benchmarks/layers.py`. The targets: under 10 microseconds a call, under 0.3 an event and layer.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator

from returns.result import Result, Success

from modelport import (
    Capabilities,
    Event,
    Finished,
    Model,
    ModelError,
    Request,
    Response,
    ScriptedModel,
    TextDelta,
    as_request,
    compose,
    with_fallback,
    with_rate_limit,
    with_retry,
)

CALLS, EVENTS, ROUNDS, LAYERS = 2_000, 10_000, 15, 3
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
    bare = Instant()
    stack = compose(bare, with_rate_limit(1e9), with_retry(), with_fallback(ScriptedModel("spare")))
    print("| | bare | with three layers | added |")
    print("|---|---|---|---|")
    for name, measure, share in (("a call, µs", per_call, 1), ("an event, µs a layer", per_event, LAYERS)):
        pairs = [(await measure(bare), await measure(stack)) for _ in range(ROUNDS)]
        before, after = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"| {name} | {before:.2f} | {after:.2f} | {(after - before) / share:.2f} |")


if __name__ == "__main__":
    asyncio.run(main())
