"""Models that run on this machine in vLLM, on its asynchronous engine: calls made at once are answered at once.

The prompt is made in a thread, tokens are told apart on the engine's event loop, one by one, and generation ends with
the token that ends the text. A call that is cancelled, or a stream that is closed, ends its request in the engine.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Protocol, Unpack

import attrs

from ...domain.answer_builder import AnswerBuilder
from ...domain.capability import Capabilities
from ...domain.event import Event, Failed
from ...domain.frozen import FrozenDict, thaw
from ...domain.options.call_options import Options
from ...domain.options.option_names import VLLM
from ...domain.request import Request
from ..files.torch_folder import sees
from ..local.model import LocalModel
from ..local.prompt import encode
from ..local.sampling import Usual
from ..local.settings import CAN
from ..process.secret import revealed
from .answer import Answer, decode
from .engine import Closed, Engine, Engines
from .errors import ERRORS, translate
from .loading import Start
from .prompt import Prompt, PromptReader
from .sampling import Loras, call_options, sampling_params, usual

__all__ = ["CAN", "VLLMModel", "decode", "encode", "translate"]


class Runs(Protocol):
    """Whatever has an engine: a `VLLMModel`."""

    _runtime: Any


@attrs.frozen(eq=False)
class Ready:
    """A running engine, and what there is to know of its model."""

    engine: Engine
    llm: Any  # vLLM's own client of it
    reader: PromptReader
    usual: Usual
    loras: Loras

    @classmethod
    def of(cls, engine: Engine) -> Ready:
        """What an engine that has started has."""
        llm = engine.started.result()
        return cls(engine, llm, PromptReader(llm), usual(llm.model_config), Loras())

    async def read(self, request: Request, kwargs: Mapping[str, Any]) -> Prompt:
        """The prompt, made in a thread of the engine's. Raises what is wrong with the request."""
        return await asyncio.wrap_future(self.reader.threads.submit(partial(self.reader.read, request, kwargs)))


class EngineRuntime:
    """What can't be a value: the engine of a model."""

    __slots__ = ("_engines",)

    def __init__(self, model_id: str, kwargs: FrozenDict) -> None:
        self._engines = Engines(lambda: Start(model_id, lambda: revealed(thaw(kwargs))))

    async def ready(self) -> tuple[Engine, Ready]:
        """The engine, once it is ready. Raises what it failed with."""
        engine = self._engines.engine()
        if not engine.started.done():
            await asyncio.wrap_future(engine.started)
        return engine, engine.once(Ready.of)

    def close(self) -> None:
        """End the engine."""
        self._engines.close()


def _runtime(model: VLLMModel) -> Any:
    return EngineRuntime(model.model_id, model.model_kwargs) if model._engine is None else model._engine._runtime


@attrs.frozen(init=False, eq=False, repr=False, kw_only=True)
class VLLMModel(LocalModel):
    """A model that vLLM runs: a name on the hub, a folder, or `default` for the embedded one.

    Its engine starts on first use, once, and again after `close()` or when it has died. `model_kwargs` are arguments of
    vLLM's engine. With `engine`, another `VLLMModel`, both share one engine. Options are defaults for every call.
    """

    errors = ERRORS
    known = VLLM

    model_kwargs: FrozenDict
    _engine: Runs | None
    _runtime: EngineRuntime = attrs.field(init=False, default=attrs.Factory(_runtime, takes_self=True))

    def __init__(
        self,
        model_id: str | os.PathLike[str] = "default",
        *,
        model_kwargs: Mapping[str, Any] | None = None,
        engine: Runs | None = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        flatten_messages_as_text: bool = False,
        capabilities: Capabilities | None = None,
        **options: Unpack[Options],
    ) -> None:
        if engine is not None and model_kwargs:
            raise ValueError("VLLMModel: model_kwargs start an engine, and engine is one that another model starts")
        self._set(
            model_id=model_id,
            model_kwargs=FrozenDict(model_kwargs or {}),
            engine=engine,
            apply_chat_template_kwargs=apply_chat_template_kwargs,
            custom_role_conversions=custom_role_conversions,
            flatten_messages_as_text=flatten_messages_as_text,
            capabilities=capabilities,
            options=options,
        )

    def _assumed(self) -> Capabilities:
        return attrs.evolve(CAN, images=sees(self.model_id))

    async def _events(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        try:
            engine, ready = await self._runtime.ready()
        except Exception as error:
            yield Failed(translate(error, self.model_id, "loading"))
            return
        try:
            async with aclosing(engine.pieces(partial(self._answer, ready, request, deltas))) as events:
                async for event in events:
                    yield event
        except Closed as error:  # before it was begun
            yield Failed(translate(error, self.model_id, "loading"))

    async def _answer(self, ready: Ready, request: Request, deltas: bool, give: Callable[[Event], None]) -> None:
        """On the engine's loop: one call from its prompt to its end."""
        phase, name, fail = "reading", "", AnswerBuilder().fail
        try:
            prompt = await ready.read(request, thaw(self.apply_chat_template_kwargs))
            call = call_options(request.options, ready.usual, prompt.room)
            stepwise = deltas or bool(request.stop_sequences)
            params = sampling_params(call.params, request.response_format, deltas=stepwise)
            answer = Answer(ready.reader, request, prompt, params, call.top_logprobs, give if deltas else None)
            fail = answer.fail
            lora = await ready.loras.loaded(ready.llm, call.lora)
            phase = "generating"
            name = f"modelport-{next(_numbers)}"
            outputs = ready.llm.generate(prompt.for_engine, params, name, lora_request=lora, priority=call.priority)
            async with aclosing(outputs):
                async for output in outputs:
                    answer.take(output)
                    if answer.ended:
                        break
            give(answer.over(self.model_id))
        except asyncio.CancelledError:
            if not ready.engine.closing:
                raise
            give(fail(translate(Closed(), self.model_id)))
        except Exception as error:
            if name:
                with suppress(Exception):  # it may be dead
                    await ready.llm.abort(name)  # vLLM forgets to, where the engine can't be sent what was call_options
            give(fail(translate(error, self.model_id, phase, ready.engine.client.why())))


_numbers = itertools.count(1)
