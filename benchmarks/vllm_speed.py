"""How fast VLLMModel answers, beside its bare AsyncLLM: the same engine, interleaved, over several rounds.

The bare one is called on its own event loop, with tokens that are ready; the adapter from another, with messages.

python benchmarks/vllm_speed.py [ROUNDS]
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from modelport import Request, TextDelta, as_request
from modelport.adapters.vllm.model import VLLMModel

PROMPT = "Write a long story about the sea."
TOKENS = 64
AT_ONCE = 16
TARGETS = {1: 0.97, AT_ONCE: 0.95}

_numbers = itertools.count()


class Bare:
    """AsyncLLM itself."""

    def __init__(self, engine: Any, ready: Any, request: Request) -> None:
        from vllm.sampling_params import RequestOutputKind, SamplingParams

        self.loop, self.llm = engine._loop, ready.llm
        self.tokens = ready.reader.read(request, {}).for_engine["prompt_token_ids"]
        self.kinds, self.params = RequestOutputKind, SamplingParams

    async def generate(self, kind: str) -> float:
        """The milliseconds until the first of its pieces."""
        params = self.params(temperature=0, max_tokens=TOKENS, ignore_eos=True, output_kind=self.kinds[kind])
        start, first = time.perf_counter(), 0.0
        async for _ in self.llm.generate({"prompt_token_ids": self.tokens}, params, f"bare-{next(_numbers)}"):
            first = first or (time.perf_counter() - start) * 1000
        return first

    def __call__(self, kind: str, calls: int) -> Callable[[], Awaitable[list[float]]]:
        async def all_of_them() -> list[float]:
            return await asyncio.gather(*(self.generate(kind) for _ in range(calls)))

        return lambda: asyncio.wrap_future(asyncio.run_coroutine_threadsafe(all_of_them(), self.loop))


def ours(model: VLLMModel, request: Request, calls: int, streamed: bool) -> Callable[[], Awaitable[list[float]]]:
    """The adapter, called from the event loop that runs here."""

    async def whole() -> float:
        (await model.generate(request)).unwrap()
        return 0.0

    async def stream() -> float:
        start, first = time.perf_counter(), 0.0
        async for event in model.stream(request):
            if isinstance(event, TextDelta):
                first = first or (time.perf_counter() - start) * 1000
        return first

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*((stream if streamed else whole)() for _ in range(calls)))

    return all_of_them


async def main() -> None:
    """Print the tables."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    model = VLLMModel(os.environ.get("MODEL", "default"), temperature=0, ignore_eos=True, max_tokens=TOKENS)
    request = as_request(PROMPT)
    with_stops = as_request(PROMPT, ["never said", "\0"])
    (await model.generate(request)).unwrap()
    bare = Bare(*await model._runtime.ready(), request)
    for calls in (1, AT_ONCE):
        ways = {
            "bare AsyncLLM, whole": bare("FINAL_ONLY", calls),
            "VLLMModel, whole": ours(model, request, calls, False),
            "VLLMModel, whole, two stops": ours(model, with_stops, calls, False),
            "bare AsyncLLM, streamed": bare("DELTA", calls),
            "VLLMModel, streamed": ours(model, request, calls, True),
        }
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        firsts: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds):
            for name in list(ways)[:: -1 if turn % 2 else 1]:
                start = time.perf_counter()
                firsts[name] += await ways[name]()
                speeds[name].append(calls * TOKENS / (time.perf_counter() - start))
        print(f"{calls} at once, {rounds} rounds; the target is {TARGETS[calls]} of the bare engine")
        print(f"{'':30} {'tokens/s':>9} {'to bare':>8} {'best':>8} {'first token, ms':>16}")
        for name in ways:
            beside = speeds["bare AsyncLLM, streamed" if "streamed" in name else "bare AsyncLLM, whole"]
            ratio = statistics.median(ours / theirs for ours, theirs in zip(speeds[name], beside, strict=True))
            best = max(speeds[name]) / max(beside)
            first = f"{statistics.median(firsts[name]):16.1f}" if "streamed" in name else ""
            print(f"{name:30} {statistics.median(speeds[name]):9.1f} {ratio:8.3f} {best:8.3f} {first}")
        print()
    await model.aclose()


if __name__ == "__main__":
    asyncio.run(main())
