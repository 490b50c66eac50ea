"""How options and a response format are said to vLLM: by the names and the types of its `SamplingParams`.

| option | in vLLM |
|---|---|
| `max_tokens`, `temperature`, `top_p`, `top_k`, `seed`, `repetition_penalty` | the same |
| `logprobs=True`, `top_logprobs=n` | `logprobs=n` |
| `lora_request`, `priority` | arguments of `generate` |
| any other | the same |

What neither says, the model's own generation config does (`modelport.adapters.local.sampling`), as vLLM reads it:
`generation_config` and `override_generation_config` of the engine's arguments stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, assert_never

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Sent
from ...domain.frozen import thaw
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
from ..files.places import on_this_machine
from ..local.logprobs import take_logprobs
from ..local.sampling import DRAWING, Usual, longest

# What this adapter says itself, as it reads the answer; and what would make several answers of one.
_OURS: Final = frozenset(
    {"n", "output_kind", "detokenize", "structured_outputs", "skip_clone", "flat_logprobs", "stream_interval"}
    | {"include_stop_str_in_output", "output_text_buffer_length"}
)

_FOLDERS: Final = 1_000_001  # the number of the first adapter by its folder: a user's own LoRARequests count from 1


@attrs.frozen
class CallOptions:
    """What the options of a call come to."""

    params: Mapping[str, Any]  # for SamplingParams
    top_logprobs: int | None  # how many alternatives to each token are told, if it is asked for
    lora: Any  # a folder, a LoRARequest or None
    priority: int


def usual(config: Any) -> Usual:
    """What the model's own generation config says, of vLLM's `ModelConfig`; what overrides it there counts first."""
    override = config.override_generation_config
    file = {} if config.generation_config == "vllm" else config.try_get_generation_config()
    drawn = {"do_sample": True} if override.keys() & set(DRAWING) else {}
    return Usual.of({**file, **drawn, **override})


def call_options(options: Mapping[str, Any], usual: Usual, room: int) -> CallOptions:
    """The options over the model's usual ones, in the room that the context leaves. Raises ModelFailure."""
    try:
        top, params = take_logprobs(usual.under(thaw(options)))
    except ValueError as error:
        raise refused(str(error)) from None
    lora, priority = params.pop("lora_request", None), params.pop("priority", 0)
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise refused(f"priority is a whole number, not {priority!r}")
    params["max_tokens"] = longest(params.get("max_tokens"), room)
    if top is not None:
        params["logprobs"] = top
    return CallOptions(params, top, lora, priority)


def sampling_params(params: Mapping[str, Any], form: ResponseFormat, *, deltas: bool) -> Any:
    """The `SamplingParams` of vLLM. Raises ModelFailure, naming the option that it refuses."""
    from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

    msgspec: Any = import_module("msgspec")  # vLLM has it
    types = {field.name: field.type for field in msgspec.structs.fields(SamplingParams)}
    arguments: dict[str, Any] = {}
    for name, value in params.items():
        if name in _OURS or name.startswith("_") or name not in types:
            raise refused(f"vLLM has no option {name!r} for a call; remove it")
        try:  # what has the wrong type would break off in the engine; a bias may name its token by a number in quotes
            arguments[name] = msgspec.convert(value, types[name], strict=name != "logit_bias")
        except msgspec.ValidationError as error:
            raise refused(f"vLLM can't take the option {name}={value!r}: {error}") from None
        except TypeError:  # a type that only vLLM itself reads
            arguments[name] = value
    constraint = structured(form)
    try:
        return SamplingParams(
            **arguments,
            detokenize=False,  # text is made of tokens here, as for every runtime
            output_kind=RequestOutputKind.DELTA if deltas else RequestOutputKind.FINAL_ONLY,
            structured_outputs=StructuredOutputsParams(**constraint) if constraint else None,
            skip_clone=True,
        )
    except (ValueError, TypeError) as error:
        raise refused(f"vLLM: {error}") from error
    except Exception as error:
        if type(error).__name__ == "VLLMValidationError":
            raise refused(f"vLLM: {error}") from error
        raise


def structured(form: ResponseFormat) -> dict[str, Any]:
    """The arguments of `StructuredOutputsParams` for a response format; none for free text."""
    match form:
        case Free():
            return {}
        case JsonObject():
            return {"json_object": True}
        case JsonSchema(schema=schema):
            return {"json": thaw(schema)}
        case Regex(pattern=pattern):
            return {"regex": pattern}
        case Grammar(definition=definition):
            return {"grammar": definition}
        case _:
            assert_never(form)


class Loras:
    """The adapters that an engine has loaded, each with the number that it is known by there."""

    __slots__ = ("_loaded", "_numbers")

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._loaded: set[int] = set()

    async def loaded(self, llm: Any, lora: Any) -> Any:
        """The `LoRARequest` for a folder, or for one that is given, once it is loaded. Raises ModelFailure."""
        if lora is None:
            return None
        request = self._request(lora)
        if request.lora_int_id not in self._loaded:
            try:  # one that fails in the midst of a call would end the engine
                await llm.add_lora(request)
            except Exception as error:
                raise refused(f"lora_request: {request.lora_path!r} can't be loaded: {error}") from error
            self._loaded.add(request.lora_int_id)
        return request

    def _request(self, lora: Any) -> Any:
        if not isinstance(lora, (str, Path)):
            if type(lora).__name__ == "LoRARequest":
                return lora
            raise refused(f"lora_request is a folder or a LoRARequest, not {lora!r}")
        from vllm.lora.request import LoRARequest

        folder = on_this_machine(str(lora))
        if not (folder / "adapter_config.json").is_file():
            raise refused(f"lora_request: {str(folder)!r} is no adapter's folder: it has no adapter_config.json")
        place = str(folder.resolve())
        number = self._numbers.setdefault(place, _FOLDERS + len(self._numbers))
        return LoRARequest(f"{folder.name}-{number}", number, place)


def refused(message: str) -> ModelFailure:
    """The caller's mistake, before anything was generated."""
    return ModelFailure(ModelError(ErrorKind.INVALID_REQUEST, message, sent=Sent.NO))
