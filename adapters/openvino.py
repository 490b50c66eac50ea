"""Models that run on this machine in OpenVINO GenAI: a folder of its own format, a GGUF file, or the embedded default.

Its pipeline answers one call at a time, so calls queue for the model's one thread, and each may leave the queue. Text
is decoded and scanned for stops in that thread, token by token: generation ends with the token that ends the text.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from ..domain.capability import Capabilities
from ..domain.draft import Draft
from ..domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from ..domain.event import Event, Failed, Finished
from ..domain.frozen import FrozenDict, thaw
from ..domain.option import canonical, resolve
from ..domain.request import Request
from ..domain.response import FinishReason
from ..domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex
from ..domain.usage import Usage
from . import cache, gguf
from .detokenizer import Detokenizer
from .generation_thread import Threads, answering
from .local_model import LocalModel
from .weights import default_gguf

PROVIDER = "openvino"

CAN = Capabilities(json_object=True, json_schema=True, regex=True, grammar=True)
"""What every model in OpenVINO GenAI can: it decodes under constraints itself, whatever the model is."""

_NAMES = {"max_tokens": "max_new_tokens", "seed": "rng_seed"}
_OURS = frozenset({"structured_output_config", "echo", "num_return_sequences", "include_stop_str_in_output"})
_ENDLESS = frozenset({"assistant_confidence_threshold"})  # generation with it never ends, and can't be stopped


def encode(request: Request, options: Mapping[str, Any], config: Any) -> Any:
    """The generation config of a request, made of the model's own one. Raises ModelFailure, naming what it can't take.

    Temperature 0 or None is greedy; where none is given, the model's own default stands.
    """
    wanted = dict(options)
    if "temperature" in wanted:
        config.do_sample = bool(wanted["temperature"])
        if not config.do_sample:
            del wanted["temperature"]
    elif wanted.get("top_p") is not None or wanted.get("top_k") is not None:
        config.do_sample = True
    if (wanted.get("top_k") or 0) < 0:  # "no limit", as vLLM and MLX write it
        wanted["top_k"] = 0
    for name, value in wanted.items():
        if value is None:
            continue
        attribute = _NAMES.get(name, name)
        if name in _OURS | _ENDLESS or name.startswith("_") or not hasattr(type(config), attribute):
            raise _refused(ErrorKind.INVALID_REQUEST, f"OpenVINO has no option {name!r}; remove it")
        try:
            setattr(config, attribute, thaw(value))
        except (TypeError, AttributeError) as error:
            raise _refused(ErrorKind.INVALID_REQUEST, f"OpenVINO can't take the option {name}={value!r}") from error
    constraint = _constraint(request)
    if constraint:
        import openvino_genai

        config.structured_output_config = openvino_genai.StructuredOutputConfig(**constraint)
    try:
        config.validate()
    except RuntimeError as error:
        raise _refused(ErrorKind.INVALID_REQUEST, _said(error)) from error
    return config


def _constraint(request: Request) -> dict[str, str]:
    match request.response_format:
        case JsonObject():
            return {"json_schema": '{"type":"object"}'}
        case JsonSchema(schema=schema):
            return {"json_schema": json.dumps(thaw(schema))}
        case Regex(pattern=pattern):
            return {"regex": pattern}
        case Grammar(definition=definition, syntax="ebnf" | "gbnf"):
            return {"grammar": definition}
        case Grammar(syntax=syntax):
            message = f"OpenVINO reads grammars in ebnf, not in {syntax!r}: Grammar(..., syntax='ebnf')"
            raise _refused(ErrorKind.UNSUPPORTED, message)
        case Free():
            return {}


def history(request: Request) -> list[dict[str, str]]:
    """The conversation as chat templates read it."""
    return [{"role": str(message.role), "content": message.text} for message in request.messages]


def decode(reason: object) -> FinishReason:
    """Why generation ended, of OpenVINO's own reason."""
    return _REASONS.get(getattr(reason, "name", ""), FinishReason.OTHER)


_REASONS = {"STOP": FinishReason.STOP, "LENGTH": FinishReason.LENGTH, "TOOL_CALL": FinishReason.STOP}


# What OpenVINO says, and what it means. Its exceptions are RuntimeErrors with the C++ source's place in them.
_WORDS = (
    ("could not find a model in the directory", ErrorKind.NOT_FOUND, Scope.MODEL),
    ("gguf", ErrorKind.UNSUPPORTED, Scope.MODEL),
    ("unsupported property", ErrorKind.INVALID_REQUEST, Scope.MODEL),
    ("has not been registered", ErrorKind.INVALID_REQUEST, Scope.MODEL),
    ("streaming is possible only", ErrorKind.INVALID_REQUEST, Scope.REQUEST),  # beams
    ("'max_length' must be", ErrorKind.INVALID_REQUEST, Scope.REQUEST),
    ("xgrammar", ErrorKind.INVALID_REQUEST, Scope.REQUEST),
    ("template", ErrorKind.INVALID_REQUEST, Scope.REQUEST),
)


def translate(exception: Exception, model_id: str | None = None) -> ModelError:
    """What went wrong, as a value."""
    match exception:
        case ModelFailure():
            return attrs.evolve(exception.error, provider=PROVIDER, model_id=model_id)
        case ImportError():
            kind, scope = ErrorKind.MISSING_DEPENDENCY, Scope.MODEL
            text = f"OpenVINO GenAI can't be imported ({exception}): pip install 'modelport[openvino]'"
        case FileNotFoundError() | gguf.NotWhole():
            kind, scope, text = ErrorKind.NOT_FOUND, Scope.MODEL, str(exception)
        case _:
            words = str(exception).lower()
            found = (row for row in _WORDS if row[0] in words)
            _, kind, scope = next(found, ("", ErrorKind.SERVER, Scope.REQUEST))
            text = _said(exception)
    sent = Sent.YES if kind is ErrorKind.SERVER else Sent.NO
    return ModelError(kind, text, scope, sent, provider=PROVIDER, model_id=model_id)


def _said(exception: Exception) -> str:
    lines = [line.strip() for line in str(exception).splitlines()]
    told = [line for line in lines if line and not line.startswith(("Exception from ", "Check '"))]
    return " ".join(told) or str(exception).strip() or type(exception).__name__


def _refused(kind: ErrorKind, message: str, scope: Scope = Scope.REQUEST) -> ModelFailure:
    return ModelFailure(ModelError(kind, message, scope, Sent.NO))


@attrs.frozen(eq=False)
class _Loaded:
    """A pipeline, its tokenizer, and how many tokens prompt and answer may have together, where that is known."""

    pipeline: Any
    tokenizer: Any
    window: int | None


@attrs.define(eq=False)
class _Runtime:
    """A model's one thread, and what it has loaded in this process; a forked child loads its own."""

    threads: Threads
    injected: Any = None
    loaded: dict[int, _Loaded] = attrs.field(factory=dict)


@attrs.frozen(init=False, eq=False, repr=False)
class OpenVINOModel(LocalModel):
    """A model in OpenVINO GenAI.

    `model_id` is a folder in OpenVINO's format, a GGUF file, or `default`: SmolLM2-135M-Instruct, fetched where it is
    not on this machine. It is loaded on first use, once; `model_kwargs` go to `LLMPipeline`. A `pipeline` that is
    loaded already can be given instead. Options are defaults for every call.
    """

    model_id: str
    device: str
    capabilities: Capabilities
    options: FrozenDict
    model_kwargs: FrozenDict
    _pipeline: Any
    _runtime: _Runtime

    def __init__(
        self,
        model_id: str | os.PathLike[str] = "default",
        *,
        device: str = "CPU",
        pipeline: Any = None,
        model_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        name = os.fspath(model_id)
        if not name:
            raise ValueError("OpenVINOModel: model_id is empty; give a folder, a GGUF file, or 'default'")
        kwargs = FrozenDict(model_kwargs or {})
        runtime = _Runtime(Threads("modelport-openvino", 1), pipeline)
        given = canonical(options, "OpenVINOModel")
        self.__attrs_init__(  # pyright: ignore[reportAttributeAccessIssue]
            name, device, CAN, given, kwargs, pipeline, runtime
        )

    @property
    def provider(self) -> str:
        """The name in the ledger of attempts."""
        return PROVIDER

    def _events(self, request: Request, *, deltas: bool) -> AsyncGenerator[Event]:
        return answering(self._runtime.threads, partial(self._answer, request), deltas=deltas)

    def __repr__(self) -> str:
        device = "" if self.device == "CPU" else f", device={self.device!r}"
        given = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"OpenVINOModel({self.model_id!r}{device}{given})"

    def _answer(
        self, request: Request, show: Callable[[Event], None], cancelled: threading.Event
    ) -> Finished | Failed | None:
        draft = Draft(request.stop_sequences)
        try:
            loaded = self._load()
            if cancelled.is_set():
                return None
            options = resolve(self.options, request.options)
            return _generate(loaded, request, options, draft, show, cancelled, self.model_id)
        except Exception as exception:
            return draft.fail(translate(exception, self.model_id))

    def _load(self) -> _Loaded:
        found = self._runtime.loaded.get(os.getpid())
        if found is not None:
            return found
        _no_statistics()
        pipeline, source = self._runtime.injected, None
        if pipeline is None:
            path = default_gguf() if self.model_id == "default" else Path(self.model_id)
            pipeline, source = _open(path, self.device, thaw(self.model_kwargs))
        tokenizer = pipeline.get_tokenizer()
        loaded = _Loaded(pipeline, tokenizer, _window(tokenizer, source))
        self._runtime.loaded[os.getpid()] = loaded
        return loaded


def _no_statistics() -> None:
    """Keeps OpenVINO from counting its use: importing it would write an id into the home folder and may send it."""
    # None is how Python marks a module that must not be imported, which the types of sys.modules don't say.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def _open(path: Path, device: str, kwargs: dict[str, Any]) -> tuple[Any, Path]:
    """The pipeline, and the folder or file that it was read from.

    A GGUF file is converted to OpenVINO's own format in our cache folder, once: that loads in half the time.
    """
    import openvino_genai

    if not path.exists():
        raise FileNotFoundError(f"there is no model folder and no GGUF file {str(path)!r}")
    if path.is_dir():
        return openvino_genai.LLMPipeline(str(path), device, **kwargs), path
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise FileNotFoundError(f"{str(path)!r} is neither a model folder nor a GGUF file")
    state = path.stat()
    mark = repr((str(path.resolve()), state.st_size, state.st_mtime_ns, openvino_genai.__version__))
    target = cache.folder() / f"{path.stem}-openvino-{hashlib.sha256(mark.encode()).hexdigest()[:16]}"
    if not target.exists():
        gguf.check(path)
    made = []

    def convert(folder: Path) -> None:
        folder.mkdir()
        link = folder / "model.gguf"  # OpenVINO writes beside the file that it reads
        link.symlink_to(path.resolve())
        made.append(openvino_genai.LLMPipeline(str(link), device, enable_save_ov_model=True, **kwargs))
        link.unlink()

    try:
        cache.made_once(target, convert)
    except OSError:  # a cache folder that can't be written, a system without links: it only takes longer then
        target = path
    return (made[0] if made else openvino_genai.LLMPipeline(str(target), device, **kwargs)), target


def _window(tokenizer: Any, source: Path | None) -> int | None:
    """What prompt and answer may come to: the least of what the model says and of where its tokenizer cuts off."""
    known = []
    try:
        config = json.loads((source / "config.json").read_bytes()) if source else {}
        known.append(int(config["max_position_embeddings"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    many = 150_000
    cut = tokenizer.encode(" a" * many, add_special_tokens=False).input_ids.shape[1]
    if cut < many // 2:
        known.append(int(cut))
    return min(known, default=None)


def _generate(
    loaded: _Loaded,
    request: Request,
    options: Mapping[str, Any],
    draft: Draft,
    show: Callable[[Event], None],
    cancelled: threading.Event,
    model_id: str,
) -> Finished | None:
    import openvino_genai

    config = encode(request, options, loaded.pipeline.get_generation_config())
    turns = openvino_genai.ChatHistory(history(request))
    prompt = loaded.tokenizer.apply_chat_template(turns, add_generation_prompt=True)
    inputs = loaded.tokenizer.encode(prompt, add_special_tokens=False)
    read = int(inputs.input_ids.shape[1])
    if loaded.window is not None:
        if read >= loaded.window:  # the tokenizer cuts a longer prompt off in silence
            message = f"the prompt has at least {read} tokens, and prompt and answer may have {loaded.window} together"
            raise _refused(ErrorKind.CONTEXT_WINDOW, message)
        config.max_new_tokens = min(config.max_new_tokens, loaded.window - read)

    said = Detokenizer(loaded.tokenizer.decode)
    status = openvino_genai.StreamingStatus
    trouble: list[Exception] = []
    written = 0

    class Streamer(openvino_genai.StreamerBase):  # type: ignore[misc]
        def write(self, token: Any) -> Any:
            nonlocal written
            if cancelled.is_set() or draft.stopped_by is not None:
                return status.CANCEL
            try:  # what is raised here would be printed and forgotten
                tokens = [token] if isinstance(token, int) else list(token)
                written += len(tokens)
                for event in draft.text(said.feed(tokens)):
                    show(event)
            except Exception as exception:
                trouble.append(exception)
                return status.CANCEL
            return status.CANCEL if draft.stopped_by is not None else status.RUNNING

        def end(self) -> None:
            pass

    results = loaded.pipeline.generate(inputs, config, Streamer())
    if trouble:
        raise trouble[0]
    if cancelled.is_set():
        return None
    if draft.stopped_by is None:
        for event in draft.close():
            show(event)
    usage = Usage(read, written)
    return draft.finish(decode(results.finish_reasons[0]), usage=usage, model_id=model_id)
