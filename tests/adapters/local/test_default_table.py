"""How long an answer gets, and whether its tokens are drawn: the rows of one table hold for each runtime."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from tiny_words import tokenizer

from modelport import ModelFailure, as_request
from modelport.adapters.local.sampling import Usual

# What vLLM and MLX warn of when they are imported isn't ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

CONTEXT = 100_000

# What generation_config.json says, what the call says: so many tokens at most, and whether they are drawn.
TABLE: tuple[tuple[dict[str, Any], dict[str, Any], int, bool], ...] = (
    ({}, {}, 4096, False),
    ({}, {"max_tokens": 9000}, 9000, False),
    ({"max_new_tokens": 7}, {}, 7, False),
    ({"max_new_tokens": 7}, {"max_tokens": 9}, 9, False),
    ({"max_new_tokens": 7}, {"max_tokens": None}, 7, False),
    ({"do_sample": True}, {}, 4096, True),
    ({"do_sample": True, "temperature": 0.6, "top_p": 0.9}, {}, 4096, True),
    ({"do_sample": True, "temperature": 0.6}, {"temperature": 0}, 4096, False),
    ({"do_sample": True, "temperature": 0.6}, {"temperature": 0, "top_p": 0.5}, 4096, False),
    ({"do_sample": True, "temperature": 0.6}, {"temperature": None}, 4096, True),
    ({"temperature": 0.6, "top_p": 0.9}, {}, 4096, False),
    ({}, {"temperature": 0.6}, 4096, True),
    ({}, {"top_p": 0.9}, 4096, True),
    ({}, {"top_k": 5}, 4096, True),
    ({}, {"min_p": 0.1}, 4096, True),
    ({}, {"seed": 7}, 4096, False),
    ({}, {"temperature": None}, 4096, False),
)


def of_transformers(config: dict[str, Any], options: dict[str, Any]) -> tuple[int, bool]:
    import tiny_llama
    import transformers

    from modelport.adapters.transformers.model import TransformersModel

    words = tokenizer()
    says = tiny_llama.Says([words.eos_token_id])
    says.generation_config = transformers.GenerationConfig(**config)
    TransformersModel("tiny", model=says, tokenizer=words, **options)("?")
    drawn = says.called_with.get("do_sample", says.generation_config.do_sample)
    drawn = drawn or "logits_processor" in says.called_with  # which draws by the seed of the call
    return says.called_with["max_new_tokens"], bool(drawn)


def of_mlx(config: dict[str, Any], options: dict[str, Any]) -> tuple[int, bool]:
    import tiny_mlx

    from modelport.adapters.mlx.line import Generation, Line
    from modelport.adapters.mlx.model import MLXModel, Ready

    asked: list[Generation] = []

    class Asked(Line):
        def generate(self, call: Generation) -> None:
            asked.append(call)

    words = tokenizer()
    model = MLXModel("tiny", model=tiny_mlx.model(words, CONTEXT), tokenizer=words, **options)
    ready = Ready(attrs.evolve(model._runtime.ready().loaded, usual=Usual.of(config)), 0)
    ready.line = Asked(ready.loaded, 0)
    model._runtime.put(ready)
    model("?")
    return asked[0].max_tokens, asked[0].sampler is not None


def of_openvino(config: dict[str, Any], options: dict[str, Any]) -> tuple[int, bool]:
    import openvino_genai
    import openvino_subject

    asked: list[Any] = []

    def generate(inputs: Any, config: Any, streamer: Any) -> Any:
        asked.append(config)
        return SimpleNamespace(finish_reasons=[openvino_genai.GenerationFinishReason.LENGTH])

    pipeline = SimpleNamespace(
        get_generation_config=lambda: openvino_genai.GenerationConfig(**config), generate=generate
    )
    model = openvino_subject.OpenVINOModel(**options)
    model._runtime.put(attrs.evolve(openvino_subject.loaded(), pipeline=pipeline, window=CONTEXT))
    model("?")
    return asked[0].max_new_tokens, asked[0].do_sample


def of_vllm(config: dict[str, Any], options: dict[str, Any]) -> tuple[int, bool]:
    from modelport.adapters.vllm.sampling import call_options

    params = call_options(as_request("?", **options).options, Usual.of(config), CONTEXT).params
    return params["max_tokens"], params.get("temperature") != 0


RUNTIMES: dict[str, tuple[str, Callable[[dict[str, Any], dict[str, Any]], tuple[int, bool]]]] = {
    "transformers": ("torch", of_transformers),
    "mlx": ("mlx_lm", of_mlx),
    "openvino": ("openvino_genai", of_openvino),
    "vllm": ("transformers", of_vllm),  # nothing of vLLM's own takes part
}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("config", "options", "most", "drawn"), TABLE)
def test_one_rule_holds_for_every_runtime(
    runtime: str, config: dict[str, Any], options: dict[str, Any], most: int, drawn: bool
) -> None:
    package, found = RUNTIMES[runtime]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed here")
    assert found(config, options) == (most, drawn)


def test_the_longest_answer_of_openvino_counts_its_prompt_where_a_max_length_is_asked_for() -> None:
    if find_spec("openvino_genai") is None:
        pytest.skip("openvino_genai is not installed here")
    assert of_openvino({}, {"max_length": 40}) == (9, False)
    with pytest.raises(ModelFailure, match="max_length=3 leaves no room: the prompt has 31 tokens"):
        of_openvino({}, {"max_length": 3})
