"""Who keeps the laws: each adapter and each layer in the situations that the laws speak of."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
from chat_provider import ChatProvider
from laws import TEXT, Case, Subject
from loopback import Loopback

from modelport import (
    Break,
    Layer,
    Model,
    ModelError,
    Request,
    Response,
    ScriptedModel,
    Stall,
    compose,
    with_fallback,
    with_rate_limit,
    with_retry,
)
from modelport.adapters import OpenAIModel, OpenVINOModel, TransformersModel, from_function

BROKEN = ModelError("invalid_request", "broken", sent="yes")
FAST = 6_000_000  # calls a minute: a limiter that is there, and keeps nobody waiting


class Scripted:
    """`ScriptedModel`, bare or under layers."""

    def __init__(self, *layers: Callable[[ScriptedModel], Layer]) -> None:
        self.layers = layers

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(ScriptedModel(text, repeat=True, chunk=sizes))

    def failing(self) -> Case:
        return self._case(ScriptedModel(BROKEN, repeat=True))

    def stalling(self) -> Case:
        return self._case(ScriptedModel(Stall(TEXT, after=1), repeat=True))

    def breaking(self, after: int) -> Case:
        return self._case(ScriptedModel(Break(TEXT, after), repeat=True))

    def _case(self, model: ScriptedModel) -> Case:
        stack: Model = compose(model, *(layer(model) for layer in self.layers)) if self.layers else model
        return Case(stack, lambda: model.open, lambda: len(model.requests))


@attrs.define(eq=False)
class Counted:
    """A function that counts its calls and may wait."""

    says: str | ModelError | None
    asked: int = 0
    open: int = 0
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    async def __call__(self, request: Request) -> str | Response:
        with self.lock:
            self.asked += 1
            self.open += 1
        try:
            if self.says is None:
                await asyncio.Event().wait()
            if isinstance(self.says, ModelError):
                raise OSError(str(self.says))
            return self.says or Response.of("")
        finally:
            with self.lock:
                self.open -= 1


class Functions:
    """An asynchronous function; it says nothing before its end, so that nothing of it can be closed halfway."""

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(text)

    def failing(self) -> Case:
        return self._case(BROKEN)

    def stalling(self) -> Case:
        return self._case(None)

    def breaking(self, after: int) -> Case:
        return self._case(BROKEN)

    def _case(self, says: str | ModelError | None) -> Case:
        function = Counted(says)
        return Case(from_function(function), lambda: function.open, lambda: function.asked)


class Transformers:
    """`TransformersModel` over a runtime that generates the tokens that it is told to."""

    def __init__(self) -> None:
        import tiny_llama

        self.says: type[Any] = tiny_llama.Says
        self.tokenizer = tiny_llama.tokenizer()

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(self.tokenizer(text)["input_ids"])

    def failing(self) -> Case:
        def fail(step: int) -> None:
            raise RuntimeError("the device is gone")

        return self._case([1], fail)

    def stalling(self) -> Case:
        return self._case(self.tokenizer(TEXT)["input_ids"] * 2000)

    def breaking(self, after: int) -> Case:
        def fail(step: int) -> None:
            if step == after:
                raise RuntimeError("the device is gone")

        return self._case(self.tokenizer(TEXT)["input_ids"], fail)

    def _case(self, tokens: list[int], before: Callable[[int], None] = lambda step: None) -> Case:
        runtime = Counting(self.says(tokens, before))
        model = TransformersModel("told", model=runtime, tokenizer=self.tokenizer, max_tokens=len(tokens) or 1)
        return Case(model, lambda: runtime.open, lambda: runtime.asked)


class OpenVINO:
    """`OpenVINOModel` with the embedded default's weights: it says what it wants, the same each time."""

    def __init__(self) -> None:
        self.pipeline = OpenVINOModel("default")._load().pipeline

    def answering(self, text: str, sizes: Sequence[int] = (8,)) -> Case:
        return self._case(self.pipeline, max_tokens=12)

    def failing(self) -> Case:
        return self._case(self.pipeline, broken=RuntimeError("the device is gone"))

    def stalling(self) -> Case:
        return self._case(self.pipeline, max_tokens=4000, ignore_eos=True)

    def breaking(self, after: int) -> Case:
        return self._case(Breaking(self.pipeline, after), max_tokens=12)

    def _case(self, pipeline: Any, broken: Exception | None = None, **options: Any) -> Case:
        runtime = Counting(pipeline, broken)
        model = OpenVINOModel("default", pipeline=runtime)
        return Case(model, lambda: runtime.open, lambda: runtime.asked, options)


class Counting:
    """A runtime that counts the generations that run, and those that have run; it may be broken."""

    def __init__(self, inner: Any, broken: Exception | None = None) -> None:
        self.inner, self.broken = inner, broken
        self.open = self.asked = 0
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def generate(self, *args: Any, **named: Any) -> Any:
        with self._lock:
            self.open += 1
            self.asked += 1
        try:
            if self.broken:
                raise self.broken
            return self.inner.generate(*args, **named)
        finally:
            with self._lock:
                self.open -= 1


class Breaking:
    """A runtime that stops after so many pieces and fails."""

    def __init__(self, inner: Any, after: int) -> None:
        self.inner, self.left = inner, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def generate(self, inputs: Any, config: Any, streamer: Any) -> Any:
        config.max_new_tokens = self.left
        if self.left:
            self.inner.generate(inputs, config, streamer)
        raise RuntimeError("the device is gone")


def _paced(_: object) -> Layer:
    return with_rate_limit(FAST)


def _again(_: object) -> Layer:
    return with_retry(base=0.001)


def _replaced(model: ScriptedModel) -> Layer:
    return with_fallback(ScriptedModel(*model.answers, repeat=True))  # it fails where the first one does


def _openai(server: Loopback, model_id: str = "m-1") -> OpenAIModel:
    return OpenAIModel(model_id, base_url=server.url, api_key="none")


def _stack(server: Loopback) -> Model:
    bare = _openai(server)
    return compose(bare, _paced(bare), _again(bare), with_fallback(_openai(server, "m-2")))


PROVIDERS: dict[str, Callable[[], ChatProvider]] = {
    "OpenAIModel": lambda: ChatProvider(_openai),
    "a stack on OpenAIModel": lambda: ChatProvider(_stack),
}
_SUBJECTS: dict[str, Callable[[], Subject]] = {
    "ScriptedModel": Scripted,
    "from_function": Functions,
    "TransformersModel": Transformers,
    "OpenVINOModel": OpenVINO,
    "with_retry": lambda: Scripted(_again),
    "with_rate_limit": lambda: Scripted(_paced),
    "with_fallback": lambda: Scripted(_replaced),
    "a stack": lambda: Scripted(_paced, _again, _replaced),
    "a stack in a stack": lambda: Scripted(
        _again, _paced, lambda model: lambda inner: compose(inner, _replaced(model))
    ),
}
NAMES = [*_SUBJECTS, *PROVIDERS]
TELLABLE = [name for name in NAMES if name != "OpenVINOModel"]  # they say what they are told


@contextmanager
def subject(name: str) -> Iterator[Subject]:
    """The subject of this name."""
    if name in PROVIDERS:
        with PROVIDERS[name]() as provider:
            yield provider
    else:
        yield _SUBJECTS[name]()
