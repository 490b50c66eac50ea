"""Models that run on this machine in OpenVINO GenAI: a folder of its own format, a GGUF file, or the embedded default.

Its pipeline answers one call at a time, so calls queue for the model's one thread, and each may leave the queue. What
tokens say is told apart in that thread, one by one: generation ends with the token that ends the text.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import attrs

from ...domain.capability import Capabilities
from ...domain.error import ErrorKind, ModelError
from ...domain.event import Event, Finished
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.option import canonical, resolve
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.usage import Usage
from ..local.answer import LocalAnswer
from ..local.model import ThreadedModel, named
from ..local.prompt import check_template, check_tools, room
from ..local.runtime import Runtime
from ..local.template import offered, template_messages, template_tools
from ..process.secret import revealed
from ..process.thread import Threads
from .config import configured
from .errors import ERRORS
from .loading import Loaded, load

CAN = Capabilities(tools=True, json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model in OpenVINO GenAI can: tools if its template tells of them, and any form of answer."""


def decode(reason: object) -> FinishReason:
    """Why generation ended, of OpenVINO's own reason."""
    return _REASONS.get(getattr(reason, "name", ""), FinishReason.OTHER)


_REASONS = {"STOP": FinishReason.STOP, "LENGTH": FinishReason.LENGTH, "TOOL_CALL": FinishReason.STOP}


@attrs.frozen(init=False, eq=False, repr=False)
class OpenVINOModel(ThreadedModel):
    """A model in OpenVINO GenAI.

    `model_id` is a folder in OpenVINO's format, a GGUF file, the name of either on the Hub (`org/name`,
    `org/name/file.gguf`), or `default`: SmolLM2-135M-Instruct, fetched where it is not on this machine. It is loaded
    on first use, once. `model_kwargs` go to `LLMPipeline`, but `revision`, `cache_dir` and `token` to the Hub. A
    `pipeline` that is loaded already can be given instead. Options are defaults for every call.
    """

    errors = ERRORS

    model_id: str
    device: str
    capabilities: Capabilities
    options: FrozenDict
    model_kwargs: FrozenDict
    apply_chat_template_kwargs: FrozenDict
    _pipeline: Any
    _runtime: Runtime[Loaded]

    def __init__(
        self,
        model_id: str | os.PathLike[str] = "default",
        *,
        device: str = "CPU",
        pipeline: Any = None,
        model_kwargs: Mapping[str, Any] | None = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        name, kwargs = named("OpenVINOModel", model_id), FrozenDict(model_kwargs or {})
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            name,
            device,
            CAN,
            canonical(options, "OpenVINOModel"),
            kwargs,
            freeze_mapping(apply_chat_template_kwargs or {}),
            pipeline,
            Runtime(Threads("modelport-openvino", 1), lambda: load(name, device, revealed(thaw(kwargs)), pipeline)),
        )

    def __repr__(self) -> str:
        device = "" if self.device == "CPU" else f", device={self.device!r}"
        return f"OpenVINOModel({self.model_id!r}{device}{self._given()})"

    def _begin(
        self, ready: Loaded, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> tuple[LocalAnswer, Callable[[], Finished]]:
        prompt = self._prompt(ready, request)
        inputs = ready.tokenizer.encode(prompt, add_special_tokens=False)
        size = int(inputs.input_ids.shape[1])
        options = resolve(self.options, request.options)
        config = configured(ready.pipeline.get_generation_config(), options, request.response_format)
        left = room(size, ready.window)  # the tokenizer cuts a longer prompt off in silence
        if left is not None:
            config.max_new_tokens = min(config.max_new_tokens, left)
        answer = _Answer(ready, request, prompt, show, cancelled)

        def generate() -> Finished:
            results = ready.pipeline.generate(inputs, config, _streamer()(answer.take))
            return answer.over(decode(results.finish_reasons[0]), size, self.model_id)

        return answer, generate

    def _failed(self, error: Exception, phase: str) -> ModelError:
        found = super()._failed(error, phase)
        if found.kind in (ErrorKind.OVERLOADED, ErrorKind.SERVER):
            # What ran out of memory is broken inside, and would crash with its next call: that loads it anew.
            self._runtime.close()
        return found

    def _prompt(self, ready: Loaded, request: Request) -> str:
        given = thaw(self.apply_chat_template_kwargs)
        template = given.pop("chat_template", None) or ready.tokenizer.chat_template
        check_template(template, request, "OpenVINOModel")
        begins = given.pop("add_generation_prompt", True)
        history, tools = template_messages(request.messages)[0], template_tools(offered(request))
        prompt: str = ready.tokenizer.apply_chat_template(
            history, begins, chat_template=template, tools=tools, extra_context=given
        )
        check_tools(request, prompt)
        return prompt


class _Answer(LocalAnswer):
    """One answer of OpenVINO's."""

    def __init__(
        self,
        loaded: Loaded,
        request: Request,
        prompt: str,
        show: Callable[[Event], None] | None,
        cancelled: threading.Event,
    ) -> None:
        super().__init__(loaded.tokenizer.decode, request, prompt, show)
        self._cancelled = cancelled
        self._trouble: Exception | None = None
        self._written = 0  # so many tokens have come

    def take(self, tokens: list[int]) -> bool:
        """Whether more than these are wanted."""
        if self._cancelled.is_set() or self.ended:
            return False
        try:  # what is raised here would be printed and forgotten
            self._written += len(tokens)
            self.feed(tokens)
        except Exception as exception:
            self._trouble = exception
            return False
        return not self.ended

    def over(self, reason: FinishReason, size: int, model_id: str) -> Finished:
        """The last event after a prompt of this size."""
        if self._trouble is not None:
            raise self._trouble
        return self.finish(reason, Usage(size, self._written), model_id)


@cache
def _streamer() -> Any:
    """The class by which OpenVINO hands over tokens. One for all calls: it would forget none that was made."""
    import openvino_genai

    status = openvino_genai.StreamingStatus

    class Streamer(openvino_genai.StreamerBase):  # type: ignore[misc]  # OpenVINO has no types
        def __init__(self, take: Callable[[list[int]], bool]) -> None:
            super().__init__()
            self._take = take

        def write(self, token: Any) -> Any:
            more = self._take([token] if isinstance(token, int) else list(token))
            return status.RUNNING if more else status.CANCEL

        def end(self) -> None:
            pass

    return Streamer
