"""What a response format costs in tokens a second: the same model free and under constraints, interleaved in one run.

python benchmarks/constrained.py [ROUNDS] [transformers openvino vllm mlx]
"""

from __future__ import annotations

import statistics
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from modelport import Free, JsonSchema, Regex
from modelport.domain.response_format import ResponseFormat

RUNTIMES = {
    "transformers": ("TransformersModel", "torch"),
    "openvino": ("OpenVINOModel", "openvino_genai"),
    "vllm": ("VLLMModel", "vllm"),
    "mlx": ("MLXModel", "mlx_lm"),
}
PROMPT = "Write a very long story about the sea, with many people."
TOKENS = 100
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "mood": {"enum": ["glad", "sad"]},
        "words": {"type": "array", "items": {"type": "string"}, "minItems": 5},
    },
    "required": ["name", "age", "mood", "words"],
    "additionalProperties": False,
}
FORMS: dict[str, ResponseFormat] = {  # none of them is complete within so many tokens
    "free": Free(),
    "a JSON schema": JsonSchema({"type": "array", "items": PERSON, "minItems": 40}),
    "a regular expression": Regex("([A-Za-z]+,? ){60,}"),
}


def main() -> None:
    """Print a table for each runtime."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    wanted = sys.argv[2:] or [name for name, (_, package) in RUNTIMES.items() if find_spec(package) is not None]
    for name in wanted:
        kind = RUNTIMES[name][0]
        model = getattr(import_module("modelport.adapters"), kind)("default", temperature=0)
        _measure(kind, model, rounds)
        if hasattr(model, "close"):
            model.close()


def _measure(kind: str, model: Any, rounds: int) -> None:
    _ask(model, Free())
    begun = {name: _ask(model, form, 1)[0] - _ask(model, form, 1)[0] for name, form in FORMS.items()}
    rates: dict[str, list[float]] = {name: [] for name in FORMS}
    costs: dict[str, list[float]] = {name: [] for name in FORMS}
    for turn in range(rounds):
        for name in [*FORMS, *FORMS][turn % len(FORMS) : turn % len(FORMS) + len(FORMS)]:
            seconds, cpu, tokens = _ask(model, FORMS[name])
            rates[name].append(tokens / seconds)
            costs[name].append(1000 * cpu / tokens)
    print(f"\n| {kind}, {rounds} rounds of {TOKENS} tokens | tokens/s, median | of free, median of the rounds "
          "| CPU ms a token | of free | first use, ms |\n|---|---|---|---|---|---|")  # fmt: skip
    for name in FORMS:
        speed, paired = _compared(rates, name)
        cost, dearer = _compared(costs, name)
        first = f"{max(begun[name], 0) * 1000:.0f}" if name != "free" else ""
        print(f"| {name} | {speed:.1f} | {paired:.3f} | {cost:.1f} | {dearer:.3f} | {first} |")


def _compared(measured: dict[str, list[float]], name: str) -> tuple[float, float]:
    """Its median, and the median of what it was to the free one of the same round."""
    pairs = zip(measured[name], measured["free"], strict=True)
    return statistics.median(measured[name]), statistics.median(one / free for one, free in pairs)


def _ask(model: Any, form: ResponseFormat, tokens: int = TOKENS) -> tuple[float, float, int]:
    """The seconds by the clock and of the processors, and the tokens, which must be all that were allowed."""
    start, cpu = time.perf_counter(), time.process_time()
    usage = model(PROMPT, response_format=form, max_tokens=tokens).usage
    assert usage.output_tokens == tokens, usage
    return time.perf_counter() - start, time.process_time() - cpu, tokens


if __name__ == "__main__":
    main()
