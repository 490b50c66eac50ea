"""What is leaned on inside transformers, and what a user loses of each where a newer release hasn't it any more.

Most of it is for calls that share the passes of their model. Before they do, a tiny Llama rehearses it all (see
`rehearsal.py`): where that fails, calls are answered one by one, and a warning says so.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

from ..process.inside import Argument, Inside

ONE_BY_ONE: Final = "calls of a model at the same time are computed one by one"
CACHE_NAMES: Final = ("cache", "past_key_values")  # of an argument of forward, since 5.24 and before

_GENERATION: Final = "transformers.generation.utils:GenerationMixin"
_LLAMA: Final = "transformers.models.llama.modeling_llama:LlamaForCausalLM.forward"
_CACHES: Final = "transformers.cache_utils"


def _of(owner: str, name: str, lost: str = ONE_BY_ONE) -> Inside:
    return Inside("transformers", owner, name, lost)


def _argument(owner: str, name: str) -> Argument:
    return Argument("transformers", owner, name, ONE_BY_ONE)


OWN_WAYS: Final = tuple(
    _of(_GENERATION, name)
    for name in ("generate", "prepare_inputs_for_generation", "_sample", "_update_model_kwargs_for_generation")
)
STATEFUL: Final = _of("transformers:PreTrainedModel", "_is_stateful")
ROPE: Final = _of("transformers:LlamaConfig", "rope_parameters")
DYNAMIC_CACHE: Final = _of(_CACHES, "DynamicCache")
DYNAMIC_LAYER: Final = _of(_CACHES, "DynamicLayer")
# Words of exceptions of a kind that says nothing more
OWN_CODE: Final = _of(
    "transformers.dynamic_module_utils", "trust_remote_code", "a repository with code of its own is `not_found`"
)
UNKNOWN_KIND: Final = _of(
    "transformers.models.auto.configuration_auto",
    "does not recognize this architecture",
    "a model of an unknown kind is `invalid_request` instead of `unsupported`",
)
NO_MODEL: Final = _of(
    "transformers.models.auto.configuration_auto",
    "Unrecognized model",
    "a folder that holds no model is `invalid_request` instead of `not_found`",
)
OTHER_WEIGHTS: Final = _of(
    "transformers.modeling_utils",
    "ignore_mismatched_sizes",
    "weights of another model are a `server` error instead of `not_found`",
)

INSIDES: Final[tuple[Inside, ...]] = (
    *OWN_WAYS,
    STATEFUL,
    ROPE,
    _argument(f"{_GENERATION}.generate", "custom_generate"),
    _argument(_LLAMA, " or ".join(CACHE_NAMES)),
    *(_argument(_LLAMA, name) for name in ("attention_mask", "position_ids", "use_cache", "logits_to_keep")),
    *(_of(_CACHES, name) for name in ("Cache", "CacheLayerMixin")),
    DYNAMIC_CACHE,
    DYNAMIC_LAYER,
    *(_of(f"{_CACHES}:Cache", name) for name in ("layers", "offloading")),
    *(
        _of(f"{_CACHES}:CacheLayerMixin", name)
        for name in ("get_mask_sizes", "get_max_length", "get_seq_length", "is_compileable", "update")
    ),
    _of("transformers:GenerationConfig", "get_generation_mode"),
    OWN_CODE,
    UNKNOWN_KIND,
    NO_MODEL,
    OTHER_WEIGHTS,
)


def cache_argument(model: Any) -> str | None:
    """What the model's forward calls the cache of keys and values; warns where nobody knows it.

    A forward that knows no `use_cache` either keeps nothing of what it has read, and there is nothing to warn of.
    """
    kind, known = type(model), inspect.signature(model.forward).parameters
    argument = _argument(f"{kind.__module__}:{kind.__qualname__}.forward", " or ".join(CACHE_NAMES))
    name: str | None = argument.of(model.forward) if known.keys() & {*CACHE_NAMES, "use_cache"} else None
    return name
