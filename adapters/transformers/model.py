"""Language models run in this process by Hugging Face transformers, answering text token by token.

A call is prepared in a thread of its own; calls at the same time share the model's passes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Unpack

import attrs

from ...domain.capability import Capabilities
from ...domain.event import Event, Finished
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.options.call_options import Options
from ...domain.options.option_names import TRANSFORMERS
from ...domain.request import Request
from ..files.torch_folder import sees
from ..local.answer import LocalAnswer, decode
from ..local.constraint import Constraints, vocabulary
from ..local.logprobs import take_logprobs
from ..local.model import ThreadedModel
from ..local.prompt import encode, room
from ..local.runtime import Runtime
from ..local.settings import CAN
from ..process.secret import revealed
from ..process.thread import Threads
from .answer import Answer
from .batch import TOGETHER, Batch
from .errors import ERRORS, translate
from .loading import Loaded, load
from .prompt import read
from .sampling import configured
from .scores import TorchConstraint, TorchScores

__all__ = ["CAN", "TransformersModel", "decode", "encode", "translate"]


class Ready:
    """What answers in one process: what is loaded, where its calls are generated, and what forms let it say."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.batch = Batch(loaded.model, "modelport-transformers-batch")
        self.constraints = Constraints(
            lambda: vocabulary(loaded.tokenizer, loaded.ends(loaded.model.generation_config))
        )


class _Weights(Runtime[Ready]):
    """A forked child takes over the weights: they are shared until one writes, which nobody does."""

    __slots__ = ("_injected", "_loaded")

    def __init__(self, injected: Loaded | None, load: Callable[[], Loaded]) -> None:
        super().__init__(Threads("modelport-transformers", TOGETHER), lambda: Ready(self._weights(load)))
        self._injected = self._loaded = injected

    def _weights(self, load: Callable[[], Loaded]) -> Loaded:
        self._loaded = self._loaded or load()
        return self._loaded

    def close(self) -> None:
        self._loaded = self._injected
        super().close()


def _runtime(model: TransformersModel) -> _Weights:
    injected = None if model._model is None else Loaded(model._model, model._tokenizer, model._processor)
    placed = {"device_map": model.device_map, "dtype": model.dtype}
    return _Weights(injected, partial(_load, model.model_id, model.trust_remote_code, model.model_kwargs, placed))


def _load(model_id: str, trust_remote_code: bool, kwargs: FrozenDict, placed: Mapping[str, Any]) -> Loaded:
    placed = {name: value for name, value in placed.items() if value is not None}
    return load(model_id, trust_remote_code=trust_remote_code, **{**revealed(thaw(kwargs)), **placed})


@attrs.frozen(init=False, eq=False, repr=False, kw_only=True)
class TransformersModel(ThreadedModel):
    """A model that transformers runs: a name on the hub, a folder, or `default` for the embedded one.

    It is loaded on first use, once. A `model` that is loaded already can be given with its `tokenizer`, or with the
    `processor` of a model that sees. `options` are defaults for every call; `model_kwargs` go to `from_pretrained`.
    """

    errors = ERRORS
    known = TRANSFORMERS

    device_map: Any
    dtype: Any
    trust_remote_code: bool
    model_kwargs: FrozenDict
    _model: Any
    _tokenizer: Any
    _processor: Any
    _runtime: _Weights = attrs.field(init=False, default=attrs.Factory(_runtime, takes_self=True))

    def __init__(
        self,
        model_id: str | os.PathLike[str],
        *,
        device_map: Any = None,
        dtype: Any = None,
        torch_dtype: Any = None,
        trust_remote_code: bool = False,
        model: Any = None,
        tokenizer: Any = None,
        processor: Any = None,
        model_kwargs: Mapping[str, Any] | None = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        custom_role_conversions: Mapping[str, str] | None = None,
        flatten_messages_as_text: bool = False,
        capabilities: Capabilities | None = None,
        **options: Unpack[Options],
    ) -> None:
        if dtype is not None and torch_dtype is not None:
            raise ValueError("TransformersModel: dtype and torch_dtype are two spellings of one thing; keep dtype")
        if (model is None) != (tokenizer is None and processor is None):
            raise ValueError("TransformersModel: model and tokenizer (or processor) are given together, or neither is")
        words = tokenizer if tokenizer is not None else getattr(processor, "tokenizer", None)
        if processor is not None and words is None:
            message = f"processor= has a tokenizer and an image processor, unlike {processor!r}"
            raise TypeError(f"TransformersModel: {message}")
        self._set(
            model_id=model_id,
            device_map=device_map,
            dtype=dtype if torch_dtype is None else torch_dtype,
            trust_remote_code=trust_remote_code,
            model=model,
            tokenizer=words,
            processor=processor,
            model_kwargs=freeze_mapping(model_kwargs or {}),
            apply_chat_template_kwargs=apply_chat_template_kwargs,
            custom_role_conversions=custom_role_conversions,
            flatten_messages_as_text=flatten_messages_as_text,
            capabilities=capabilities if model is None or capabilities is not None else _of_a_loaded(processor),
            options=options,
        )

    def _assumed(self) -> Capabilities:
        return attrs.evolve(CAN, images=sees(self.model_id))

    def _begin(
        self, ready: Ready, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> tuple[LocalAnswer, Callable[[], Finished]]:
        loaded = ready.loaded
        prompt = read(loaded, request, self.apply_chat_template_kwargs)
        size = prompt["input_ids"].shape[1]
        top, options = take_logprobs(thaw(request.options))
        call = configured(loaded, options, size, room(size, _context(loaded)))
        scores = None if top is None else TorchScores(loaded.tokenizer, top)
        constraint = ready.constraints.start(request.response_format)
        processors = [
            *([] if scores is None else [scores]),
            *([] if constraint is None else [TorchConstraint(constraint, size)]),
            *call.get("logits_processor", ()),
        ]
        answer = Answer(loaded, request, prompt["input_ids"], scores, show, cancelled)
        call |= {"stopping_criteria": [*call.get("stopping_criteria", ()), answer]}
        call |= {"logits_processor": processors} if processors else {}

        def generate() -> Finished:
            output = ready.batch.generate({**prompt, **call}, cancelled)
            ends = call.get("eos_token_id", ())
            ids = _first(output if hasattr(output, "shape") else output.sequences, size, ends)
            answer.take(ids)
            return answer.over(decode(int(ids[0, answer.read - 1]), ends), self.model_id)

        return answer, generate


def _of_a_loaded(processor: Any) -> Capabilities:
    """What a model that was passed in can: it sees with a processor of its own."""
    return attrs.evolve(CAN, images=processor is not None)


def _first(sequences: Any, size: int, ends: Sequence[int]) -> Any:
    """The first answer behind a prompt of this size, without what pads it to the length of others."""
    if sequences.shape[0] == 1:
        return sequences
    tokens = sequences[0, size:].tolist()
    return sequences[:1, : next((at for at, token in enumerate(tokens, size + 1) if token in ends), None)]


def _context(loaded: Loaded) -> int | None:
    config = loaded.model.config
    known = getattr(config.get_text_config(), "max_position_embeddings", None)
    return known if isinstance(known, int) and known > 0 else None
