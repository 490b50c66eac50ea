"""Language models run in this process by Hugging Face transformers, answering text token by token.

Generation runs in a thread. One stopping criterion does all that is done meanwhile: it reads the tokens that have come,
shows their text, ends at a stop, and ends at once when nobody reads any more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from functools import partial
from typing import Any

import attrs

from ..domain.capability import Capabilities
from ..domain.draft import Draft
from ..domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..domain.event import Event, Failed, Finished
from ..domain.frozen import FrozenDict, freeze_mapping, thaw
from ..domain.option import canonical, resolve
from ..domain.request import Request
from ..domain.response import FinishReason
from ..domain.spoken import Spoken, opened_thought
from ..domain.tool import Tool
from ..domain.usage import Usage
from .chat_template import template_messages, template_tools
from .constraint import Constraints
from .detokenizer import Detokenizer
from .generation_thread import Threads, answering
from .local_model import LocalModel
from .logprobs import asked
from .secret import revealed
from .transformers_constraint import Follow, vocabulary
from .transformers_loading import Loaded, load
from .transformers_logprobs import Heard
from .transformers_sampling import DEFAULT_MAX_TOKENS, arguments, seeded

PROVIDER = "transformers"
_THREADS = 4


CAN = Capabilities(tools=True, json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model can: tools if its template knows them, and any form, as it is decoded under constraints here."""


def encode(request: Request) -> dict[str, Any]:
    """The conversation and the tools as a chat template takes them."""
    return {"conversation": template_messages(request.messages)[0], "tools": template_tools(_offered(request))}


def _offered(request: Request) -> tuple[Tool, ...]:
    return () if request.tool_choice == "none" else request.tools


_K = ErrorKind

# By the name of the exception or of one that it came from; the first that is found, from the outermost inwards.
_BY_NAME: Mapping[str, tuple[ErrorKind, Scope, Sent]] = {
    "ModuleNotFoundError": (_K.MISSING_DEPENDENCY, Scope.MODEL, Sent.NO),
    "ImportError": (_K.MISSING_DEPENDENCY, Scope.MODEL, Sent.NO),
    "OutOfMemoryError": (_K.OVERLOADED, Scope.MODEL, Sent.YES),
    "MemoryError": (_K.OVERLOADED, Scope.MODEL, Sent.YES),
    "GatedRepoError": (_K.PERMISSION, Scope.MODEL, Sent.NO),
    "DisabledRepoError": (_K.PERMISSION, Scope.MODEL, Sent.NO),
    "RepositoryNotFoundError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "RevisionNotFoundError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "HFValidationError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "RemoteEntryNotFoundError": (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    "LocalEntryNotFoundError": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "OfflineModeIsEnabled": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "ConnectError": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "ConnectionError": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "ConnectTimeout": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "ReadTimeout": (_K.CONNECTION, Scope.MODEL, Sent.NO),
    "Unset": (_K.AUTHENTICATION, Scope.MODEL, Sent.NO),
    "Uncompilable": (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    "Unsupported": (_K.UNSUPPORTED, Scope.REQUEST, Sent.NO),
    "TemplateError": (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    "UndefinedError": (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
}
# Where no name says more: what went on when it was raised.
_BY_PHASE: Mapping[tuple[str, type[Exception]], tuple[ErrorKind, Scope, Sent]] = {
    ("loading", OSError): (_K.NOT_FOUND, Scope.MODEL, Sent.NO),
    ("loading", Exception): (_K.SERVER, Scope.MODEL, Sent.NO),
    ("reading", Exception): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", ValueError): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", TypeError): (_K.INVALID_REQUEST, Scope.REQUEST, Sent.NO),
    ("generating", Exception): (_K.SERVER, Scope.REQUEST, Sent.YES),
}
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def translate(error: Exception, model_id: str | None = None, phase: str = "generating") -> ModelError:
    """What an exception means that was raised while `loading`, `reading` the prompt, or `generating`."""
    if isinstance(error, ModelFailure):
        return attrs.evolve(error.error, provider=PROVIDER, model_id=model_id)
    kind, scope, sent = _meaning(error, phase)
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if phase == "loading":
        message = f"{model_id!r}: {message}"
    if kind is ErrorKind.MISSING_DEPENDENCY:
        message = f"{error}; pip install 'modelport[transformers]'"
    return ModelError(kind, message, scope=scope, sent=sent, provider=PROVIDER, model_id=model_id)


def _meaning(error: Exception, phase: str) -> tuple[ErrorKind, Scope, Sent]:
    if any(words in str(error) for words in _NO_MEMORY):
        return _BY_NAME["OutOfMemoryError"]
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        for base in type(link).__mro__:
            if base.__name__ in _BY_NAME:
                return _BY_NAME[base.__name__]
        link = link.__cause__ or link.__context__
    return next(meant for (when, kind), meant in _BY_PHASE.items() if when == phase and isinstance(error, kind))


class _Answer:
    """One answer in the making, and the stopping criterion that makes it."""

    def __init__(
        self,
        loaded: Loaded,
        request: Request,
        prompt: Any,
        heard: Heard | None,
        show: Callable[[Event], None],
        cancelled: threading.Event,
    ) -> None:
        tokenizer = loaded.tokenizer
        self._text = Detokenizer(
            lambda ids: tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )
        self.draft = Draft(request.stop_sequences)
        self.spoken = Spoken(
            self.draft,
            request.stop_sequences,
            tools=bool(_offered(request)),
            thought=opened_thought(tokenizer.decode(prompt[0, -8:])),
            first_call=1 + sum(len(message.tool_calls) for message in request.messages),
        )
        self._show, self._cancelled, self._heard = show, cancelled, heard
        self._said = ""  # all of it, where it is to be told how likely its tokens were
        self.read = prompt.shape[1]  # so many tokens, the prompt's included, have been read

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        import torch

        rows = input_ids.shape[0]
        if rows == 1:  # of several beams none is the answer yet
            self.take(input_ids)
        ended = self._cancelled.is_set() or self.spoken.ended
        return torch.full((rows,), ended, dtype=torch.bool, device=input_ids.device)

    def take(self, ids: Any) -> None:
        new = ids[0, self.read :].tolist()
        if new and not self.spoken.ended:
            if self._heard is None:
                self._say(self.spoken.feed(self._text.feed(new)))
            else:
                for place, token in enumerate(new, self.read):
                    self._heard.chose(place, token, len(self._said))
                    piece = self._text.feed([token])
                    self._said += piece
                    self._say(self.spoken.feed(piece))
            self.read += len(new)

    def finish(self, reason: FinishReason, **rest: Any) -> Finished:
        """The last event, after `close`."""
        reason = self.spoken.finish_reason(reason)
        finished = self.draft.finish(reason, stopped_by=self.spoken.stopped_by, **rest)
        return finished if self._heard is None else Finished(self._heard.onto(finished.response, self._said))

    def close(self) -> None:
        self._say(self.spoken.close())
        self._say(self.draft.close())

    def _say(self, events: Iterable[Event]) -> None:
        for event in events:
            self._show(event)


@attrs.frozen(init=False, eq=False)
class TransformersModel(LocalModel):
    """A model that transformers runs: a name on the hub, a folder, or `default` for the embedded one.

    It is loaded on first use, once. A `model` and `tokenizer` that are loaded already can be given together.
    `options` are defaults for every call; `model_kwargs` go to `from_pretrained`.
    """

    model_id: str
    options: FrozenDict
    capabilities: Capabilities
    device_map: Any = attrs.field(repr=False)
    dtype: Any = attrs.field(repr=False)
    trust_remote_code: bool = attrs.field(repr=False)
    model_kwargs: FrozenDict = attrs.field(repr=False)
    apply_chat_template_kwargs: FrozenDict = attrs.field(repr=False)
    _model: Any = attrs.field(repr=False)
    _tokenizer: Any = attrs.field(repr=False)
    _runtime: _Runtime = attrs.field(repr=False)

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
        model_kwargs: Mapping[str, Any] | None = None,
        apply_chat_template_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(model_id, str) or not model_id:
            raise ValueError(f"TransformersModel: model_id is a name, a folder or 'default', not {model_id!r}")
        if dtype is not None and torch_dtype is not None:
            raise ValueError("TransformersModel: dtype and torch_dtype are two spellings of one thing; keep dtype")
        if (model is None) != (tokenizer is None):
            raise ValueError("TransformersModel: model and tokenizer are given together, or neither is")
        dtype = dtype if torch_dtype is None else torch_dtype
        placed = {name: value for name, value in (("device_map", device_map), ("dtype", dtype)) if value is not None}
        kwargs = freeze_mapping(model_kwargs or {})
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            model_id,
            canonical(options, "TransformersModel"),
            CAN,
            device_map,
            dtype,
            trust_remote_code,
            kwargs,
            freeze_mapping(apply_chat_template_kwargs or {}),
            model,
            tokenizer,
            _Runtime(
                None if model is None else Loaded(model, tokenizer),
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
        self, request: Request, show: Callable[[Event], None], cancelled: threading.Event
    ) -> Finished | Failed | None:
        phase, draft = "loading", Draft()
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
            call = self._arguments(loaded, request, None if context is None else context - size)
            constraint = self._runtime.constraints(loaded).start(request.response_format)
            if constraint is not None:
                call["logits_processor"] = [Follow(constraint, size), *call.get("logits_processor", ())]
            top, _ = asked(resolve(self.options, request.options))
            heard = None if top is None else Heard(loaded.tokenizer, top)
            if heard is not None:
                call["logits_processor"] = [heard, *call.get("logits_processor", ())]
            answer = _Answer(loaded, request, prompt["input_ids"], heard, show, cancelled)
            draft = answer.draft
            phase = "generating"
            criteria = [*call.pop("stopping_criteria", ()), answer]
            output = loaded.model.generate(**prompt, **call, stopping_criteria=criteria)
            answer.take(output if hasattr(output, "shape") else output.sequences)
            answer.close()
            last = int((output if hasattr(output, "shape") else output.sequences)[0, answer.read - 1])
            reason = FinishReason.STOP if last in call.get("eos_token_id", ()) else FinishReason.LENGTH
            return answer.finish(reason, usage=Usage(size, answer.read - size), model_id=self.model_id)
        except Exception as error:
            return draft.fail(translate(error, self.model_id, phase))

    def _prompt(self, loaded: Loaded, request: Request) -> tuple[dict[str, Any], int]:
        template = self.apply_chat_template_kwargs.get("chat_template", loaded.tokenizer.chat_template)
        if not template:
            message = "its tokenizer has no chat template: use a model that was trained to chat, or give a template: "
            message += "TransformersModel(..., apply_chat_template_kwargs={'chat_template': ...})"
            raise ModelFailure(self._refused(ErrorKind.UNSUPPORTED, message))
        if _offered(request) and "tools" not in str(template):
            message = "its chat template knows no tools, so the model would never hear of them"
            raise ModelFailure(self._refused(ErrorKind.UNSUPPORTED, message))
        given = {"add_generation_prompt": True, **thaw(self.apply_chat_template_kwargs)}
        given |= {"tokenize": True, "return_dict": True, "return_tensors": "pt"}
        prompt = loaded.tokenizer.apply_chat_template(**encode(request), **given)
        tensors = {name: prompt[name].to(loaded.model.device) for name in ("input_ids", "attention_mask")}
        return tensors, tensors["input_ids"].shape[1]

    def _arguments(self, loaded: Loaded, request: Request, room: int | None) -> dict[str, Any]:
        """The arguments of `generate`: what was asked, over the model's own configuration, in the room left."""
        defaults = loaded.model.generation_config
        _, options = asked(thaw(resolve(self.options, request.options)))
        call = seeded(arguments(options), defaults, loaded.model.device)
        if "max_length" not in call:
            most = call.get("max_new_tokens") or getattr(defaults, "max_new_tokens", None) or DEFAULT_MAX_TOKENS
            call["max_new_tokens"] = most if room is None else min(most, room)
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

    __slots__ = ("_constraints", "_load", "_loaded", "_locks", "threads")

    def __init__(self, loaded: Loaded | None, load: Callable[[], Loaded]) -> None:
        self.threads = Threads("modelport-transformers", _THREADS)
        self._loaded, self._load = loaded, load
        self._constraints: Constraints | None = None
        self._locks: dict[int, threading.Lock] = {}  # one for each process: a fork may leave the parent's taken

    def loaded(self) -> Loaded:
        """Loads on first use; a failure isn't remembered."""
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def constraints(self, loaded: Loaded) -> Constraints:
        """What a response format lets this model say."""
        with self._locks.setdefault(os.getpid(), threading.Lock()):
            if self._constraints is None:
                self._constraints = Constraints(lambda: vocabulary(loaded))
            return self._constraints


def _context(loaded: Loaded) -> int | None:
    config = loaded.model.config
    known = getattr(config.get_text_config(), "max_position_embeddings", None)
    return known if isinstance(known, int) and known > 0 else None
