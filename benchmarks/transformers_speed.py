"""Tokens a second of `TransformersModel`, whole and streamed, against a bare `model.generate`, interleaved in one run.

`python benchmarks/transformers_speed.py [rounds] [bfloat16|float32]`
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.loading import default_folder
from modelport.adapters.transformers.model import TransformersModel

TOKENS = 64
PROMPT = "Tell me a long story about a lighthouse."


def main(rounds: int, dtype: str) -> None:
    """Prints a table of medians: by the clock, which other work on the machine disturbs, and by processor time."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(default_folder())
    runtime: Any = transformers.AutoModelForCausalLM.from_pretrained(default_folder(), dtype=getattr(torch, dtype))
    fixed: dict[str, Any] = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS}
    model = TransformersModel("default", model=runtime.eval(), tokenizer=tokenizer, temperature=0, **fixed)
    request = as_request(PROMPT, ["\x00never"])

    def bare() -> int:
        messages = [{"role": "user", "content": PROMPT}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True, return_tensors="pt")
        output = runtime.generate(**ids, do_sample=False, **fixed)
        tokenizer.decode(output[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        return int(output.shape[1] - ids["input_ids"].shape[1])

    def whole() -> int:
        usage = asyncio.run(model.generate(request)).unwrap().usage
        return usage.output_tokens if usage else 0

    async def read() -> None:
        async for _ in model.stream(request):
            pass

    def streamed() -> int:
        asyncio.run(read())
        return TOKENS

    runs: dict[str, Callable[[], int]] = {"bare generate": bare, "whole": whole, "streamed": streamed}
    rates: dict[str, list[float]] = {name: [] for name in runs}
    costs: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name in (*runs, *runs)[turn % 3 : turn % 3 + 3]:
            start, cpu = time.perf_counter(), time.process_time()
            count = runs[name]()
            if turn:  # the first round warms up
                rates[name].append(count / (time.perf_counter() - start))
                costs[name].append((time.process_time() - cpu) / count)
    print(f"SmolLM2-135M, {dtype}, greedy, {TOKENS} tokens, {rounds} rounds, {torch.get_num_threads()} threads\n")
    print("| run | tokens/s, median | of bare | best | of bare | CPU ms a token | of bare |")
    print("|---|---|---|---|---|---|---|")
    columns = {
        name: (statistics.median(rates[name]), max(rates[name]), statistics.median(costs[name])) for name in runs
    }
    usual, best, cost = columns["bare generate"]
    for name, (a, b, c) in columns.items():
        print(f"| {name} | {a:.1f} | {a / usual:.3f} | {b:.1f} | {b / best:.3f} | {c * 1000:.2f} | {c / cost:.3f} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 7, sys.argv[2] if sys.argv[2:] else "float32")
