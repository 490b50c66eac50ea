"""`MLXModel` in the situations that the laws speak of: a tiny model that says what it is told, and the real default."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import tiny_mlx
from conformance import Exchange
from laws import TEXT, Case
from subjects import unsigned, written

from modelport import Response
from modelport.adapters.mlx.line import Generation, Line
from modelport.adapters.mlx.loading import Loaded
from modelport.adapters.mlx.model import MLXModel

KEPT = 1 << 28


class Counting(Line):
    """Counts the calls that are generated, and those that have been; it may be broken."""

    def __init__(self, loaded: Loaded, most_bytes: int, broken: bool = False) -> None:
        super().__init__(loaded, most_bytes)
        self.broken, self.prompts = broken, list[list[int]]()
        self.open = self.asked = 0
        self._count = threading.Lock()

    def generate(self, call: Generation) -> None:
        with self._count:
            self.open += 1
            self.asked += 1
            self.prompts.append(call.prompt)
        try:
            if self.broken:
                raise RuntimeError("the device is gone")
            super().generate(call)
        finally:
            with self._count:
                self.open -= 1


def counted(model: MLXModel, *, broken: bool = False) -> Counting:
    """Have the calls of this model counted."""
    line = Counting(model._runtime.ready().loaded, model.prompt_cache_bytes, broken)
    model._runtime.ready().line = line
    return line


class Tell:
    """A logits processor that leaves one token at each step: those of a text, and then the end. It may break off."""

    def __init__(self, words: Any, tokens: Sequence[int], breaks: int | None = None) -> None:
        self._prompt_ends = words("<assistant>")["input_ids"]
        self._tokens, self._breaks = [*tokens, words.eos_token_id], breaks

    def __call__(self, tokens: Any, scores: Any) -> Any:
        known, mark = tokens.tolist(), self._prompt_ends
        begin = next(at for at in range(len(known), 0, -1) if known[at - len(mark) : at] == mark)
        step = len(known) - begin
        if step == self._breaks:
            raise RuntimeError("the device is gone")
        return scores.at[:, self._tokens[min(step, len(self._tokens) - 1)]].add(1000.0)


class MLX:
    """A tiny model that says what it is told."""

    signed = staticmethod(unsigned)

    def __init__(self) -> None:
        self.words = tiny_mlx.tokenizer()
        self.llama = tiny_mlx.model(self.words, 100_000)

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(self._model(text))

    def failing(self) -> Case:
        return self._case(self._model(TEXT), broken=True)

    def stalling(self) -> Case:
        return self._case(self._model(TEXT * 2000))

    def breaking(self, after: int) -> Case:
        return self._case(self._model(TEXT, after))

    def replying(self, response: Response) -> Exchange:
        """It says so in the words that small models have for thoughts and calls."""
        model = self._model(written(response))
        line = counted(model)
        return Exchange(model, lambda: [self.words.decode(prompt) for prompt in line.prompts], constrained=True)

    def _model(self, text: str, breaks: int | None = None) -> MLXModel:
        tell = Tell(self.words, self.words(text)["input_ids"], breaks)
        given: dict[str, Any] = {"logits_processors": [tell], "max_tokens": 90_000, "prompt_cache_bytes": 0}
        return MLXModel("told", model=self.llama, tokenizer=self.words, **given)

    def _case(self, model: MLXModel, *, broken: bool = False) -> Case:
        line = counted(model, broken=broken)
        return Case(model, lambda: line.open, lambda: line.asked)


class Real:
    """The embedded default's weights: it says what it wants, the same each time."""

    def __init__(self) -> None:
        self.model = MLXModel("default", temperature=0, prompt_cache_bytes=KEPT)
        self.loaded = self.model._runtime.ready().loaded
        self.line = counted(self.model)
        case = self.answering(TEXT)
        self.model("What is there to say?", **case.options)  # from now on the prompt is known, and usage the same

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(self.model, self.line, max_tokens=6)

    def failing(self) -> Case:
        model = self._another()
        return self._case(model, counted(model, broken=True))

    def stalling(self) -> Case:
        endless = {str(end): -100 for end in self.loaded.ends}
        return self._case(self.model, self.line, max_tokens=4000, logit_bias=endless)

    def breaking(self, after: int) -> Case:
        left = [after]

        def step(tokens: Any, scores: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise RuntimeError("the device is gone")
            return scores

        return self._case(self.model, self.line, max_tokens=12, logits_processors=[step])

    def _another(self) -> MLXModel:
        return MLXModel("default", model=self.loaded.model, tokenizer=self.loaded.tokenizer)

    def _case(self, model: MLXModel, line: Counting, **options: Any) -> Case:
        before = line.asked
        return Case(model, lambda: line.open, lambda: line.asked - before, options, patience=60)
