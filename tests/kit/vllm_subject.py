"""`VLLMModel` with the embedded default's weights, in the situations that the laws speak of.

One engine serves all the tests of a process: to start one takes longer than most of them.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import attrs
from conformance import Exchange
from laws import Case
from subjects import unsigned, written
from tiny_words import TEMPLATE

from modelport import Response
from modelport.adapters.vllm.model import VLLMModel

ENGINE = {"kv_cache_memory_bytes": 1 << 30, "block_size": 256, "max_model_len": 2048, "max_num_seqs": 128}
"""Enough for the tests; no prompt shorter than 256 tokens comes from the cache, so that usage is the same each time."""

Generate = Callable[..., AsyncGenerator[Any]]


@cache
def model() -> VLLMModel:
    """The model that has the engine."""
    return VLLMModel("default", model_kwargs=ENGINE, temperature=0)


class VLLM:
    """It says what it wants, the same each time; a runtime around its engine fails and breaks where that is asked."""

    signed = staticmethod(unsigned)

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(max_tokens=12)

    def failing(self) -> Case:
        return self._case(broken)

    def stalling(self) -> Case:
        return self._case(max_tokens=4000, ignore_eos=True)

    def breaking(self, after: int) -> Case:
        return self._case(lambda inner: breaking(inner, after), max_tokens=12)

    def replying(self, response: Response) -> Exchange:
        """It says so in the words that small models have for thoughts and calls."""
        told, runtime = saying(written(response))
        return Exchange(told, lambda: runtime.prompts, constrained=True)

    def _case(self, change: Callable[[Generate], Generate] = lambda inner: inner, **options: Any) -> Case:
        runtime = Around(change)
        return Case(runtime.model(temperature=0), lambda: runtime.open, lambda: runtime.asked, options)


def saying(text: str, template: str = TEMPLATE, **options: Any) -> tuple[VLLMModel, Around]:
    """A model that says this text, with the tokenizer of the real one."""
    runtime = Around(lambda inner: says(runtime, text))
    given = {"chat_template": template} if template else {}
    return runtime.model(apply_chat_template_kwargs=given, max_tokens=4000, **options), runtime


def says(runtime: Around, text: str) -> Generate:
    """Generates the tokens of this text, whatever it is asked."""

    async def generate(prompt: Any, params: Any, *args: Any, **named: Any) -> AsyncGenerator[Any]:
        tokens = [*runtime.tokenizer.encode(text, add_special_tokens=False), runtime.tokenizer.eos_token_id]
        tokens = tokens[: params.max_tokens]
        deltas = params.output_kind.name == "DELTA"
        for piece in [tokens[at : at + 1] for at in range(len(tokens))] if deltas else [tokens]:
            done = not deltas or piece is tokens[-1:] or piece[-1] == runtime.tokenizer.eos_token_id
            yield output(piece, "stop" if done else None)

    return generate


def output(tokens: Sequence[int], reason: str | None, logprobs: Any = None) -> Any:
    """What vLLM gives for these tokens."""
    completion = SimpleNamespace(token_ids=list(tokens), finish_reason=reason, logprobs=logprobs)
    return SimpleNamespace(outputs=[completion], num_cached_tokens=0)


def broken(inner: Generate) -> Generate:
    """Fails at once."""

    async def generate(*args: Any, **named: Any) -> AsyncGenerator[Any]:
        raise RuntimeError("the device is gone")
        yield

    return generate


def breaking(inner: Generate, after: int) -> Generate:
    """Fails after so many pieces."""

    async def generate(*args: Any, **named: Any) -> AsyncGenerator[Any]:
        left = after
        async for piece in inner(*args, **named):
            if not left or piece.outputs[0].finish_reason:
                break
            left -= 1
            yield piece
        raise RuntimeError("the device is gone")

    return generate


class Around:
    """The engine's runtime with another `generate`; it counts the generations that run, and those that have run."""

    def __init__(self, change: Callable[[Generate], Generate]) -> None:
        self._change = change
        self.open = self.asked = 0
        self.prompts: list[str] = []
        self._lock = threading.Lock()

    def model(self, **options: Any) -> VLLMModel:
        return VLLMModel("default", engine=SimpleNamespace(_runtime=self), **options)

    async def ready(self) -> Any:
        engine, found = await model()._runtime.ready()
        self.tokenizer = found.reader.tokenizer
        llm = SimpleNamespace(generate=self._generate, abort=found.llm.abort, model_config=found.llm.model_config)
        self._inner = self._change(found.llm.generate)
        return engine, attrs.evolve(found, llm=llm)

    def close(self) -> None:
        raise AssertionError("the engine is shared")

    async def _generate(self, prompt: Any, *args: Any, **named: Any) -> AsyncGenerator[Any]:
        self.prompts.append(self.tokenizer.decode(prompt["prompt_token_ids"]))
        with self._lock:
            self.open += 1
            self.asked += 1
        pieces = self._inner(prompt, *args, **named)
        try:
            async for piece in pieces:
                yield piece
        finally:
            await pieces.aclose()
            with self._lock:
                self.open -= 1
