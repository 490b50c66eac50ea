"""The options of a call by name and type, so that an editor completes them and a type checker finds a misspelt one.

What a provider calls by a name that isn't here goes into `extra_body={...}`; what a local runtime does, into a dict of
its own: `model("Hi", **more)` with `more: dict[str, Any]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from .option import Omit

_Whole = int | Omit | None
_Number = float | Omit | None
_Flag = bool | Omit | None
_Word = str | Omit | None
_Named = Mapping[str, Any] | Omit | None


class Options(TypedDict, total=False):
    """Options of a constructor, which a call may overrule; each may be `OMIT`."""

    # Under the names that hold for every model.
    max_tokens: _Whole
    temperature: _Number
    top_p: _Number
    top_k: _Whole
    min_p: _Number
    seed: _Whole
    frequency_penalty: _Number
    presence_penalty: _Number
    repetition_penalty: _Number
    logit_bias: Mapping[Any, float] | Omit | None
    logprobs: _Flag
    top_logprobs: _Whole

    # Other spellings of these.
    max_new_tokens: _Whole
    max_completion_tokens: _Whole
    max_output_tokens: _Whole
    maxTokens: _Whole
    topP: _Number
    topK: _Whole
    random_seed: _Whole
    repeat_penalty: _Number

    # Of providers.
    audio: _Named
    betas: Sequence[str] | Omit | None
    cache_control: _Named
    include: Sequence[str] | Omit | None
    max_tool_calls: _Whole
    metadata: _Named
    modalities: Sequence[str] | Omit | None
    output_config: _Named
    parallel_tool_calls: _Flag
    prediction: _Named
    previous_response_id: _Word
    prompt_cache_key: _Word
    prompt_cache_retention: _Word
    reasoning: _Named
    reasoning_effort: _Word
    safety_identifier: _Word
    service_tier: _Word
    store: _Flag
    stream_options: _Named
    thinking: _Named
    truncation: _Word
    user: _Word
    verbosity: Literal["low", "medium", "high"] | Omit | None
    web_search_options: _Named

    # Beside what is sent, and untouched into it.
    extra_body: _Named
    extra_headers: _Named
    extra_query: _Named

    # Of local runtimes.
    bad_words: Sequence[str] | Omit | None
    do_sample: _Flag
    ignore_eos: _Flag
    length_penalty: _Number
    logits_processor: Any
    logits_processors: Any
    lora_request: Any
    min_new_tokens: _Whole
    min_tokens: _Whole
    no_repeat_ngram_size: _Whole
    num_beams: _Whole
    priority: _Whole
    prompt_lookup_num_tokens: _Whole
    sampler: Any
    stop_token_ids: Sequence[int] | Omit | None
    suppress_tokens: Sequence[int] | Omit | None
    typical_p: _Number
    xtc_probability: _Number


class CallOptions(Options, total=False):
    """Options of one call: those of a constructor, and what a constructor takes by an argument of its own."""

    timeout: Any
