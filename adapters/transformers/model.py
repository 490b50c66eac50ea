"""Language models run in this process by Hugging Face transformers, answering text token by token.

A call is prepared in a thread of its own; calls at the same time share the model's passes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from ...domain.answer_builder import AnswerBuilder
from ...domain.capability import Capabilities
from ...domain.error import ErrorKind
from ...domain.event import Event, Failed, Finished
from ...domain.frozen import FrozenDict, freeze_mapping, thaw
from ...domain.option import canonical, resolve
from ...domain.preparation import as_role_conversions, prepare
from ...domain.request import Request
from ...domain.response import FinishReason
from ..files.torch_folder import sees
from ..http.arguments import check_kind
from ..local.constraint import Constraints
from ..local.logprobs import asked
from ..local.model import LocalModel
from ..process.crossing import answering
from ..process.secret import revealed
from ..process.thread import Threads
from .answer import Answer
from .batch import TOGETHER, Batch
from .constraint import Follow, vocabulary
from .errors import PROVIDER, translate
from .loading import Loaded, load
from .logprobs import Heard
from .prompt import read
from .sampling import DEFAULT_MAX_TOKENS, arguments, seeded

CAN = Capabilities(tools=True, json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model can: tools if its template knows them, and any form, as it is decoded under constraints here."""


@attrs.frozen(init=False, eq=False, repr=False)
class TransformersModel(LocalModel):
    """A model that transformers runs: a name on the hub, a folder, or `default` for the embedded one.

    It is loaded on first use, once. A `model` that is loaded already can be given with its `tokenizer`, or with the
    `processor` of a model that sees. `options` are defaults for every call; `model_kwargs` go to `from_pretrained`.
    """

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
        model_id: str,
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
        if not isinstance(model_id, str) or not model_id:
            raise ValueError(f"TransformersModel: model_id is a name, a folder or 'default', not {model_id!r}")
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
            prompt, size = self._prompt(loaded, request)
            context = _context(loaded)
            if context is not None and size >= context:
                message = f"the prompt has {size} tokens, and the context of {self.model_id!r} holds {context}"
                return Failed(self._refused(ErrorKind.CONTEXT_WINDOW, message))
            call = self._arguments(loaded, request, size, context)
            constraint = self._runtime.constraints(loaded).start(request.response_format)
            if constraint is not None:
                call["logits_processor"] = [Follow(constraint, size), *call.get("logits_processor", ())]
            top, _ = asked(resolve(self.options, request.options))
            heard = None if top is None else Heard(loaded.tokenizer, top)
            if heard is not None:
                call["logits_processor"] = [heard, *call.get("logits_processor", ())]
            answer = Answer(loaded, request, prompt["input_ids"], heard, show, cancelled)
            fail = answer.fail
            phase = "generating"
            criteria = [*call.pop("stopping_criteria", ()), answer]
            output = self._runtime.batch(loaded).generate({**prompt, **call, "stopping_criteria": criteria}, cancelled)
            ends = call.get("eos_token_id", ())
            ids = _first(output if hasattr(output, "shape") else output.sequences, size, ends)
            answer.take(ids)
            reason = FinishReason.STOP if int(ids[0, answer.read - 1]) in ends else FinishReason.LENGTH
            return answer.over(reason, self.model_id)
        except Exception as error:
            return fail(translate(error, self.model_id, phase))

    def _prompt(self, loaded: Loaded, request: Request) -> tuple[dict[str, Any], int]:
        conversions, flatten = self.custom_role_conversions, self.flatten_messages_as_text
        messages = prepare(request.messages, role_conversions=conversions, flatten=flatten)
        tensors = read(loaded, attrs.evolve(request, messages=messages), self.apply_chat_template_kwargs)
        return tensors, tensors["input_ids"].shape[1]

    def _arguments(self, loaded: Loaded, request: Request, size: int, context: int | None) -> dict[str, Any]:
        """The arguments of `generate`: what was asked, over the model's own configuration, in the room left."""
        _, options = asked(thaw(resolve(self.options, request.options)))
        defaults = options.get("generation_config") or loaded.model.generation_config
        call = seeded(arguments(options), defaults, loaded.model.device)
        longest = call.pop("max_length", None) or getattr(options.get("generation_config"), "max_length", None)
        most = call.get("max_new_tokens") or getattr(defaults, "max_new_tokens", None)
        if longest is not None and most is None:
            call["max_length"] = longest if context is None else min(longest, context)
        else:
            most = most or DEFAULT_MAX_TOKENS
            call["max_new_tokens"] = most if context is None else min(most, context - size)
        ends = call.get("eos_token_id", getattr(defaults, "eos_token_id", None))
        ends = [*ends] if isinstance(ends, (list, tuple)) else [] if ends is None else [ends]
        own = loaded.tokenizer.eos_token_id  # some chat models end a turn with a token that only the tokenizer knows
        if "eos_token_id" not in call and own is not None and own not in ends:
            ends.append(own)
        if ends:
            call["eos_token_id"] = ends
            call.setdefault("pad_token_id", getattr(defaults, "pad_token_id", None) or ends[0])
        return call


class _Runtime:
    """What can't be a value: the threads of a model, and what they have loaded."""

    __slots__ = ("_batches", "_constraints", "_load", "_loaded", "_locks", "threads")

    def __init__(self, loaded: Loaded | None, load: Callable[[], Loaded]) -> None:
        self.threads = Threads("modelport-transformers", TOGETHER)
        self._loaded, self._load = loaded, load
        self._constraints: Constraints | None = None
        self._batches: dict[
            int, Batch
        ] = {}  # one for each process: the calls in progress before a fork are the parent's
        self._locks: dict[int, threading.Lock] = {}  # as well: a fork may leave the parent's taken

    def loaded(self) -> Loaded:
        """Loads on first use; a failure isn't remembered."""
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def batch(self, loaded: Loaded) -> Batch:
        """Where its calls are answered."""
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            found = self._batches.get(os.getpid())
            if found is None:
                found = self._batches[os.getpid()] = Batch(loaded.model, "modelport-transformers-batch")
            return found

    def constraints(self, loaded: Loaded) -> Constraints:
        """What a response format lets this model say."""
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if self._constraints is None:
                self._constraints = Constraints(lambda: vocabulary(loaded))
            return self._constraints


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
