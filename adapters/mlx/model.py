"""Language models run in this process by mlx-lm, on Apple silicon or on a CPU, answering text token by token.

Calls at once are generated together, in one thread that belongs to the model. What tokens say is told apart there, one
by one, so that generation ends with the token that ends the text. A conversation that goes on isn't read again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ...domain.capability import Capabilities
from ...domain.event import Event, Finished
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.option import canonical, resolve
from ...domain.request import Request
from ...domain.response import FinishReason
from ...domain.usage import Usage
from ..local.answer import LocalAnswer
from ..local.constraint import Constraints
from ..local.logprobs import asked
from ..local.model import ThreadedModel, named
from ..local.prompt import check_template, check_tools, room
from ..local.runtime import Runtime
from ..local.template import offered, template_messages, template_tools
from ..process.secret import revealed
from ..process.thread import Threads
from . import thread as mlx_thread
from .constraint import Follow, vocabulary
from .errors import ERRORS
from .line import Call, Line
from .loading import Loaded, injected, load, settled
from .logprobs import Heard
from .sampling import DEFAULT_MAX_TOKENS, sampling

_CALLS = 64  # so many wait in threads of their own; more wait for one of these
_KEPT = 1 << 30

CAN = Capabilities(tools=True, json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model can: tools if its template knows them, and any form, as it is decoded under constraints here."""


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
class MLXModel(ThreadedModel):
    """A model that mlx-lm runs: a name on the hub, a folder, or `default` for the embedded one.

    It is loaded on first use, once; `load_kwargs` go to `mlx_lm.load`. A `model` and `tokenizer` that are loaded
    already can be given together. `options` are defaults for every call. `prompt_cache_bytes` is how much is kept of
    conversations that may go on; 0 keeps nothing.
    """

    errors = ERRORS

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
        model_id: str | os.PathLike[str],
        *,
        trust_remote_code: bool = False,
        load_kwargs: Mapping[str, Any] | None = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        prompt_cache_bytes: int = _KEPT,
        model: Any = None,
        tokenizer: Any = None,
        **options: Any,
    ) -> None:
        name = named("MLXModel", model_id)
        if (model is None) != (tokenizer is None):
            raise ValueError("MLXModel: model and tokenizer are given together, or neither is")
        if isinstance(prompt_cache_bytes, bool) or not isinstance(prompt_cache_bytes, int) or prompt_cache_bytes < 0:
            raise ValueError(f"MLXModel: prompt_cache_bytes is a number of bytes, not {prompt_cache_bytes!r}")
        kwargs = freeze_mapping(load_kwargs or {})
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            name,
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
                lambda: load(name, trust_remote_code=trust_remote_code, **revealed(thaw(kwargs))),
                prompt_cache_bytes,
            ),
        )

    def _begin(
        self, ready: Ready, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> tuple[LocalAnswer, Callable[[], Finished]]:
        loaded = ready.loaded
        prompt = self._prompt(loaded, request)
        left = room(len(prompt), loaded.context)
        top, options = asked(thaw(resolve(self.options, request.options)))
        most = options.pop("max_tokens", None) or DEFAULT_MAX_TOKENS
        most = most if left is None else min(most, left)
        chosen = sampling(options)
        heard = None if top is None else Heard(loaded.tokenizer, top)
        answer = _Answer(loaded, request, prompt, show, heard)
        constraint = ready.constraints.start(request.response_format)
        follow = [] if constraint is None else [Follow(constraint, len(prompt), loaded.ends)]
        processors: list[Callable[[Any, Any], Any]] = [*([] if heard is None else [heard]), *chosen.processors, *follow]
        call = Call(prompt, most, answer.take, cancelled, chosen.sampler, processors, chosen.rest)

        def generate() -> Finished:
            ready.line.generate(call)
            return answer.over(call.cached, self.model_id)

        return answer, generate

    def _prompt(self, loaded: Loaded, request: Request) -> list[int]:
        given, tokenizer = {"add_generation_prompt": True, **thaw(self.apply_chat_template_kwargs)}, loaded.tokenizer
        template = given.get("chat_template") or tokenizer.chat_template
        check_template(template or tokenizer.has_chat_template, request, "MLXModel")  # a few are functions
        told = {"conversation": template_messages(request.messages)[0], "tools": template_tools(offered(request))}
        if told["tools"]:
            check_tools(request, tokenizer.apply_chat_template(**{**told, **given, "tokenize": False}))
        return [*tokenizer.apply_chat_template(**{**told, **given, "tokenize": True})]


class Ready:
    """What answers: what is loaded, where its calls are generated, and what forms let it say."""

    def __init__(self, loaded: Loaded, kept: int) -> None:
        self.loaded = loaded
        self.line = Line(loaded, kept)
        self.constraints = Constraints(lambda: vocabulary(loaded))


class _Runtime(Runtime[Ready]):
    """What is loaded was loaded in a thread of MLX's; a forked child goes no further."""

    __slots__ = ()

    def __init__(self, given: Loaded | None, load: Callable[[], Loaded], kept: int) -> None:
        def loaded() -> Ready:
            settled()
            return Ready(given or mlx_thread.submit(load).result(), kept)

        super().__init__(Threads("modelport-mlx-call", _CALLS), loaded)
