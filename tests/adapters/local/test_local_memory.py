"""Calls of a local model leave no memory behind, however they end; benchmarks/memory.py does it a thousand times."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from importlib.util import find_spec
from typing import Any

import pytest

from modelport.adapters.process.calling import as_request


def _transformers() -> Any:
    import tiny_llama

    from modelport.adapters.transformers.model import TransformersModel

    words = tiny_llama.tokenizer()
    model = tiny_llama.model(words)
    return TransformersModel("tiny", model=model, tokenizer=words, max_tokens=4, temperature=0)


def _openvino() -> Any:
    import openvino_subject

    return openvino_subject.model(max_tokens=2)


@pytest.mark.parametrize(
    ("made", "package"),
    [(_transformers, "torch"), (_openvino, "openvino_genai")],
    ids=["TransformersModel", "OpenVINOModel"],
)
def test_a_hundred_calls_leave_nothing_behind(made: Any, package: str) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed here")
    model = made()

    async def ask(calls: int) -> None:
        for turn in range(calls):
            request = as_request("Say it.", ["e"] if turn % 4 == 2 else None)
            if turn % 2:
                stream = model.stream(request)
                async for _ in stream:
                    if turn % 4 == 3:
                        break
                await stream.aclose()
            else:
                (await model.generate(request)).unwrap()
        (await model.generate(as_request("Say it.", extra_body={"flavour": 3}))).failure()

    def held() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    asyncio.run(ask(4))
    tracemalloc.start()
    try:
        asyncio.run(ask(100))  # Python's own caches of names fill meanwhile
        before = held()
        asyncio.run(ask(100))
        grown = held() - before
    finally:
        tracemalloc.stop()
    assert grown < 40_000, "bytes: less than a Response for each call"
