"""Models that run on this machine in OpenVINO GenAI: a folder of its own format, a GGUF file, or the embedded default.

Its pipeline answers one call at a time, so calls queue for the model's one thread, and each may leave the queue. What
tokens say is told apart in that thread, one by one: generation ends with the token that ends the text.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import cache, partial
from typing import Any

import attrs

from ...domain.answer_builder import AnswerBuilder
from ...domain.capability import Capabilities
from ...domain.error import ErrorKind, ModelError, ModelFailure, Sent
from ...domain.event import Event, Failed, Finished
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.option import canonical, resolve
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.usage import Usage
from ..local.answer import LocalAnswer
from ..local.model import LocalModel
from ..local.template import offered, template_messages, template_tools
from ..process.crossing import answering
from ..process.thread import Threads
from .config import configured
from .errors import PROVIDER, translate
from .loading import Loaded, load

CAN = Capabilities(tools=True, json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model in OpenVINO GenAI can: tools if its template tells of them, and any form of answer."""


def encode(request: Request) -> dict[str, Any]:
    """The conversation and the tools as OpenVINO's chat templates take them."""
    return {"history": template_messages(request.messages)[0], "tools": template_tools(offered(request))}


def decode(reason: object) -> FinishReason:
    """Why generation ended, of OpenVINO's own reason."""
    return _REASONS.get(getattr(reason, "name", ""), FinishReason.OTHER)


_REASONS = {"STOP": FinishReason.STOP, "LENGTH": FinishReason.LENGTH, "TOOL_CALL": FinishReason.STOP}

_K = ErrorKind


def _refused(kind: ErrorKind, message: str) -> ModelFailure:
    return ModelFailure(ModelError(kind, message, sent=Sent.NO))


@attrs.define(eq=False)
class _Runtime:
    """A model's one thread, and what it has loaded in this process; a forked child loads its own."""

    threads: Threads
    loaded: dict[int, Loaded] = attrs.field(factory=dict)


@attrs.frozen(init=False, eq=False, repr=False)
class OpenVINOModel(LocalModel):
    """A model in OpenVINO GenAI.

    `model_id` is a folder in OpenVINO's format, a GGUF file, the name of either on the Hub (`org/name`,
    `org/name/file.gguf`), or `default`: SmolLM2-135M-Instruct, fetched where it is not on this machine. It is loaded
    on first use, once. `model_kwargs` go to `LLMPipeline`, but `revision`, `cache_dir` and `token` to the Hub. A
    `pipeline` that is loaded already can be given instead. Options are defaults for every call.
    """

    model_id: str
    device: str
    capabilities: Capabilities
    options: FrozenDict
    model_kwargs: FrozenDict
    apply_chat_template_kwargs: FrozenDict
    _pipeline: Any
    _runtime: _Runtime

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
        name = os.fspath(model_id)
        if not name:
            raise ValueError("OpenVINOModel: model_id is empty; give a folder, a GGUF file, or 'default'")
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            name,
            device,
            CAN,
            canonical(options, "OpenVINOModel"),
            FrozenDict(model_kwargs or {}),
            freeze_mapping(apply_chat_template_kwargs or {}),
            pipeline,
            _Runtime(Threads("modelport-openvino", 1)),
        )

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return PROVIDER

    def _events(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        return answering(self._runtime.threads, partial(self._answer, request), deltas=deltas)

    def __repr__(self) -> str:
        device = "" if self.device == "CPU" else f", device={self.device!r}"
        return f"OpenVINOModel({self.model_id!r}{device}{self._given()})"

    def _answer(
        self, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> Finished | Failed | None:
        phase, fail = "loading", AnswerBuilder().fail
        try:
            loaded = self._load()
            if cancelled.is_set():
                return None
            phase = "reading"
            prompt = self._prompt(loaded, request)
            inputs = loaded.tokenizer.encode(prompt, add_special_tokens=False)
            size = int(inputs.input_ids.shape[1])
            options = resolve(self.options, request.options)
            config = configured(loaded.pipeline.get_generation_config(), options, request.response_format)
            if loaded.window is not None:
                if size >= loaded.window:  # the tokenizer cuts a longer prompt off in silence
                    message = f"the prompt has at least {size} tokens, and prompt and answer may have {loaded.window}"
                    raise _refused(ErrorKind.CONTEXT_WINDOW, f"{message} together")
                config.max_new_tokens = min(config.max_new_tokens, loaded.window - size)
            answer = _Answer(loaded, request, prompt, show, cancelled)
            fail = answer.fail
            phase = "generating"
            results = loaded.pipeline.generate(inputs, config, _streamer()(answer.take))
            if cancelled.is_set():
                return None
            return answer.over(decode(results.finish_reasons[0]), size, self.model_id)
        except Exception as exception:
            error = translate(exception, self.model_id, phase)
            if error.kind in (ErrorKind.OVERLOADED, ErrorKind.SERVER):
                # What ran out of memory is broken inside, and would crash with its next call: that loads it anew.
                self._runtime.loaded.pop(os.getpid(), None)
            return fail(error)

    def _load(self) -> Loaded:
        found = self._runtime.loaded.get(os.getpid())
        if found is None:
            found = load(self.model_id, self.device, thaw(self.model_kwargs), self._pipeline)
            self._runtime.loaded[os.getpid()] = found
        return found

    def _prompt(self, loaded: Loaded, request: Request) -> str:
        given = thaw(self.apply_chat_template_kwargs)
        template = given.pop("chat_template", "")
        if not (template or loaded.tokenizer.chat_template):
            message = "it has no chat template: use a model that was trained to chat, or give a template: "
            message += "OpenVINOModel(..., apply_chat_template_kwargs={'chat_template': ...})"
            raise _refused(ErrorKind.UNSUPPORTED, message)
        told = encode(request)
        prompt: str = loaded.tokenizer.apply_chat_template(
            told["history"], True, chat_template=template, tools=told["tools"], extra_context=given
        )
        if any(tool.name not in prompt for tool in offered(request)):
            message = "its chat template leaves the tools out, so the model would never hear of them"
            raise _refused(ErrorKind.UNSUPPORTED, message)
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
