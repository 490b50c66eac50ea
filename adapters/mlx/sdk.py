"""What is leaned on inside mlx-lm, and what a user loses of each where a newer release hasn't it any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..process.inside import Argument, Inside

_CACHES: Final = "mlx_lm.models.cache"
_BATCHES: Final = "mlx_lm.generate:BatchGenerator"
_UNLIKE: Final = "calls can't be answered by this release of modelport"
_OTHERWISE: Final = "a model in the format of Transformers 5 may say something else than it should"


def _of(owner: str, name: str, lost: str = _UNLIKE) -> Inside:
    return Inside("mlx-lm", owner, name, lost)


def _argument(owner: str, name: str) -> Argument:
    return Argument("mlx-lm", owner, name, _UNLIKE)


MERGE: Final = _of(f"{_CACHES}:KVCache", "merge", "calls of a model at the same time are computed one by one")
TOKENIZER: Final = _of("mlx_lm.tokenizer_utils:TokenizerWrapper", "_tokenizer", "no response format can be followed")
ROPE: Final = _of("mlx_lm.models.llama:ModelArgs", "rope_theta", _OTHERWISE)
SCALING: Final = _of("mlx_lm.models.llama:ModelArgs", "rope_scaling", _OTHERWISE)
# Words of an exception of a kind that says nothing more
OTHER_PARAMETERS: Final = Inside(
    "mlx", "mlx.nn.layers.base", "parameters not in model", "a model of another kind is a `server` error"
)

INSIDES: Final[tuple[Inside, ...]] = (
    MERGE,
    TOKENIZER,
    ROPE,
    SCALING,
    *(_of(f"{_CACHES}:KVCache", name) for name in ("nbytes", "state")),
    *(_of(f"{_CACHES}:LRUPromptCache", name) for name in ("fetch_nearest_cache", "insert_cache")),
    _argument(f"{_CACHES}:LRUPromptCache.__init__", "max_bytes"),
    *(_of(_BATCHES, name) for name in ("next", "prompt_cache_nbytes")),
    *(
        _argument(f"{_BATCHES}.__init__", name)
        for name in ("stop_tokens", "completion_batch_size", "prefill_batch_size", "prefill_step_size")
    ),
    *(
        _argument(f"{_BATCHES}.insert", name)
        for name in ("prompts", "max_tokens", "caches", "all_tokens", "samplers", "logits_processors")
    ),
    _argument(f"{_BATCHES}.remove", "return_prompt_caches"),
    *(
        _of("mlx_lm.generate:GenerationBatch.Response", name)
        for name in ("uid", "token", "finish_reason", "all_tokens", "prompt_cache")
    ),
    *(_argument("mlx_lm.generate:generate_step", name) for name in ("prefill_step_size", "prompt_progress_callback")),
    *(_of("mlx_lm.sample_utils", name) for name in ("apply_min_p", "apply_top_k", "apply_top_p", "greedy_sampler")),
    _of("mlx_lm.utils", "DEFAULT_ALLOW_PATTERNS"),
    _of("mlx_lm.utils", "load_config"),
    OTHER_PARAMETERS,
)


def batchable(caches: Sequence[Any]) -> bool:
    """Whether calls can enter and leave a batch while it runs: what is kept of each can be merged."""
    from mlx_lm.models.cache import KVCache

    if all(hasattr(part, MERGE.name) for part in caches):
        return True
    MERGE.of(KVCache)  # some keep what can't be merged, and there is nothing to warn of
    return False


def positions_are_read(wanted: Mapping[str, Any]) -> None:
    """Warn where a Llama no longer reads, of how positions are encoded, what its configuration was mended with."""
    from mlx_lm.models.llama import ModelArgs

    for inside in (ROPE, SCALING):
        if inside.name in wanted and inside.name not in ModelArgs.__annotations__:
            inside.gone()
