"""Sixteen calls at once through `TransformersModel`: one after the other, together, and as one batch written by hand.

`python benchmarks/transformers_batch.py [rounds] [float32|bfloat16] [tokens]` prints medians of tokens a second, by
the clock and by processor time, which other work on the machine disturbs less; the time to the first token of a lone
call; and how many answers were the same as alone.

`python benchmarks/transformers_batch.py memory [calls]` makes calls of a tiny model and prints what they leave behind.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.loading import default_folder
from modelport.adapters.transformers.model import TransformersModel

AT_ONCE = 16
SUBJECTS = ("a lighthouse", "the sea and its many fish, whales and birds", "cats", "an old king who lost his crown")
PROMPTS = [
    f"Tell me story number {n} about {SUBJECTS[n % 4]}." + " Please be vivid." * (n % 5) for n in range(4 * AT_ONCE)
]


def speed(rounds: int, dtype: str, tokens: int) -> None:
    """Prints a table of medians; the runs are interleaved."""
    import torch
    import transformers

    words: Any = transformers.AutoTokenizer.from_pretrained(default_folder(), padding_side="left")
    runtime: Any = transformers.AutoModelForCausalLM.from_pretrained(default_folder(), dtype=getattr(torch, dtype))
    fixed: dict[str, Any] = {"max_new_tokens": tokens, "eos_token_id": [words.vocab_size - 1], "pad_token_id": 2}
    model = TransformersModel("default", model=runtime.eval(), tokenizer=words, temperature=0, **fixed)
    chats = [[{"role": "user", "content": prompt}] for prompt in PROMPTS[:AT_ONCE]]

    async def together(prompts: list[str]) -> list[str]:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(prompt: str) -> str:
            async with places:
                return (await model.generate(as_request(prompt))).unwrap().content

        return await asyncio.gather(*(one(prompt) for prompt in prompts))

    def by_hand(chats: list[Any]) -> int:
        given = words.apply_chat_template(
            chats, add_generation_prompt=True, return_dict=True, return_tensors="pt", padding=True
        )
        output = runtime.generate(**given, do_sample=False, **fixed)
        words.batch_decode(output[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
        return tokens * len(chats)

    said: dict[str, list[str]] = {}

    def in_turn() -> int:
        said["in turn"] = [model(prompt).content for prompt in PROMPTS[: AT_ONCE // 4]]
        return tokens * AT_ONCE // 4

    def at_once() -> int:
        said["at once"] = asyncio.run(together(PROMPTS[:AT_ONCE]))
        return tokens * AT_ONCE

    def steadily() -> int:
        asyncio.run(together(PROMPTS))
        return tokens * len(PROMPTS)

    async def first() -> float:
        start = time.perf_counter()
        stream = model.stream(as_request(PROMPTS[0]))
        await anext(stream)
        took = time.perf_counter() - start
        await stream.aclose()
        return took

    def bare_first() -> float:
        start = time.perf_counter()
        given = words.apply_chat_template(chats[0], add_generation_prompt=True, return_dict=True, return_tensors="pt")
        runtime.generate(**given, do_sample=False, **{**fixed, "max_new_tokens": 1})
        return time.perf_counter() - start

    runs: dict[str, Callable[[], int]] = {
        "bare, alone": lambda: by_hand(chats[:1]),
        "one after the other": in_turn,
        f"{AT_ONCE} at once": at_once,
        f"a left-padded batch of {AT_ONCE} by hand": lambda: by_hand(chats),
        f"{len(PROMPTS)}, {AT_ONCE} at a time": steadily,
    }
    rates: dict[str, list[float]] = {name: [] for name in runs}
    costs: dict[str, list[float]] = {name: [] for name in runs}
    waits: dict[str, list[float]] = {"bare": [], "stream": []}
    by_hand(chats[:1])
    model("warm", max_tokens=2)
    for _ in range(rounds):
        for name, run in runs.items():
            start, cpu = time.perf_counter(), time.process_time()
            count = run()
            rates[name].append(count / (time.perf_counter() - start))
            costs[name].append((time.process_time() - cpu) / count)
        for _ in range(5):
            waits["bare"].append(bare_first())
            waits["stream"].append(asyncio.run(first()))
    print(f"SmolLM2-135M, {dtype}, greedy, {tokens} tokens, {rounds} rounds, {torch.get_num_threads()} threads\n")
    print("| run | tokens/s | of in turn | of by hand | CPU ms a token | in turn by it | by hand by it |")
    print("|---|---|---|---|---|---|---|")
    middle = {name: (statistics.median(rates[name]), statistics.median(costs[name])) for name in runs}
    _, turn, _, hand, _ = middle.values()
    for name, (rate, cost) in middle.items():
        by_clock = f"{rate:.1f} | {rate / turn[0]:.2f} | {rate / hand[0]:.2f}"
        print(f"| {name} | {by_clock} | {1000 * cost:.1f} | {turn[1] / cost:.2f} | {hand[1] / cost:.2f} |")
    alone, at = said["in turn"], said["at once"]
    same = sum(a == b for a, b in zip(alone, at, strict=False))
    print(f"\nthe same text as alone: {same} of {len(alone)}")
    late = [1000 * (b - a) for a, b in zip(waits["bare"], waits["stream"], strict=True)]
    print(
        f"first token: bare {1000 * statistics.median(waits['bare']):.1f} ms, later {statistics.median(late):+.1f} ms"
    )


def memory(calls: int) -> None:
    """Prints what Python and the process hold after a third, two thirds and all of the calls of a tiny model."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "kit" / "tiny"))
    import tiny_llama

    words = tiny_llama.tokenizer()
    model = TransformersModel("tiny", model=tiny_llama.model(words), tokenizer=words, max_tokens=8)

    async def some(count: int) -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with places:
                request = as_request(f"{number} {'the end ' * (number % 9)}", seed=number)
                if number % 3:
                    await model.generate(request)
                    return
                stream = model.stream(request)
                await anext(stream)
                await stream.aclose()

        await asyncio.gather(*(one(number) for number in range(count)))

    asyncio.run(some(200))
    tracemalloc.start()
    for part in range(4):
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        now = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
        done = calls * part // 3
        print(f"after {done:5} calls: traced {held / 1024:8.1f} KiB, RSS {now:.1f} MiB, at most {most:.1f} MiB")
        if part < 3:
            asyncio.run(some(calls // 3))


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        memory(int(sys.argv[2]) if sys.argv[2:] else 1000)
    else:
        asked = dict(enumerate(sys.argv))
        speed(int(asked.get(1, 3)), asked.get(2, "float32"), int(asked.get(3, 48)))
