"""Where the time of `modelport ask` goes, in fresh processes: the first start, which converts, and the ones after it.

python benchmarks/ask.py [STARTS]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time

QUESTION = "What is gravity?"
TOKENS = 40
TARGET = 6.0

STEPS = f"""
import json, time
start = time.time()
import click, rich
import modelport.composition.cli.ask
from modelport.composition.cli.model_names import model_for
from modelport import as_request, blocking, TextDelta
imported = time.time()
from modelport.adapters.files.weights import default_gguf
default_gguf()
weights = time.time()
from modelport.adapters.openvino.sdk import no_statistics
no_statistics()
import openvino_genai
runtime = time.time()
model = model_for("openvino:default")
model._runtime.ready()
loaded = time.time()
first = None
for event in blocking(model).stream(as_request({QUESTION!r}, max_tokens={TOKENS})):
    first = first or time.time()
moments = [start, imported, weights, runtime, loaded, first, time.time()]
print(json.dumps([late - early for early, late in zip(moments, moments[1:])]))
"""
NAMES = ("our imports", "weights", "import OpenVINO", "load", "first token", "other tokens")


def command(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds to the first byte and to the end of the real command."""
    asked = [sys.executable, "-m", "modelport", "ask", QUESTION, "--max-tokens", str(TOKENS)]
    start = time.perf_counter()
    with subprocess.Popen(
        asked, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        first = time.perf_counter() - start
        process.stdout.read()
    return first, time.perf_counter() - start


def steps(environment: dict[str, str]) -> list[float]:
    """Seconds of each step."""
    done = subprocess.run([sys.executable, "-c", STEPS], check=True, capture_output=True, text=True, env=environment)
    return list(json.loads(done.stdout))


def main() -> None:
    """Print the tables."""
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MODELPORT_CACHE": folder}
        print(f"modelport ask, {TOKENS} tokens, seconds (first token of a later start: the target is {TARGET:.0f})")
        print(f"{'':12} {'first token':>12} {'end':>8}")
        for number in range(starts):
            first, end = command(environment)
            print(f"start {number + 1:<6} {first:12.2f} {end:8.2f}")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "MODELPORT_CACHE": folder}
        measured = [steps(environment) for _ in range(starts)]
    print("\nwhere it goes, seconds")
    print(f"{'':18}" + "".join(f"{f'start {number + 1}':>9}" for number in range(starts)))
    for row, name in enumerate(NAMES):
        print(f"{name:18}" + "".join(f"{start[row]:9.2f}" for start in measured))


if __name__ == "__main__":
    main()
