"""How fast OpenVINOModel generates and begins, beside its bare pipeline: interleaved in one run, over several rounds.

python benchmarks/openvino_speed.py [ROUNDS] [TOKENS]
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from modelport import as_request
from modelport.adapters import OpenVINOModel

PROMPT = "Write a long story about the sea."
FIRSTS = 10  # so many times in each round is the first token waited for, as it comes soon


def main() -> None:
    """Print both tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    size = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    model = OpenVINOModel(max_tokens=size, temperature=0, ignore_eos=True)
    model(PROMPT, max_tokens=2)
    loaded = model._runtime.ready()
    bare = _Bare(loaded.pipeline)
    ways: dict[str, Callable[[int], float]] = {
        "bare pipeline, whole": bare.whole,
        "bare pipeline, a streamer that does nothing": bare.streamed,
        "OpenVINOModel, whole": lambda tokens: asyncio.run(_whole(model, tokens)),
        "OpenVINOModel, streamed": lambda tokens: asyncio.run(_streamed(model, tokens)),
        "OpenVINOModel, streamed, two stops": lambda tokens: asyncio.run(
            _streamed(model, tokens, ("never said", "\0"))
        ),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    firsts: dict[str, list[float]] = {name: [] for name in ways if name != "bare pipeline, whole"}
    for turn in range(rounds):
        order = [*ways, *ways][turn % len(ways) : turn % len(ways) + len(ways)]
        for name in order:
            start, cpu = time.perf_counter(), time.process_time()
            ways[name](size)
            costs[name].append(1000 * (time.process_time() - cpu) / size)
            rates[name].append(size / (time.perf_counter() - start))
        for _ in range(FIRSTS):
            for name in order:
                if name in firsts and "whole" not in name:
                    firsts[name].append(ways[name](2) * 1000)
    print(f"| {rounds} rounds of {size} tokens | tokens/s, median | of bare, median of the rounds "
          "| of bare, best to best | CPU ms a token | of bare |\n|---|---|---|---|---|---|")  # fmt: skip
    for name, measured in rates.items():
        best = max(measured) / max(rates["bare pipeline, whole"])
        speed, paired = _compared(rates, name)
        cost, dearer = _compared(costs, name)
        print(f"| {name} | {speed:.1f} | {paired:.3f} | {best:.3f} | {cost:.2f} | {dearer:.3f} |")
    waits = {name: waited for name, waited in firsts.items() if waited}
    floor = _low(waits["bare pipeline, a streamer that does nothing"])
    print(f"\n| {rounds * FIRSTS} first tokens | ms, lower quartile | over the bare one | median |\n|---|---|---|---|")
    for name, waited in waits.items():
        print(f"| {name} | {_low(waited):.1f} | {_low(waited) - floor:+.1f} | {statistics.median(waited):.1f} |")


def _low(measured: list[float]) -> float:
    """The lower quartile, which other work on the machine disturbs less than the median."""
    return statistics.quantiles(measured, n=4)[0]


def _compared(measured: dict[str, list[float]], name: str) -> tuple[float, float]:
    """Its median, and the median of what it was to the bare one of the same round."""
    pairs = zip(measured[name], measured["bare pipeline, whole"], strict=True)
    return statistics.median(measured[name]), statistics.median(one / bare for one, bare in pairs)


class _Bare:
    """The pipeline alone. Each way gives the seconds until its first token, or 0."""

    def __init__(self, pipeline: Any) -> None:
        import openvino_genai

        self._pipeline, self._genai = pipeline, openvino_genai
        self._turns = openvino_genai.ChatHistory([{"role": "user", "content": PROMPT}])

    def _config(self, tokens: int) -> Any:
        return self._genai.GenerationConfig(max_new_tokens=tokens, ignore_eos=True)

    def whole(self, tokens: int) -> float:
        self._pipeline.generate(self._turns, self._config(tokens))
        return 0.0

    def streamed(self, tokens: int) -> float:
        running = self._genai.StreamingStatus.RUNNING
        came: list[float] = []

        class Streamer(self._genai.StreamerBase):  # type: ignore[misc,name-defined]  # OpenVINO has no types
            def write(self, _: Any) -> Any:
                if not came:
                    came.append(time.perf_counter())
                return running

            def end(self) -> None:
                pass

        start = time.perf_counter()
        self._pipeline.generate(self._turns, self._config(tokens), Streamer())
        return came[0] - start


async def _whole(model: OpenVINOModel, tokens: int) -> float:
    (await model.generate(as_request(PROMPT, max_tokens=tokens))).unwrap()
    return 0.0


async def _streamed(model: OpenVINOModel, tokens: int, stops: tuple[str, ...] = ()) -> float:
    start, first = time.perf_counter(), 0.0
    async for _ in model.stream(as_request(PROMPT, stops, max_tokens=tokens)):
        first = first or time.perf_counter() - start
    return first


if __name__ == "__main__":
    main()
