"""How fast OpenVINOModel generates and begins, beside its bare pipeline: interleaved in one run, over several rounds.

python benchmarks/openvino_speed.py [ROUNDS]
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
TOKENS = 200
FIRSTS = 10  # so many times in each round is the first token waited for, as it comes soon


def main() -> None:
    """Print both tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    model = OpenVINOModel(max_tokens=TOKENS, temperature=0, ignore_eos=True)
    model(PROMPT, max_tokens=2)
    (loaded,) = model._runtime.loaded.values()
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
    firsts: dict[str, list[float]] = {name: [] for name in ways if name != "bare pipeline, whole"}
    for turn in range(rounds):
        order = [*ways, *ways][turn % len(ways) : turn % len(ways) + len(ways)]
        for name in order:
            start = time.perf_counter()
            ways[name](TOKENS)
            rates[name].append(TOKENS / (time.perf_counter() - start))
        for _ in range(FIRSTS):
            for name in order:
                if name in firsts and "whole" not in name:
                    firsts[name].append(ways[name](2) * 1000)
    _print(f"{rounds} rounds of {TOKENS} tokens", rates, "tokens/s", "bare pipeline, whole")
    waits = {name: waited for name, waited in firsts.items() if waited}
    floor = statistics.median(waits["bare pipeline, a streamer that does nothing"])
    print(f"\n| {rounds * FIRSTS} first tokens | ms, median | over the bare streamer |\n|---|---|---|")
    for name, waited in waits.items():
        print(f"| {name} | {statistics.median(waited):.1f} | {statistics.median(waited) - floor:+.1f} |")


def _print(what: str, rates: dict[str, list[float]], unit: str, base: str) -> None:
    print(f"| {what} | {unit}, median | of bare, median of the rounds | of bare, best to best |\n|---|---|---|---|")
    for name, measured in rates.items():
        paired = statistics.median(rate / bare for rate, bare in zip(measured, rates[base], strict=True))
        best = max(measured) / max(rates[base])
        print(f"| {name} | {statistics.median(measured):.1f} | {paired:.3f} | {best:.3f} |")


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

        class Streamer(self._genai.StreamerBase):  # type: ignore[misc,name-defined]
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
