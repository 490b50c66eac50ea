"""Models that run on this machine in OpenVINO GenAI: a folder of its own format, a GGUF file, or the embedded default.

Its pipeline answers one call at a time, so calls queue for the model's one thread, and each may leave the queue. What
tokens say is told apart in that thread, one by one: generation ends with the token that ends the text.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Unpack

import attrs

from ...domain.capability import Capabilities
from ...domain.error import ErrorKind, ModelError
from ...domain.event import Event, Finished
from ...domain.frozen import FrozenDict, thaw
from ...domain.options.call_options import Options
from ...domain.options.option_names import OPENVINO
from ...domain.request import Request
from ..local.answer import LocalAnswer
from ..local.model import ThreadedModel
from ..local.prompt import encode, room
from ..local.runtime import Runtime
from ..local.settings import CAN
from ..process.secret import revealed
from ..process.thread import Threads
from .answer import Answer, decode, streamed
from .errors import ERRORS, translate
from .loading import Loaded, load
from .prompt import read
from .sampling import configured

__all__ = ["CAN", "OpenVINOModel", "decode", "encode", "translate"]


def _runtime(model: OpenVINOModel) -> Runtime[Loaded]:
    loading = partial(_load, model.model_id, model.device, model.model_kwargs, model._pipeline)
    return Runtime(Threads("modelport-openvino", 1), loading)


def _load(model_id: str, device: str, kwargs: FrozenDict, pipeline: Any) -> Loaded:
    return load(model_id, device, revealed(thaw(kwargs)), pipeline)


@attrs.frozen(init=False, eq=False, repr=False, kw_only=True)
class OpenVINOModel(ThreadedModel):
    """A model in OpenVINO GenAI.

    `model_id` is a folder in OpenVINO's format, a GGUF file, the name of either on the Hub (`org/name`,
    `org/name/file.gguf`), or `default`: SmolLM2-135M-Instruct, fetched where it is not on this machine. It is loaded
    on first use, once. `model_kwargs` go to `LLMPipeline`, but `revision`, `cache_dir` and `token` to the Hub. A
    `pipeline` that is loaded already can be given instead. Options are defaults for every call.
    """

    errors = ERRORS
    known = OPENVINO

    device: str
    model_kwargs: FrozenDict
    _pipeline: Any
    _runtime: Runtime[Loaded] = attrs.field(init=False, default=attrs.Factory(_runtime, takes_self=True))

    def __init__(
        self,
        model_id: str | os.PathLike[str] = "default",
        *,
        device: str = "CPU",
        pipeline: Any = None,
        model_kwargs: Mapping[str, Any] | None = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        flatten_messages_as_text: bool = False,
        capabilities: Capabilities | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._set(
            model_id=model_id,
            device=device,
            pipeline=pipeline,
            model_kwargs=FrozenDict(model_kwargs or {}),
            apply_chat_template_kwargs=apply_chat_template_kwargs,
            custom_role_conversions=custom_role_conversions,
            flatten_messages_as_text=flatten_messages_as_text,
            capabilities=capabilities,
            options=options,
        )

    def _shown(self) -> Mapping[str, Any]:
        return self.options if self.device == "CPU" else {"device": self.device, **self.options}

    def _begin(
        self, ready: Loaded, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> tuple[LocalAnswer, Callable[[], Finished]]:
        prompt = read(ready, request, thaw(self.apply_chat_template_kwargs))
        inputs = ready.tokenizer.encode(prompt, add_special_tokens=False)
        size = int(inputs.input_ids.shape[1])
        # The tokenizer cuts a prompt that is longer than the context off in silence.
        config = configured(ready.pipeline.get_generation_config(), request, size, room(size, ready.window))
        answer = Answer(ready, request, prompt, show, cancelled)

        def generate() -> Finished:
            results = ready.pipeline.generate(inputs, config, streamed(answer))
            return answer.over(results.finish_reasons[0], size, self.model_id)

        return answer, generate

    def _failed(self, error: Exception, phase: str) -> ModelError:
        failure = super()._failed(error, phase)
        if failure.kind in (ErrorKind.OVERLOADED, ErrorKind.SERVER):
            # What ran out of memory is broken inside, and would crash with its next call: that loads it anew.
            self._runtime.close()
        return failure
