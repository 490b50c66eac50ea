"""Which calls of transformers can share the passes of their model with others, and which are generated apart.

Sharing needs a model that decodes as `generate` itself does, one token of one sequence at a time, whose rows don't
change each other, and whose memory of what it has read is keys and values by column. Where it is only the release of
transformers that stands in the way, a warning says so.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from .sdk import CACHE_NAMES, DYNAMIC_CACHE, DYNAMIC_LAYER, OWN_WAYS, ROPE, STATEFUL, cache_argument

# Arguments that only `generate`'s own ways of decoding know.
_APART = frozenset(
    {
        "assistant_model",
        "assistant_tokenizer",
        "custom_generate",
        "inputs_embeds",
        "position_ids",
        "streamer",
        "synced_gpus",
        "tokenizer",
        *CACHE_NAMES,
    }
)
_NEEDED = frozenset({"attention_mask", "position_ids"})
_PASSED = _NEEDED | {"cache_position", "logits_to_keep", "use_cache", *CACHE_NAMES}
_BY_THE_LONGEST = ("dynamic", "longrope")
_BY_THE_LAST_COLUMN = {"git", "gpt_neo"}  # masks of their own take every row's next token to be in the last column


def fits(model: Any) -> bool:
    """Whether calls of this model can share its passes."""
    from torch import distributed
    from transformers import GenerationMixin

    own: Any = GenerationMixin
    if not isinstance(model, own) or model.config.is_encoder_decoder:
        return False
    if distributed.is_available() and distributed.is_initialized():
        return False  # each process would form batches of its own
    return (
        inspect.signature(model.forward).parameters.keys() >= _NEEDED
        and model.config.model_type not in _BY_THE_LAST_COLUMN
        and all(getattr(getattr(model, way.name, None), "__func__", way) is way.of(own) for way in OWN_WAYS)
        and not STATEFUL.of(model, True)
        and not by_the_longest(model)
        and cache_argument(model) is not None
    )


def by_the_longest(model: Any) -> bool:
    """Whether positions are scaled by the longest row's length: the model writes the scale down, for all its passes."""
    from transformers import LlamaConfig

    if ROPE.of(LlamaConfig, ...) is ...:
        return True  # for all that anybody knows
    scaling = str(getattr(model.config.get_text_config(), ROPE.name, None))
    return any(f"'{kind}'" in scaling for kind in _BY_THE_LONGEST)


def may_share(arguments: Collection[str]) -> bool:
    """Whether a call with arguments of these names may share passes."""
    return _APART.isdisjoint(arguments)


def shares(ids: Any, config: Any, rest: Mapping[str, Any]) -> bool:
    """Whether a call that `generate` has prepared can share passes."""
    mask: Any = rest.get("attention_mask")
    cache: Any = next((rest[name] for name in CACHE_NAMES if name in rest), None)
    return (
        config.get_generation_mode().value in ("greedy_search", "sample")
        and ids.shape[0] == 1
        and not config.return_dict_in_generate
        and rest.keys() <= _PASSED
        and (mask is None or bool(mask.all()))
        and rest.get("logits_to_keep", 1) == 1
        and type(cache).__name__ == DYNAMIC_CACHE.name
        and not getattr(cache, "offloading", False)
        and all(type(layer).__name__ == DYNAMIC_LAYER.name for layer in cache.layers)
    )
