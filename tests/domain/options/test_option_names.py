"""The tables of option names hold what the libraries that are installed take, and what type checkers are told."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.util import find_spec

import pytest

from modelport.domain.options.call_options import CallOptions
from modelport.domain.options.option import ALIASES
from modelport.domain.options.option_names import ANTHROPIC, CHAT, KNOWN, OPENVINO, RESERVED, RESPONSES, TRANSFORMERS

# What a request, an adapter or another option says, or what makes several answers of one.
_NOT_HERE = {"self", "function_call", "functions", "model", "n", "max_completion_tokens", "system", *RESERVED}


def _openai() -> set[str]:
    from openai.resources.chat.completions import AsyncCompletions

    return set(inspect.signature(AsyncCompletions.create).parameters)


def _anthropic() -> set[str]:
    from anthropic.resources.beta.messages import AsyncMessages as Betas
    from anthropic.resources.messages import AsyncMessages

    return {*inspect.signature(AsyncMessages.create).parameters, *inspect.signature(Betas.create).parameters}


def _responses() -> set[str]:
    from openai.resources.responses import AsyncResponses

    rest = {"background", "background_options", "image", "input", "instructions", "max_output_tokens", "prompt", "text"}
    return set(inspect.signature(AsyncResponses.create).parameters) - rest


def _huggingface() -> set[str]:
    from huggingface_hub import AsyncInferenceClient

    return set(inspect.signature(AsyncInferenceClient.chat_completion).parameters)


def _transformers() -> set[str]:
    import transformers

    config = {name for name in vars(transformers.GenerationConfig()) if not name.startswith("_")}
    generate = set(inspect.signature(transformers.GenerationMixin.generate).parameters)
    return config | generate - {"inputs", "streamer", "kwargs"} - {"transformers_version"} - {"max_new_tokens"}


def _openvino() -> set[str]:
    import openvino_genai

    config = openvino_genai.GenerationConfig
    fields = {name for name in dir(config) if isinstance(inspect.getattr_static(config, name), property)}
    ours = {"structured_output_config", "echo", "include_stop_str_in_output", "num_return_sequences"}
    return fields - ours - {"assistant_confidence_threshold", "max_new_tokens"}


@pytest.mark.parametrize(
    ("module", "taken", "table"),
    [
        ("openai", _openai, CHAT),
        ("anthropic", _anthropic, ANTHROPIC),
        ("openai", _responses, RESPONSES),
        ("huggingface_hub", _huggingface, CHAT),
        ("transformers", _transformers, TRANSFORMERS),
        ("openvino_genai", _openvino, OPENVINO),
    ],
)
def test_what_a_library_takes_is_known(module: str, taken: Callable[[], set[str]], table: frozenset[str]) -> None:
    if find_spec(module) is None:
        pytest.skip(f"{module} isn't installed here")
    assert taken() - _NOT_HERE - {"transformers_version", "max_new_tokens"} <= table


def test_what_type_checkers_know_is_known() -> None:
    assert {ALIASES.get(name, name) for name in CallOptions.__optional_keys__} <= KNOWN


def test_no_field_of_a_request_is_an_option() -> None:
    assert KNOWN.isdisjoint(RESERVED)
