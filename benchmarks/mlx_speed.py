"""`MLXModel` against a bare `stream_generate`, in one run: tokens a second, first tokens, calls at once, memory.

`python benchmarks/mlx_speed.py [rounds]`
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import tiny_mlx

from modelport.adapters.calling import as_request
from modelport.adapters.mlx import MLXModel
from modelport.domain.event import Finished
from modelport.domain.response_format import JsonSchema

TOKENS = 24
PROMPT = "Tell me a long story about a lighthouse."
LIST = JsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 99})
Timed = tuple[float, float]
"""Seconds to the first token, and tokens a second after it."""


def bare(loaded: Any, tokens: int) -> Timed:
    """What mlx-lm takes by itself."""
    from mlx_lm import stream_generate

    start = time.perf_counter()
    messages = [{"role": "user", "content": PROMPT}]
    ids = loaded.tokenizer.apply_chat_template(messages, add_generation_prompt=True)
    times = [time.perf_counter() for _ in stream_generate(loaded.model, loaded.tokenizer, ids, max_tokens=tokens)]
    return times[0] - start, (len(times) - 1) / (times[-1] - times[0])


def streamed(model: MLXModel, tokens: int, **options: Any) -> Timed:
    """What a stream takes."""

    async def main() -> Timed:
        start = first = time.perf_counter()
        seen = 0
        async with aclosing(model.stream(as_request(PROMPT, ["\x00never"], max_tokens=tokens, **options))) as stream:
            async for event in stream:
                first, seen = (first if seen else time.perf_counter()), seen + 1
                if isinstance(event, Finished) and event.response.usage is not None:
                    return first - start, (event.response.usage.output_tokens - 1) / (time.perf_counter() - first)
        raise SystemExit(event)

    return asyncio.run(main())


def table(title: str, runs: dict[str, Callable[[], Timed]], rounds: int) -> dict[str, Timed]:
    """Medians of these runs, interleaved; the first is what the others are measured by."""
    found: dict[str, list[Timed]] = {name: [] for name in runs}
    names = [*runs]
    for turn in range(rounds + 1):
        for name in (names[turn % len(names) :] + names[: turn % len(names)]) if turn else names:
            took = runs[name]()
            if turn:  # the first round warms up
                found[name].append(took)
    middle = {
        name: (statistics.median(t[0] for t in times), statistics.median(t[1] for t in times))
        for name, times in found.items()
    }
    usual = middle[names[0]]
    print(f"\n{title}, {rounds} rounds\n")
    print("| run | first token, ms | over bare, ms | tokens/s | of bare |\n|---|---|---|---|---|")
    for name, (first, rate) in middle.items():
        ahead = statistics.median(
            ours[0] - theirs[0] for ours, theirs in zip(found[name], found[names[0]], strict=True)
        )
        print(f"| {name} | {first * 1000:.1f} | {ahead * 1000:+.1f} | {rate:.2f} | {rate / usual[1]:.3f} |")
    return middle


def at_once(model: MLXModel, calls: int, tokens: int) -> float:
    """Tokens a second of so many calls together."""

    async def main() -> None:
        await asyncio.gather(*(model.generate(as_request(PROMPT, max_tokens=tokens)) for _ in range(calls)))

    start = time.perf_counter()
    asyncio.run(main())
    return calls * tokens / (time.perf_counter() - start)


def memory(model: MLXModel, calls: int) -> str:
    """What so many calls leave behind."""
    import mlx.core as mx

    def ask(times: int) -> tuple[int, int, int]:
        for number in range(times):
            model(f"{number}", max_tokens=2)
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1]) if sys.platform == "linux" else 0
        return tracemalloc.get_traced_memory()[0], pages * 4096, mx.get_active_memory()

    tracemalloc.start()
    ask(200)
    before = ask(10)
    after = ask(calls)
    tracemalloc.stop()
    names = ("tracemalloc", "RSS", "MLX")
    return ", ".join(f"{name} {(b - a) / 1024:+.0f} KiB" for name, a, b in zip(names, before, after, strict=True))


def main(rounds: int) -> None:
    """Prints tables of medians."""
    words = tiny_mlx.tokenizer()
    endless: dict[str, Any] = {"logit_bias": {str(words.eos_token_id): -100}, "prompt_cache_bytes": 0}
    small = MLXModel("tiny", model=tiny_mlx.model(words, 4096), tokenizer=words, **endless)
    loaded = small._runtime.loaded()
    runs = {"bare stream_generate": lambda: bare(loaded, 100), "streamed": lambda: streamed(small, 100)}
    table("A tiny Llama: what is added, as nearly nothing is computed", runs, 5 * rounds)
    print(f"\nAfter 1,000 calls of it: {memory(small, 1000)}")

    model = MLXModel("default", prompt_cache_bytes=0)
    real = model._runtime.loaded()
    runs = {
        "bare stream_generate": lambda: bare(real, TOKENS),
        "streamed": lambda: streamed(model, TOKENS),
        "streamed, held to a JSON schema": lambda: streamed(model, TOKENS, response_format=LIST),
    }
    table(f"SmolLM2-135M, greedy, {TOKENS} tokens", runs, rounds)
    one, eight = (statistics.median(at_once(model, calls, 8) for _ in range(3)) for calls in (1, 8))
    print(f"\nCalls at once, 8 tokens each, prompts included: 1: {one:.2f} tokens/s; 8: {eight:.2f}")
    keeping = MLXModel("default", model=real.model, tokenizer=real.tokenizer)
    first, again = (streamed(keeping, 2)[0] for _ in range(2))
    print(f"First token of a prompt that was read before: {again * 1000:.0f} ms, and {first * 1000:.0f} ms else")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
