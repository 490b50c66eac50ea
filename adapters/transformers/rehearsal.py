"""Whether calls share passes at all in the release of transformers that is installed: two of a tiny Llama try it.

A release that hands over otherwise, keeps another sort of cache or asks more of its layers would have every call fail,
or be answered apart in silence. So both are found out before any call of the user's, in a twentieth of a second.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ..process.inside import changed
from .sdk import ONE_BY_ONE, cache_argument
from .sharing import fits, shares
from .window import Window


def rehearsed() -> bool:
    """Whether they do; where they don't, one warning says why."""
    why = _obstacle()
    if why:
        changed("transformers", f"lets no calls share passes ({why}): {ONE_BY_ONE}")
    return not why


@cache
def _obstacle() -> str:
    try:
        return "" if _share(_llama()) else "`generate` doesn't hand them over as it did"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _llama() -> Any:
    """Without weights drawn, since the draws of a global generator belong to the user."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes: dict[str, Any] = {"hidden_size": 4, "intermediate_size": 4, "num_attention_heads": 1, "num_hidden_layers": 1}
    config: Any = LlamaConfig(vocab_size=4, max_position_embeddings=64, bos_token_id=None, eos_token_id=None, **sizes)
    with torch.device("meta"):
        llama: Any = LlamaForCausalLM(config)
    return llama.to_empty(device="cpu").eval()


def _share(llama: Any) -> bool:
    """Whether `generate` hands a call over that may share, and two of them are read in one pass."""
    import torch
    from transformers import DynamicCache

    name = cache_argument(llama)
    if name is None or not fits(llama):
        return False
    window, handed = Window(name), []

    def decode(
        model: Any, input_ids: Any, logits_processor: Any, stopping_criteria: Any, generation_config: Any, **rest: Any
    ) -> Any:
        handed.append(shares(input_ids, generation_config, rest))
        return input_ids

    ids = torch.tensor([[1, 2, 3]])
    llama.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=2, do_sample=False, custom_generate=decode)
    with torch.no_grad():
        for _ in range(2):
            read = DynamicCache()
            llama(input_ids=ids, position_ids=torch.arange(3)[None], use_cache=True, return_dict=True, **{name: read})
            window.join(read)
        logits = window.read(llama, [1, 1], {"logits_to_keep": 1})
    return handed == [True] and logits.shape == (2, 4)
