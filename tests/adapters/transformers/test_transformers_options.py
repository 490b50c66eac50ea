"""Every option of `generate` does through `TransformersModel` what it does in `generate` itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the transformers extra")

import tiny_llama
import torch
import transformers
from returns.result import Failure

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.model import TransformersModel

WORDS = tiny_llama.tokenizer()
LLAMA = tiny_llama.model(WORDS)
END = WORDS.eos_token_id
GREEDY = {"do_sample": False}
DRAWN = {"do_sample": True}


def tiny(**options: Any) -> TransformersModel:
    return TransformersModel("tiny", model=LLAMA, tokenizer=WORDS, **options)


def same(found: str, expected: str) -> bool:
    """An answer that was cut off in the middle of a character ends before it."""
    return expected.startswith(found) and not expected[len(found) :].strip("\ufffd")


def bare(seed: int | None = None, **options: Any) -> str:
    ids = WORDS.apply_chat_template(
        [{"role": "user", "content": "안녕"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    if seed is not None:
        torch.manual_seed(seed)
    out = LLAMA.generate(**ids, **{"max_new_tokens": 16, "pad_token_id": END, **options})
    text: str = WORDS.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    return text


@pytest.mark.parametrize(
    "options",
    [
        {"repetition_penalty": 1.7},
        {"no_repeat_ngram_size": 2},
        {"bad_words_ids": [[3], [60, 61]]},
        {"suppress_tokens": list(range(30, 90))},
        {"begin_suppress_tokens": list(range(150))},
        {"min_new_tokens": 10, "eos_token_id": list(range(100))},
        {"min_length": 30, "eos_token_id": list(range(100))},
        {"max_length": 25, "max_new_tokens": None},
        {"eos_token_id": list(range(200))},
        {"forced_eos_token_id": 65},
        {"sequence_bias": [[[65], 40.0], [[66, 67], -40.0]]},
        {"exponential_decay_length_penalty": [2, 3.0]},
        {"encoder_repetition_penalty": 1.5},
        {"encoder_no_repeat_ngram_size": 2},
        {"remove_invalid_values": True, "renormalize_logits": True},
        {"use_cache": False},
        {"cache_implementation": "static"},
        {"num_beams": 3, "length_penalty": 0.2, "early_stopping": True},
        {"num_beams": 3, "num_return_sequences": 2},
        {"prompt_lookup_num_tokens": 3},
        {"output_scores": True, "return_dict_in_generate": True},
        {"guidance_scale": 1.5},
    ],
    ids="-".join,
)
def test_an_option_without_chance(options: dict[str, Any]) -> None:
    given = {"max_new_tokens": 16, **options}
    found = tiny(**GREEDY)("안녕", **given)
    known = {name: value for name, value in given.items() if name != "return_dict_in_generate"}
    assert same(found.content, bare(**GREEDY, **known))


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.3},
        {"temperature": 2.5, "top_k": 7},
        {"top_k": 0},
        {"top_p": 0.4},
        {"min_p": 0.3, "top_k": 0},
        {"typical_p": 0.5},
        {"epsilon_cutoff": 0.01},
        {"eta_cutoff": 0.01},
        {"top_h": 0.4},
        {"temperature": 1.3, "top_k": 30, "top_p": 0.8, "min_p": 0.01, "repetition_penalty": 1.4},
        {"renormalize_logits": True, "no_repeat_ngram_size": 1},
        {},
    ],
    ids="-".join,
)
def test_an_option_of_chance_draws_from_the_seed_as_generate_would(options: dict[str, Any]) -> None:
    found = tiny(**DRAWN)("안녕", seed=11, max_tokens=16, **options)
    assert same(found.content, bare(11, **DRAWN, **options))


def test_every_spelling_of_the_most_tokens_is_one_option() -> None:
    for name in ("max_tokens", "max_new_tokens", "max_completion_tokens"):
        usage = tiny(**{name: 3})("안녕").usage
        assert usage is not None
        assert usage.output_tokens == 3


def test_the_models_own_defaults_stand_where_nobody_says_otherwise() -> None:
    llama = tiny_llama.model(WORDS)
    llama.generation_config = transformers.GenerationConfig(
        do_sample=True, temperature=0.6, top_k=5, max_new_tokens=7, eos_token_id=END
    )
    model = TransformersModel("tiny", model=llama, tokenizer=WORDS)
    found = model("안녕", seed=4)
    assert same(found.content, bare(4, do_sample=True, temperature=0.6, top_k=5, max_new_tokens=7))
    assert same(model("안녕", temperature=0, max_tokens=16).content, bare(**GREEDY))


class Loudly:
    """A logits processor of the user's own."""

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        return scores.roll(1, dims=-1)


class AfterThree:
    """A stopping criterion of the user's own."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        self.asked += 1
        return torch.full((input_ids.shape[0],), self.asked >= 3, dtype=torch.bool)


def test_processors_criteria_and_configurations_of_ones_own_are_used() -> None:
    own = {"logits_processor": [Loudly()]}
    assert same(tiny(**GREEDY, max_tokens=16)("안녕", **own).content, bare(**GREEDY, **own))
    usage = tiny(max_tokens=16)("안녕", stopping_criteria=[AfterThree()]).usage
    assert usage is not None
    assert usage.output_tokens == 3
    config = transformers.GenerationConfig(max_new_tokens=5, repetition_penalty=1.7, do_sample=False, pad_token_id=END)
    found = tiny()("안녕", generation_config=config)
    assert same(found.content, bare(generation_config=config, max_new_tokens=5))


def test_another_model_may_draft_ahead() -> None:
    small = tiny_llama.model(WORDS)
    found = tiny(**GREEDY, max_tokens=16)("안녕", assistant_model=small)
    assert same(found.content, bare(**GREEDY))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"seed": 1, "temperature": 1, "num_beams": 2}, "seed"),
        ({"seed": 1, "temperature": 1, "watermarking_config": transformers.WatermarkingConfig()}, "watermark"),
        ({"typical_p": 0}, "typical_p"),
        ({"extra_body": {"no_such_option": 1}}, "no_such_option"),
        ({"cache_implementation": "none such"}, "cache_implementation"),
    ],
)
def test_an_option_that_can_t_be_is_an_invalid_request_that_names_it(options: dict[str, Any], why: str) -> None:
    async def ask() -> Any:
        return await tiny(max_tokens=3).generate(as_request("안녕", **options))

    result = asyncio.run(ask())
    assert isinstance(result, Failure)
    assert (result.failure().kind, why in result.failure().message) == ("invalid_request", True), result.failure()


@pytest.mark.parametrize("other", [{}, {"max_tokens": 10_000}], ids=["alone", "with the most tokens"])
def test_a_max_length_beyond_the_context_ends_with_the_context(other: dict[str, Any]) -> None:
    usage = tiny(max_length=10_000, eos_token_id=[1_000_000], temperature=0, **other)("안녕").usage
    assert usage is not None
    assert usage.total_tokens == 256


def test_the_max_length_of_a_configuration_of_ones_own_counts() -> None:
    config = transformers.GenerationConfig(max_length=25, eos_token_id=[1_000_000])
    usage = tiny(generation_config=config, temperature=0)("안녕").usage
    assert usage is not None
    assert usage.total_tokens == 25


def test_the_first_of_several_answers_ends_with_its_own_last_token() -> None:
    several = {"num_beams": 3, "num_return_sequences": 3, "eos_token_id": list(range(40, 60)), "max_new_tokens": 60}
    ids = WORDS.apply_chat_template(
        [{"role": "user", "content": "?"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    made = LLAMA.generate(**ids, **GREEDY, **several, pad_token_id=40)[0, ids["input_ids"].shape[1] :].tolist()
    size = 1 + min(at for at, token in enumerate(made) if token in range(40, 60))
    response = tiny(**GREEDY, **several)("?")
    assert size < len(made)  # which is padded
    assert response.usage is not None
    assert response.usage.output_tokens == size
    assert response.finish_reason == "stop"
    assert same(response.content, WORDS.decode(made[:size]))
