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
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kit" / "tiny"))

import tiny_mlx

from modelport.adapters.mlx.model import MLXModel
from modelport.adapters.process.calling import as_request
from modelport.domain.event import Finished
from modelport.domain.response_format import JsonSchema

TOKENS = 24
PROMPT = "Tell me a long story about a lighthouse."
LIST = JsonSchema({"type": "array", "items": {"type": "string"}, "minItems": 99})


class Timed(NamedTuple):
    """Until the first token, and for each token after it: seconds by the clock, and of the processor's time."""

    first: float
    first_cpu: float
    each: float
    each_cpu: float


class Watch:
    """Is told of tokens while they come."""

    def __init__(self) -> None:
        self._times = [(time.perf_counter(), time.process_time())]

    def token(self) -> None:
        self._times.append((time.perf_counter(), time.process_time()))

    def read(self, tokens: int) -> Timed:
        start, first, last = self._times[0], self._times[1], self._times[-1]
        each = [(after - before) / (tokens - 1) for before, after in zip(first, last, strict=True)]
        return Timed(first[0] - start[0], first[1] - start[1], *each)


def bare(loaded: Any, tokens: int, **options: Any) -> Timed:
    """What mlx-lm takes by itself."""
    from mlx_lm import stream_generate

    watch = Watch()
    messages = [{"role": "user", "content": PROMPT}]
    ids = loaded.tokenizer.apply_chat_template(messages, add_generation_prompt=True)
    for _ in stream_generate(loaded.model, loaded.tokenizer, ids, max_tokens=tokens, **options):
        watch.token()
    return watch.read(tokens)


def streamed(model: MLXModel, tokens: int, **options: Any) -> Timed:
    """What a stream takes."""

    async def main() -> Timed:
        watch = Watch()
        async with aclosing(model.stream(as_request(PROMPT, ["\x00never"], max_tokens=tokens, **options))) as stream:
            async for event in stream:
                watch.token()
                last = event
        assert isinstance(last, Finished), last
        assert last.response.usage is not None
        assert last.response.usage.output_tokens == tokens
        return watch.read(tokens)

    return asyncio.run(main())


def table(title: str, runs: dict[str, Callable[[], Timed]], rounds: int) -> None:
    """Medians of these runs, interleaved; the first is what the others are measured by."""
    found: dict[str, list[Timed]] = {name: [] for name in runs}
    names = [*runs]
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            took = runs[name]()
            if turn:  # the first round warms up
                found[name].append(took)
    middle = {name: Timed(*map(statistics.median, zip(*times, strict=True))) for name, times in found.items()}
    usual = middle[names[0]]
    print(f"\n{title}, {rounds} rounds\n")
    print("| run | first token, ms | of the processor | tokens/s | of bare | processor ms a token | of bare |")
    print("|---|---|---|---|---|---|---|")
    for name, ours in middle.items():
        cells = [f"{ours.first * 1000:.1f}", f"{ours.first_cpu * 1000:.1f}"]
        cells += [f"{1 / ours.each:.1f}", f"{usual.each / ours.each:.3f}"]
        cells += [f"{ours.each_cpu * 1000:.2f}", f"{ours.each_cpu / usual.each_cpu:.3f}"]
        print(f"| {' | '.join([name, *cells])} |")


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
    from mlx_lm.sample_utils import make_logits_processors

    words = tiny_mlx.tokenizer()
    (x,) = words("x")["input_ids"]  # it says nothing else, so that each token is text
    small = MLXModel(
        "tiny", model=tiny_mlx.model(words, 4096), tokenizer=words, logit_bias={str(x): 100}, prompt_cache_bytes=0
    )
    loaded = small._runtime.ready().loaded
    bias = make_logits_processors({x: 100.0})
    runs = {
        "bare stream_generate": lambda: bare(loaded, 100, logits_processors=bias),
        "streamed": lambda: streamed(small, 100),
    }
    table("A tiny Llama: what is added, as nearly nothing is computed", runs, 5 * rounds)
    print(f"\nAfter 1,000 calls of it: {memory(small, 1000)}")

    model = MLXModel("default", prompt_cache_bytes=0)
    real = model._runtime.ready().loaded
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
