"""The generation config of OpenVINO GenAI that a request comes to: its options and its response format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, assert_never

from ...domain.error import ErrorKind, ModelError, ModelFailure, Sent
from ...domain.frozen import thaw
from ...domain.response_format import Free, Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
from .errors import said

_NAMES = {"max_tokens": "max_new_tokens", "seed": "rng_seed"}
_OURS = frozenset({"structured_output_config", "echo", "num_return_sequences", "include_stop_str_in_output"})
_ENDLESS = frozenset({"assistant_confidence_threshold"})  # generation with it never ends, and can't be stopped


def configured(config: Any, options: Mapping[str, Any], form: ResponseFormat) -> Any:
    """The model's own config, changed to what is asked. Raises ModelFailure, naming what it can't take.

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
    if wanted.pop("logprobs", None) or wanted.pop("top_logprobs", None):
        raise _refused("OpenVINO GenAI doesn't tell how likely its tokens were: no logprobs", ErrorKind.UNSUPPORTED)
    for name, value in wanted.items():
        if value is None:
            continue
        attribute = _NAMES.get(name, name)
        if name in _OURS | _ENDLESS or name.startswith("_") or not hasattr(type(config), attribute):
            raise _refused(f"OpenVINO has no option {name!r}; remove it")
        try:
            setattr(config, attribute, thaw(value))
        except (TypeError, AttributeError) as error:
            raise _refused(f"OpenVINO can't take the option {name}={value!r}") from error
    constraint = _constraint(form)
    if constraint:
        import openvino_genai

        config.structured_output_config = openvino_genai.StructuredOutputConfig(**constraint)
    try:
        config.validate()
    except RuntimeError as error:
        raise _refused(said(error)) from error
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
