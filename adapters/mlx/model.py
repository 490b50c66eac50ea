"""Language models run in this process by mlx-lm, on Apple silicon or on a CPU, answering text token by token.

Calls at once are generated together, in one thread that belongs to the model. What tokens say is told apart there, one
by one, so that generation ends with the token that ends the text. A conversation that goes on isn't read again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Unpack

import attrs

from ...domain.capability import Capabilities
from ...domain.event import Event, Finished
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.options.call_options import Options
from ...domain.options.option_names import MLX
from ...domain.request import Request
from ..local.answer import LocalAnswer, decode
from ..local.constraint import Constraints, vocabulary
from ..local.logprobs import take_logprobs
from ..local.model import ThreadedModel
from ..local.prompt import encode, room
from ..local.runtime import Runtime
from ..local.sampling import longest
from ..local.settings import CAN
from ..process.secret import revealed
from ..process.thread import Threads
from . import thread as mlx_thread
from .answer import Answer
from .errors import ERRORS, translate
from .line import Generation, Line
from .loading import Loaded, injected, load, settled
from .prompt import read
from .sampling import sampling
from .scores import MLXConstraint, MLXScores
from .sdk import TOKENIZER

__all__ = ["CAN", "MLXModel", "decode", "encode", "translate"]

_CALLS: Final = 64  # so many wait in threads of their own; more wait for one of these
_KEPT: Final = 1 << 30


class Ready:
    """What answers: what is loaded, where its calls are generated, and what forms let it say."""

    def __init__(self, loaded: Loaded, kept: int) -> None:
        self.loaded = loaded
        self.line = Line(loaded, kept)
        self.constraints = Constraints(lambda: vocabulary(TOKENIZER.of(loaded.tokenizer), loaded.ends))


def _runtime(model: MLXModel) -> Runtime[Ready]:
    own = None if model._model is None else injected(model._model, model._tokenizer)
    loading = partial(_load, model.model_id, model.trust_remote_code, model.load_kwargs)
    kept = model.prompt_cache_bytes

    def ready() -> Ready:
        settled()  # a forked child goes no further
        return Ready(own or mlx_thread.submit(loading).result(), kept)

    return Runtime(Threads("modelport-mlx-call", _CALLS), ready)


def _load(model_id: str, trust_remote_code: bool, kwargs: FrozenDict) -> Loaded:
    return load(model_id, trust_remote_code=trust_remote_code, **revealed(thaw(kwargs)))


@attrs.frozen(init=False, eq=False, repr=False, kw_only=True)
class MLXModel(ThreadedModel):
    """A model that mlx-lm runs: a name on the hub, a folder, or `default` for the embedded one.

    It is loaded on first use, once; `load_kwargs` go to `mlx_lm.load`. A `model` and `tokenizer` that are loaded
    already can be given together. `options` are defaults for every call. `prompt_cache_bytes` is how much is kept of
    conversations that may go on; 0 keeps nothing.
    """

    errors = ERRORS
    known = MLX

    trust_remote_code: bool
    load_kwargs: FrozenDict
    prompt_cache_bytes: int
    _model: Any
    _tokenizer: Any
    _runtime: Runtime[Ready] = attrs.field(init=False, default=attrs.Factory(_runtime, takes_self=True))

    def __init__(
        self,
        model_id: str | os.PathLike[str],
        *,
        trust_remote_code: bool = False,
        load_kwargs: Mapping[str, Any] | None = None,
        prompt_cache_bytes: int = _KEPT,
        model: Any = None,
        tokenizer: Any = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        flatten_messages_as_text: bool = False,
        capabilities: Capabilities | None = None,
        **options: Unpack[Options],
    ) -> None:
        if (model is None) != (tokenizer is None):
            raise ValueError("MLXModel: model and tokenizer are given together, or neither is")
        if isinstance(prompt_cache_bytes, bool) or not isinstance(prompt_cache_bytes, int) or prompt_cache_bytes < 0:
            raise ValueError(f"MLXModel: prompt_cache_bytes is a number of bytes, not {prompt_cache_bytes!r}")
        self._set(
            model_id=model_id,
            trust_remote_code=trust_remote_code,
            load_kwargs=freeze_mapping(load_kwargs or {}),
            prompt_cache_bytes=prompt_cache_bytes,
            model=model,
            tokenizer=tokenizer,
            apply_chat_template_kwargs=apply_chat_template_kwargs,
            custom_role_conversions=custom_role_conversions,
            flatten_messages_as_text=flatten_messages_as_text,
            capabilities=capabilities,
            options=options,
        )

    def _begin(
        self, ready: Ready, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> tuple[LocalAnswer, Callable[[], Finished]]:
        loaded = ready.loaded
        prompt = read(loaded, request, thaw(self.apply_chat_template_kwargs))
        left = room(len(prompt), loaded.context)
        top, options = take_logprobs(loaded.usual.under(thaw(request.options)))
        most = longest(options.pop("max_tokens", None), left)
        chosen = sampling(options)
        scores = None if top is None else MLXScores(loaded.tokenizer, top)
        constraint = ready.constraints.start(request.response_format)
        processors: list[Callable[[Any, Any], Any]] = [
            *([] if scores is None else [scores]),
            *chosen.processors,
            *([] if constraint is None else [MLXConstraint(constraint, len(prompt), loaded.ends)]),
        ]
        answer = Answer(loaded, request, prompt, scores, show)
        call = Generation(prompt, most, answer.take, cancelled, chosen.sampler, processors, chosen.rest)

        def generate() -> Finished:
            ready.line.generate(call)
            return answer.over(call.cached, self.model_id)

        return answer, generate
