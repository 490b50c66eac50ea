"""What importing costs: CPU time over that of bare Python, and the modules that come in, in fresh interpreters.

    python benchmarks/import_time.py [ROUNDS]

The lower of each statement's times over the rounds is shown: what other programs do can only add to it. To import and
build an OpenAIModel should take less than 150 ms, and with a first call at most a third of what the SDK takes for it.
"""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

from openai_wire import serve

STATEMENTS = {
    "bare Python": "pass",
    "import modelport": "import modelport",
    "the three layers": "from modelport import compose, with_fallback, with_rate_limit, with_retry",
    "every public name": "from modelport import *",
    "every adapter": "from modelport.adapters import *",
    "a first scripted call": "from modelport import ScriptedModel; ScriptedModel('a')('b')",
    "an OpenAIModel": "from modelport.adapters import OpenAIModel; OpenAIModel('m', base_url='{url}', api_key='k')",
    "a first call": "from modelport.adapters import OpenAIModel; OpenAIModel('m', base_url='{url}', api_key='k')('Hi')",
    "the SDK's first call": (
        "import openai; openai.OpenAI(base_url='{url}', api_key='k').chat.completions.create("
        "model='m', messages=[{{'role': 'user', 'content': 'Hi'}}])"
    ),
    "the SDK's, in asyncio": (
        "import asyncio, openai; client = openai.AsyncOpenAI(base_url='{url}', api_key='k'); asyncio.run("
        "client.chat.completions.create(model='m', messages=[{{'role': 'user', 'content': 'Hi'}}]))"
    ),
}
SDKS = ("openai", "aiohttp", "httpx2", "httpx", "torch", "transformers", "openvino", "numpy", "orjson", "aiolimiter")
NOTABLE = ("asyncio", "anyio", "attr", "returns", "tenacity", *SDKS)

PROBE = """
import os, sys, time
begin = time.process_time()
{statement}
spent = time.process_time() - begin
names = {{name.partition(".")[0] for name in sys.modules}}
print(spent * 1000, len(sys.modules), *sorted(names))
"""


def measure(statement: str) -> tuple[float, int, set[str]]:
    """CPU milliseconds, number of modules, and the top-level ones, in a fresh interpreter."""
    command = [sys.executable, "-c", PROBE.format(statement=statement)]
    spent, count, *names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return float(spent), int(count), set(names)


def main(rounds: int) -> None:
    """Print the table."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    try:
        table(f"http://127.0.0.1:{here.recv()}/v1", rounds)
    finally:
        server.terminate()
        server.join()


def table(url: str, rounds: int) -> None:
    """The same, with a server at this address."""
    print(f"{'':24}{'CPU ms':>8}{'modules':>9}  brings in")
    for name, statement in STATEMENTS.items():
        runs = [measure(statement.format(url=url)) for _ in range(rounds)]
        spent = min(run[0] for run in runs)
        _, count, modules = runs[0]
        print(f"{name:24}{spent:8.1f}{count:9}  {' '.join(word for word in NOTABLE if word in modules) or '-'}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
