"""Language models run in this process by mlx-lm, on Apple silicon or on a CPU, answering text token by token.

Calls at once are generated together, in one thread that belongs to the model. What tokens say is told apart there, one
by one, so that generation ends with the token that ends the text. A conversation that goes on isn't read again.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from typing import Any

import attrs

from ...domain.answer_builder import AnswerBuilder
from ...domain.capability import Capabilities
from ...domain.error import ErrorKind, ModelFailure
from ...domain.event import Event, Failed, Finished
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.option import canonical, resolve
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.usage import Usage
from ..local.answer import LocalAnswer
from ..local.constraint import Constraints
from ..local.logprobs import asked
from ..local.model import LocalModel
from ..local.template import offered, template_messages, template_tools
from ..process.crossing import answering
from ..process.secret import revealed
from ..process.thread import Threads
from . import thread as mlx_thread
from .constraint import Follow, vocabulary
from .errors import PROVIDER, translate
from .line import Call, Line
from .loading import Loaded, injected, load, settled
from .logprobs import Heard
from .sampling import DEFAULT_MAX_TOKENS, Sampling, sampling

_CALLS = 64  # so many wait in threads of their own; more wait for one of these
_KEPT = 1 << 30

CAN = Capabilities(tools=True, json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model can: tools if its template knows them, and any form, as it is decoded under constraints here."""


def encode(request: Request) -> dict[str, Any]:
    """The conversation and the tools as a chat template takes them."""
    return {"conversation": template_messages(request.messages)[0], "tools": template_tools(offered(request))}


class _Answer(LocalAnswer):
    """One answer of mlx-lm."""

    def __init__(
        self,
        loaded: Loaded,
        request: Request,
        prompt: list[int],
        show: Callable[[Event], None] | None,
        heard: Heard | None,
    ) -> None:
        tokenizer = loaded.tokenizer
        super().__init__(
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False),
            request,
            tokenizer.decode(prompt[-8:]),
            show,
            None if heard is None else heard.found,
        )
        self._ends, self._heard, self._read = loaded.ends, heard, len(prompt)
        self._written = 0  # so many tokens have come
        self._reason = FinishReason.LENGTH

    def take(self, token: int) -> bool:
        """Whether more than this token are wanted."""
        self._written += 1
        if token in self._ends:
            self._reason = FinishReason.STOP
            return False
        if self._heard is not None:
            self._heard.chose(self._read + self._written - 1, token, self.length)
        self.feed([token])
        return not self.ended

    def over(self, cached: int, model_id: str) -> Finished:
        """The last event."""
        return self.finish(self._reason, Usage(self._read, self._written, cached_tokens=cached), model_id)


@attrs.frozen(init=False, eq=False, repr=False)
class MLXModel(LocalModel):
    """A model that mlx-lm runs: a name on the hub, a folder, or `default` for the embedded one.

    It is loaded on first use, once; `load_kwargs` go to `mlx_lm.load`. A `model` and `tokenizer` that are loaded
    already can be given together. `options` are defaults for every call. `prompt_cache_bytes` is how much is kept of
    conversations that may go on; 0 keeps nothing.
    """

    model_id: str
    options: FrozenDict
    capabilities: Capabilities
    trust_remote_code: bool
    load_kwargs: FrozenDict
    apply_chat_template_kwargs: FrozenDict
    prompt_cache_bytes: int
    _model: Any
    _tokenizer: Any
    _runtime: _Runtime

    def __init__(
        self,
        model_id: str,
        *,
        trust_remote_code: bool = False,
        load_kwargs: Mapping[str, Any] | None = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        prompt_cache_bytes: int = _KEPT,
        model: Any = None,
        tokenizer: Any = None,
        **options: Any,
    ) -> None:
        if not isinstance(model_id, str) or not model_id:
            raise ValueError(f"MLXModel: model_id is a name, a folder or 'default', not {model_id!r}")
        if (model is None) != (tokenizer is None):
            raise ValueError("MLXModel: model and tokenizer are given together, or neither is")
        if isinstance(prompt_cache_bytes, bool) or not isinstance(prompt_cache_bytes, int) or prompt_cache_bytes < 0:
            raise ValueError(f"MLXModel: prompt_cache_bytes is a number of bytes, not {prompt_cache_bytes!r}")
        kwargs = freeze_mapping(load_kwargs or {})
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            model_id,
            canonical(options, "MLXModel"),
            CAN,
            trust_remote_code,
            kwargs,
            freeze_mapping(apply_chat_template_kwargs or {}),
            prompt_cache_bytes,
            model,
            tokenizer,
            _Runtime(
                None if model is None else injected(model, tokenizer),
                lambda: load(model_id, trust_remote_code=trust_remote_code, **revealed(thaw(kwargs))),
                prompt_cache_bytes,
            ),
        )

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return PROVIDER

    def _events(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        return answering(self._runtime.threads, partial(self._answer, request), deltas=deltas)

    def _answer(
        self, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> Finished | Failed | None:
        phase, fail = "loading", AnswerBuilder().fail
        try:
            loaded = self._runtime.loaded()
            if cancelled.is_set():
                return None
            phase = "reading"
            prompt = self._prompt(loaded, request)
            if loaded.context is not None and len(prompt) >= loaded.context:
                message = f"the prompt has {len(prompt)} tokens, and the context of {self.model_id!r} holds "
                return Failed(self._refused(ErrorKind.CONTEXT_WINDOW, f"{message}{loaded.context}"))
            top, options = asked(thaw(resolve(self.options, request.options)))
            most = options.pop("max_tokens", None) or DEFAULT_MAX_TOKENS
            if loaded.context is not None:
                most = min(most, loaded.context - len(prompt))
            chosen = sampling(options)
            heard = None if top is None else Heard(loaded.tokenizer, top)
            answer = _Answer(loaded, request, prompt, show, heard)
            fail = answer.fail
            processors = self._processors(loaded, request, chosen, heard, len(prompt))
            call = Call(prompt, most, answer.take, cancelled, chosen.sampler, processors, chosen.rest)
            phase = "generating"
            self._runtime.line(loaded).generate(call)
            return None if cancelled.is_set() else answer.over(call.cached, self.model_id)
        except Exception as error:
            return fail(translate(error, self.model_id, phase))

    def _prompt(self, loaded: Loaded, request: Request) -> list[int]:
        template = self.apply_chat_template_kwargs.get("chat_template", loaded.tokenizer.chat_template)
        if not (template or loaded.tokenizer.has_chat_template):
            message = "its tokenizer has no chat template: use a model that was trained to chat, or give a template: "
            message += "MLXModel(..., apply_chat_template_kwargs={'chat_template': ...})"
            raise ModelFailure(self._refused(ErrorKind.UNSUPPORTED, message))
        if offered(request) and template and "tools" not in str(template):
            message = "its chat template knows no tools, so the model would never hear of them"
            raise ModelFailure(self._refused(ErrorKind.UNSUPPORTED, message))
        given = {"add_generation_prompt": True, **thaw(self.apply_chat_template_kwargs), "tokenize": True}
        return [*loaded.tokenizer.apply_chat_template(**encode(request), **given)]

    def _processors(
        self, loaded: Loaded, request: Request, chosen: Sampling, heard: Heard | None, read: int
    ) -> list[Callable[[Any, Any], Any]]:
        """What the scores of the next token pass through, in order."""
        constraint = self._runtime.constraints(loaded).start(request.response_format)
        follow = [] if constraint is None else [Follow(constraint, read, loaded.ends)]
        return [*([heard] if heard else []), *chosen.processors, *follow]


class _Runtime:
    """What can't be a value: the threads of a model, and what they have loaded."""

    __slots__ = ("_constraints", "_kept", "_line", "_load", "_loaded", "_lock", "threads")

    def __init__(self, loaded: Loaded | None, load: Callable[[], Loaded], kept: int) -> None:
        self.threads = Threads("modelport-mlx-call", _CALLS)
        self._loaded, self._load, self._kept = loaded, load, kept
        self._constraints: Constraints | None = None
        self._line: Line | None = None
        self._lock = threading.Lock()

    def loaded(self) -> Loaded:
        """Loads on first use, in a thread of MLX's; a failure isn't remembered."""
        settled()  # a forked child goes no further, whoever held the lock
        with self._lock:
            if self._loaded is None:
                self._loaded = mlx_thread.submit(self._load).result()
            return self._loaded

    def constraints(self, loaded: Loaded) -> Constraints:
        """What a response format lets this model say."""
        with self._lock:
            if self._constraints is None:
                self._constraints = Constraints(lambda: vocabulary(loaded))
            return self._constraints

    def line(self, loaded: Loaded) -> Line:
        """Where calls come in."""
        with self._lock:
            if self._line is None:
                self._line = Line(loaded, self._kept)
            return self._line
