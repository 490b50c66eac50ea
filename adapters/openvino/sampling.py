"""The generation config of OpenVINO GenAI that a request comes to: its options and its response format."""

from __future__ import annotations

import json
import sys
from typing import Any, Final, assert_never

from ...domain.error import ErrorKind, ModelError, ModelFailure, Sent
from ...domain.frozen import thaw
from ...domain.request import Request
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
from ..local.sampling import DRAWING, draws, longest
from .errors import text_of

_NAMES: Final = {"max_tokens": "max_new_tokens", "seed": "rng_seed"}
_OURS: Final = frozenset({"structured_output_config", "echo", "num_return_sequences", "include_stop_str_in_output"})
_ENDLESS: Final = frozenset({"assistant_confidence_threshold"})  # generation with it never ends, and can't be stopped


def configured(config: Any, request: Request, size: int, room: int | None) -> Any:
    """The model's own config, changed to what is asked after a prompt of this size, which leaves so much room.

    Raises ModelFailure, naming what it can't take.
    """
    wanted = {name: value for name, value in request.options.items() if value is not None}
    config.do_sample = draws(wanted, config.do_sample)
    if not config.do_sample:
        wanted = {name: value for name, value in wanted.items() if name not in DRAWING}
    if wanted.get("top_k", 0) < 0:  # "no limit", as vLLM and MLX write it
        wanted["top_k"] = 0
    if wanted.pop("logprobs", None) or wanted.pop("top_logprobs", None):
        raise _refused("OpenVINO GenAI doesn't tell how likely its tokens were: no logprobs", ErrorKind.UNSUPPORTED)
    for name, value in wanted.items():
        attribute = _NAMES.get(name, name)
        if name in _OURS | _ENDLESS or name.startswith("_") or not hasattr(type(config), attribute):
            raise _refused(f"OpenVINO has no option {name!r}; remove it")
        try:
            setattr(config, attribute, thaw(value))
        except (TypeError, AttributeError) as error:
            raise _refused(f"OpenVINO can't take the option {name}={value!r}") from error
    most = config.max_new_tokens if config.max_new_tokens <= sys.maxsize else None  # it has a number for "no limit"
    if most is None and "max_length" in wanted:
        most = config.max_length - size
        if most < 1:
            raise _refused(f"max_length={config.max_length} leaves no room: the prompt has {size} tokens")
    config.max_new_tokens = longest(most, room)
    constraint = _constraint(request.response_format)
    if constraint:
        import openvino_genai

        config.structured_output_config = openvino_genai.StructuredOutputConfig(**constraint)
    try:
        config.validate()
    except RuntimeError as error:
        raise _refused(text_of(error)) from error
    return config


def _constraint(form: ResponseFormat) -> dict[str, str]:
    match form:
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
            raise _refused(message, ErrorKind.UNSUPPORTED)
        case Free():
            return {}
        case _:
            assert_never(form)


def _refused(message: str, kind: ErrorKind = ErrorKind.INVALID_REQUEST) -> ModelFailure:
    return ModelFailure(ModelError(kind, message, sent=Sent.NO))
