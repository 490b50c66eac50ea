"""Language models run in this process by Hugging Face transformers, answering text token by token.

A call is prepared in a thread of its own; calls at the same time share the model's passes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from ...domain.capability import Capabilities
from ...domain.event import Event, Finished
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.option import canonical, resolve
from ...domain.reading.preparation import as_role_conversions, prepare
from ...domain.request import Request
from ...domain.response import FinishReason
from ..files.torch_folder import sees
from ..http.arguments import check_kind
from ..local.answer import LocalAnswer
from ..local.constraint import Constraints
from ..local.logprobs import asked
from ..local.model import ThreadedModel, named
from ..local.prompt import room
from ..local.runtime import Runtime
from ..process.secret import revealed
from ..process.thread import Threads
from .answer import Answer
from .batch import TOGETHER, Batch
from .constraint import Follow, vocabulary
from .errors import ERRORS
from .loading import Loaded, load
from .logprobs import Heard
from .prompt import read
from .sampling import DEFAULT_MAX_TOKENS, arguments, seeded

CAN = Capabilities(tools=True, json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model can: tools if its template knows them, and any form, as it is decoded under constraints here."""


@attrs.frozen(init=False, eq=False, repr=False)
class TransformersModel(ThreadedModel):
    """A model that transformers runs: a name on the hub, a folder, or `default` for the embedded one.

    It is loaded on first use, once. A `model` that is loaded already can be given with its `tokenizer`, or with the
    `processor` of a model that sees. `options` are defaults for every call; `model_kwargs` go to `from_pretrained`.
    """

    errors = ERRORS

    model_id: str
    options: FrozenDict
    capabilities: Capabilities
    device_map: Any
    dtype: Any
    trust_remote_code: bool
    model_kwargs: FrozenDict
    apply_chat_template_kwargs: FrozenDict
    custom_role_conversions: FrozenDict
    flatten_messages_as_text: bool
    _model: Any
    _tokenizer: Any
    _processor: Any
    _runtime: _Runtime

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
        **options: Any,
    ) -> None:
        model_id = named("TransformersModel", model_id)
        if dtype is not None and torch_dtype is not None:
            raise ValueError("TransformersModel: dtype and torch_dtype are two spellings of one thing; keep dtype")
        if (model is None) != (tokenizer is None and processor is None):
            raise ValueError("TransformersModel: model and tokenizer (or processor) are given together, or neither is")
        where = "TransformersModel"
        check_kind(where, "capabilities", capabilities, Capabilities, "Capabilities(...)")
        check_kind(where, "flatten_messages_as_text", flatten_messages_as_text, bool, "True or False")
        words = tokenizer if tokenizer is not None else getattr(processor, "tokenizer", None)
        if processor is not None and words is None:
            raise TypeError(f"{where}: processor= has a tokenizer and an image processor, unlike {processor!r}")
        dtype = dtype if torch_dtype is None else torch_dtype
        placed = {name: value for name, value in (("device_map", device_map), ("dtype", dtype)) if value is not None}
        kwargs = freeze_mapping(model_kwargs or {})
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            model_id,
            canonical(options, where),
            capabilities or attrs.evolve(CAN, images=sees(model_id) if model is None else processor is not None),
            device_map,
            dtype,
            trust_remote_code,
            kwargs,
            freeze_mapping(apply_chat_template_kwargs or {}),
            as_role_conversions(custom_role_conversions, where),
            flatten_messages_as_text,
            model,
            tokenizer,
            processor,
            _Runtime(
                None if model is None else Loaded(model, words, processor),
                lambda: load(model_id, trust_remote_code=trust_remote_code, **{**revealed(thaw(kwargs)), **placed}),
            ),
        )

    def _begin(
        self, ready: Ready, request: Request, show: Callable[[Event], None] | None, cancelled: threading.Event
    ) -> tuple[LocalAnswer, Callable[[], Finished]]:
        loaded = ready.loaded
        messages = prepare(
            request.messages, role_conversions=self.custom_role_conversions, flatten=self.flatten_messages_as_text
        )
        prompt = read(loaded, attrs.evolve(request, messages=messages), self.apply_chat_template_kwargs)
        size = prompt["input_ids"].shape[1]
        top, options = asked(thaw(resolve(self.options, request.options)))
        call = _arguments(loaded, options, size, room(size, _context(loaded)))
        constraint = ready.constraints.start(request.response_format)
        follow = [] if constraint is None else [Follow(constraint, size)]
        heard = None if top is None else Heard(loaded.tokenizer, top)
        processors = [*([] if heard is None else [heard]), *follow, *call.get("logits_processor", ())]
        answer = Answer(loaded, request, prompt["input_ids"], heard, show, cancelled)
        call |= {"stopping_criteria": [*call.get("stopping_criteria", ()), answer]}
        call |= {"logits_processor": processors} if processors else {}

        def generate() -> Finished:
            output = ready.batch.generate({**prompt, **call}, cancelled)
            ends = call.get("eos_token_id", ())
            ids = _first(output if hasattr(output, "shape") else output.sequences, size, ends)
            answer.take(ids)
            reason = FinishReason.STOP if int(ids[0, answer.read - 1]) in ends else FinishReason.LENGTH
            return answer.over(reason, self.model_id)

        return answer, generate


class Ready:
    """What answers in one process: what is loaded, where its calls are generated, and what forms let it say."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.batch = Batch(loaded.model, "modelport-transformers-batch")
        self.constraints = Constraints(lambda: vocabulary(loaded))


class _Runtime(Runtime[Ready]):
    """A forked child takes over the weights: they are shared until one writes, which nobody does."""

    __slots__ = ("_given", "_loaded")

    def __init__(self, given: Loaded | None, load: Callable[[], Loaded]) -> None:
        super().__init__(Threads("modelport-transformers", TOGETHER), lambda: Ready(self._weights(load)))
        self._given = self._loaded = given

    def _weights(self, load: Callable[[], Loaded]) -> Loaded:
        self._loaded = self._loaded or load()
        return self._loaded

    def close(self) -> None:
        self._loaded = self._given
        super().close()


def _arguments(loaded: Loaded, options: dict[str, Any], size: int, left: int | None) -> dict[str, Any]:
    """The arguments of `generate`: what was asked, over the model's own configuration, in the room left."""
    defaults = options.get("generation_config") or loaded.model.generation_config
    call = seeded(arguments(options), defaults, loaded.model.device)
    longest = call.pop("max_length", None) or getattr(options.get("generation_config"), "max_length", None)
    most = call.get("max_new_tokens") or getattr(defaults, "max_new_tokens", None)
    if longest is not None and most is None:
        call["max_length"] = longest if left is None else min(longest, size + left)
    else:
        most = most or DEFAULT_MAX_TOKENS
        call["max_new_tokens"] = most if left is None else min(most, left)
    ends = call.get("eos_token_id", getattr(defaults, "eos_token_id", None))
    ends = [*ends] if isinstance(ends, (list, tuple)) else [] if ends is None else [ends]
    own = loaded.tokenizer.eos_token_id  # some chat models end a turn with a token that only the tokenizer knows
    if "eos_token_id" not in call and own is not None and own not in ends:
        ends.append(own)
    if ends:
        call["eos_token_id"] = ends
        call.setdefault("pad_token_id", getattr(defaults, "pad_token_id", None) or ends[0])
    return call


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
