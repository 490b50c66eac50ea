"""What a blocking call costs: `model(...)` and `blocking(model).stream` against the OpenAI SDK's own blocking client.

    python benchmarks/blocking.py

One run, both sides by turns against one fast server in a process of its own, microseconds of the clock and of
`time.process_time`, which counts every thread.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from typing import Any

from openai import OpenAI
from openai_wire import EVENTS, serve

from modelport import as_request, blocking
from modelport.adapters import OpenAIModel

TARGET = 0.35
Spent = tuple[float, float]


def spent(call: Callable[[], object], times: int) -> Spent:
    """Microseconds a call, of the clock and of the CPU."""
    clock, cpu = time.perf_counter(), time.process_time()
    for _ in range(times):
        call()
    return (time.perf_counter() - clock) / times * 1e6, (time.process_time() - cpu) / times * 1e6


def by_turns(
    ours: Callable[[], object], theirs: Callable[[], object], times: int, rounds: int = 21
) -> tuple[Spent, Spent]:
    """The medians of both, measured alternately after a warm-up."""
    spent(ours, 2)
    spent(theirs, 2)
    pairs = [(spent(ours, times), spent(theirs, times)) for _ in range(rounds)]
    return _medians([pair[0] for pair in pairs]), _medians([pair[1] for pair in pairs])


def _medians(rows: list[Spent]) -> Spent:
    return statistics.median(clock for clock, _ in rows), statistics.median(cpu for _, cpu in rows)


def main() -> None:
    """Print the table."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        url = f"http://127.0.0.1:{here.recv()}/v1"
        model = OpenAIModel("m", base_url=url, api_key="k")
        twin, question = blocking(model), as_request("hi")
        said: Any = [{"role": "user", "content": "hi"}]
        with OpenAI(base_url=url, api_key="k", max_retries=0) as client:
            create = client.chat.completions.create
            call = by_turns(lambda: model("hi"), lambda: create(model="m", messages=said), 30)
            whole = by_turns(
                lambda: list(twin.stream(question)), lambda: list(create(model="m", messages=said, stream=True)), 4
            )
    finally:
        server.terminate()
        server.join()
    print(f"{'microseconds':<26}{'modelport':>11}{'SDK, blocking':>15}{'ratio':>8}{'target':>8}")
    for name, (ours, theirs), share in (("a call", call, 1), ("per event", whole, EVENTS)):
        for what, one, other in zip(("clock", "CPU"), ours, theirs, strict=True):
            print(f"{f'{name}, {what}':<26}{one / share:>11.1f}{other / share:>15.1f}{one / other:>8.3f}{TARGET:>8}")


if __name__ == "__main__":
    main()
