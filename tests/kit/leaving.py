"""Ways to leave a stream, at any point of it: it is read to its end, closed, dropped or cancelled."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import Iterator, Sequence
from contextlib import aclosing, suppress
from typing import Any

from modelport import Finished, Request, as_request

POINTS = 8
"""How many there are: events where a stream is left between two, turns of the loop where it is cancelled."""


HOW = ("closed", "dropped", "cancelled", "waiting")
ROUND = 3 * len(HOW) * POINTS
"""After so many streams each way was gone at each point."""


def ways() -> Iterator[tuple[str, int]]:
    """Two of three are read to their end, and one is left: each way at each point, again and again."""
    for how, point in itertools.cycle(itertools.product(HOW, range(POINTS))):
        yield "read", 0
        yield "read", 0
        yield how, point


async def leave(model: Any, how: str, point: int) -> None:
    """One stream. `waiting` is cancelled while it waits for an event that never comes."""
    request = as_request("wait" if how == "waiting" else "go")
    match how:
        case "read":
            events = [event async for event in model.stream(request)]
            assert isinstance(events[-1], Finished), events[-1]
        case "closed":
            async with aclosing(model.stream(request)) as stream:
                for _ in range(point):
                    await anext(stream, None)
        case "dropped":
            stream = model.stream(request)
            for _ in range(point):
                await anext(stream, None)
        case _:
            await _cancelled(model, request, point if how == "cancelled" else 3 * POINTS)


async def _cancelled(model: Any, request: Request, turns: int) -> None:
    async def read() -> None:
        async for _ in model.stream(request):
            pass

    reading = asyncio.ensure_future(read())
    for _ in range(turns):
        await asyncio.sleep(0)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading


async def leave_all(models: Sequence[Any], count: int, at_once: int) -> None:
    """So many streams, by turns of these models, and the end of whatever they have left to be done."""
    left = enumerate(itertools.islice(ways(), count))

    async def worker() -> None:
        for at, (how, point) in left:
            await leave(models[(at + at // ROUND) % len(models)], how, point)

    await asyncio.gather(*(worker() for _ in range(at_once)))
    gc.collect()  # what was dropped in a circle
    await settled()


async def settled() -> None:
    """Wait for the tasks in which what was dropped is closed."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.gather(*others, return_exceptions=True)
