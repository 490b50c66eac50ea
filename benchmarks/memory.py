"""What a thousand calls leave behind: Python's own memory and the process's, between a warm-up and the end.

python benchmarks/memory.py [CALLS] [transformers openvino vllm mlx]

A quarter each of the calls is whole, streamed, ended by a stop, and dropped in the middle of its stream.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import sys
import tracemalloc
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelport import as_request

RUNTIMES = {
    "transformers": ("TransformersModel", "torch"),
    "openvino": ("OpenVINOModel", "openvino_genai"),
    "vllm": ("VLLMModel", "vllm"),
    "mlx": ("MLXModel", "mlx_lm"),
}
PARTS = 5  # how often it is looked; growth that goes on is a leak, growth that ends is a buffer


def main() -> None:
    """Print a table."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    wanted = sys.argv[2:] or [name for name, (_, package) in RUNTIMES.items() if find_spec(package) is not None]
    print(f"| {calls} calls after {calls // 10} | Python's memory, KiB | the process's, MiB | after each part, MiB |")
    print("|---|---|---|---|")
    for name in wanted:
        kind = RUNTIMES[name][0]
        model = getattr(import_module("modelport.adapters"), kind)("default", temperature=0, max_tokens=3)
        asyncio.run(_measure(kind, model, calls))
        if hasattr(model, "close"):
            model.close()


async def _measure(kind: str, model: Any, calls: int) -> None:
    tracemalloc.start()
    await _ask(model, calls // 10)
    held, resident = _held(), [_resident()]
    for _ in range(PARTS):
        await _ask(model, calls // PARTS)
        resident.append(_resident())
    grown = (_held() - held) / 1024
    tracemalloc.stop()
    steps = ", ".join(f"{(now - resident[0]) / 2**20:+.1f}" for now in resident[1:])
    print(f"| {kind} | {grown:+.1f} | {(resident[-1] - resident[0]) / 2**20:+.1f} | {steps} |", flush=True)


async def _ask(model: Any, calls: int) -> None:
    for turn in range(calls):
        request = as_request(f"Say {turn % 7}.", ["e", "never"] if turn % 4 == 2 else None)
        if turn % 4 in (0, 2):
            (await model.generate(request)).unwrap()
        else:
            stream = model.stream(request)
            async for _ in stream:
                if turn % 4 == 3:
                    break
            await stream.aclose()


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _resident() -> int:
    gc.collect()
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:  # no Linux: the most that it has been
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
