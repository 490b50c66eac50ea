"""How likely the tokens of an answer were, as `TransformersModel` tells it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the transformers extra")

import tiny_llama
import torch
from returns.result import Failure

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.model import TransformersModel
from modelport.domain.event import Finished
from modelport.domain.response import Response
from modelport.domain.response_format import Regex

WORDS = tiny_llama.tokenizer()
LLAMA = tiny_llama.model(WORDS)


def tiny(**options: Any) -> TransformersModel:
    return TransformersModel("tiny", model=LLAMA, tokenizer=WORDS, **options)


def content(response: Response) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = response.raw["choices"][0]["logprobs"]["content"]
    return found


def bare(size: int) -> tuple[list[int], torch.Tensor]:
    """The tokens of a greedy answer, and the log probabilities of all tokens at each place, from one forward pass."""
    ids = WORDS.apply_chat_template(
        [{"role": "user", "content": "?"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]
    out = LLAMA.generate(ids, do_sample=False, max_new_tokens=size, pad_token_id=WORDS.eos_token_id)
    with torch.inference_mode():
        likely = LLAMA(out).logits[0, ids.shape[1] - 1 : -1].log_softmax(-1)
    return out[0, ids.shape[1] :].tolist(), likely


@pytest.mark.parametrize("options", [{"temperature": 0}, {"seed": 5, "temperature": 1.2, "top_k": 3}, {"top_p": 0.9}])
def test_they_are_the_models_own_whatever_the_sampling(options: dict[str, Any]) -> None:
    response = tiny(max_tokens=8, logprobs=True, top_logprobs=2, **options)("?")
    told = content(response)
    text = b"".join(bytes(entry["bytes"]) for entry in told)
    assert text.decode(errors="replace").startswith(response.content)
    for entry in told:
        assert [len(entry["top_logprobs"]), entry["top_logprobs"][0]["logprob"] >= entry["logprob"]] == [2, True]
    _, likely = bare(8)
    first = likely[0]
    assert told[0]["top_logprobs"][0]["logprob"] == pytest.approx(float(first.max()), abs=1e-4)


def test_a_processor_that_writes_into_the_scores_changes_none_of_them() -> None:
    def writes(_: Any, scores: torch.Tensor) -> torch.Tensor:
        scores[:, 65] = 100.0
        return scores

    first = content(tiny(max_tokens=1, temperature=0, logprobs=True, logits_processor=[writes])("?"))[0]
    _, likely = bare(1)
    assert first["token"] == WORDS.decode([65])
    assert first["logprob"] == pytest.approx(float(likely[0, 65]), abs=1e-4)


def test_a_greedy_answer_has_those_of_one_forward_pass() -> None:
    tokens, likely = bare(8)
    told = content(tiny(max_tokens=8, temperature=0, logprobs=True)("?"))
    expected = [float(row[token]) for row, token in zip(likely, tokens, strict=True)]
    assert [entry["logprob"] for entry in told] == pytest.approx(expected[: len(told)], abs=1e-4)
    assert [entry["top_logprobs"] for entry in told] == [[]] * len(told)
    assert len(told) >= 6


def test_a_stream_ends_with_what_the_whole_answer_has() -> None:
    model = tiny(max_tokens=20, temperature=0, logprobs=True, top_logprobs=1)

    async def last() -> object:
        return [event async for event in model.stream(as_request("?"))][-1]

    finished = asyncio.run(last())
    assert isinstance(finished, Finished)
    assert finished.response.raw == model("?").raw


def test_a_stop_takes_the_tokens_behind_it_away() -> None:
    free = tiny(max_tokens=20, temperature=0, logprobs=True)("?")
    stop = free.content[4:6]
    told = content(tiny(max_tokens=20, temperature=0, logprobs=True)("?", [stop]))
    assert told == content(free)[: len(told)]
    before = b"".join(bytes(entry["bytes"]) for entry in told[:-1])
    assert len(before.decode(errors="replace")) <= free.content.index(stop)
    assert len(told) < len(content(free))


def test_a_constraint_shows_how_little_the_model_thought_of_what_it_had_to_say() -> None:
    response = tiny(max_tokens=9, logprobs=True)("?", response_format=Regex("ab"))
    assert response.content == "ab"
    assert [entry["token"] for entry in content(response)] == ["a", "b"]
    assert all(-50 < entry["logprob"] < 0 for entry in content(response))


def test_without_the_option_there_is_nothing_raw() -> None:
    assert tiny(max_tokens=3)("?").raw is None
    assert tiny(max_tokens=3, logprobs=True)("?", logprobs=False).raw is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"top_logprobs": 3}, "logprobs=True"),
        ({"logprobs": True, "num_beams": 2}, "without num_beams"),
    ],
)
def test_what_can_t_be_told_is_an_invalid_request(options: dict[str, Any], why: str) -> None:
    result = asyncio.run(tiny(max_tokens=5).generate(as_request("?", **options)))
    assert isinstance(result, Failure)
    assert (result.failure().kind, why in result.failure().message) == ("invalid_request", True)


def test_drafting_ahead_tells_the_same() -> None:
    plain = tiny(max_tokens=12, temperature=0, logprobs=True)("안녕하세요")
    ahead = tiny(max_tokens=12, temperature=0, logprobs=True, prompt_lookup_num_tokens=3)("안녕하세요")
    assert ahead.content == plain.content
    assert [entry["token"] for entry in content(ahead)] == [entry["token"] for entry in content(plain)]
    values = [[entry["logprob"] for entry in content(each)] for each in (ahead, plain)]
    assert values[0] == pytest.approx(values[1], abs=1e-3)
