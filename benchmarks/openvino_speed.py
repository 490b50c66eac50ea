"""How fast OpenVINOModel generates, beside its bare pipeline: tokens a second, interleaved, over several rounds.

python benchmarks/openvino_speed.py [ROUNDS]
"""

from __future__ import annotations

import statistics
import sys
import time

from modelport import as_request, blocking
from modelport.adapters import OpenVINOModel

PROMPT = "Write a long story about the sea."
TOKENS = 200
TARGET = 0.97


def main() -> None:
    """Print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    model = OpenVINOModel(max_tokens=TOKENS, temperature=0, ignore_eos=True)
    model(PROMPT, max_tokens=2)
    (loaded,) = model._runtime.loaded.values()
    import openvino_genai

    config = openvino_genai.GenerationConfig(max_new_tokens=TOKENS, ignore_eos=True)
    turns = openvino_genai.ChatHistory([{"role": "user", "content": PROMPT}])
    request = as_request(PROMPT)
    stops = as_request(PROMPT, ["never said", "\0"])
    ways = {
        "bare pipeline, whole": lambda: loaded.pipeline.generate(turns, config),
        "bare pipeline, its text streamer": lambda: loaded.pipeline.generate(turns, config, lambda _: None),
        "OpenVINOModel, whole": lambda: blocking(model).generate(request).unwrap(),
        "OpenVINOModel, streamed": lambda: list(blocking(model).stream(request)),
        "OpenVINOModel, streamed, two stops": lambda: list(blocking(model).stream(stops)),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, generate in ways.items():
            start = time.perf_counter()
            generate()
            speeds[name].append(TOKENS / (time.perf_counter() - start))
    bare = speeds["bare pipeline, whole"]
    print(f"{rounds} rounds; the target is {TARGET} of the bare pipeline")
    print(f"{'':36} {'median':>8} {'best':>8} tokens/s {'median':>8} {'best':>8} to bare")
    for name, measured in speeds.items():
        middle, best = statistics.median(measured), max(measured)
        ratios = f"{middle / statistics.median(bare):8.3f} {best / max(bare):8.3f}"
        print(f"{name:36} {middle:8.1f} {best:8.1f} {'':8} {ratios}")


if __name__ == "__main__":
    main()
