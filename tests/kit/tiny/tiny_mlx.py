"""A tiny random Llama of mlx-lm's own classes, and one that says what it is told, without torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.models import llama
from tiny_words import TEMPLATE, tokenizer

__all__ = ["TEMPLATE", "Says", "folder", "llama", "model", "tokenizer"]

CONTEXT = 256


def config(words: Any, context: int = CONTEXT) -> dict[str, Any]:
    """What its folder says of it."""
    return {
        "model_type": "llama",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "rms_norm_eps": 1e-5,
        "vocab_size": len(words),
        "max_position_embeddings": context,
        "eos_token_id": words.eos_token_id,
        "tie_word_embeddings": True,
    }


def model(words: Any, context: int = CONTEXT) -> Any:
    """Random weights, the same each time, and large enough for other words to get another answer."""
    made = llama.Model(llama.ModelArgs.from_dict(config(words, context)))
    key = mx.random.key(0)
    weights = []
    for name, value in tree_flatten(made.parameters()):
        key, drawn = mx.random.split(key)
        flat = "norm" in name
        weights.append((name, mx.ones(value.shape) if flat else 0.4 * mx.random.normal(value.shape, key=drawn)))
    made.load_weights(weights)
    mx.eval(made.parameters())
    made.eval()
    return made


def folder(place: Path, words: Any, given: Any = None, **changed: Any) -> Path:
    """The model as a folder that mlx-lm loads, with these changes of its configuration."""
    place.mkdir(parents=True, exist_ok=True)
    weights = dict(tree_flatten((given or model(words)).parameters()))
    mx.save_safetensors(str(place / "model.safetensors"), weights, {"format": "mlx"})
    (place / "config.json").write_text(json.dumps({**config(words), **changed}))
    words.save_pretrained(str(place))
    return place


class Says(llama.Model):
    """A model that says these tokens, one step each, after a prompt of `read` tokens. It serves one call at a time."""

    def __init__(
        self, words: Any, tokens: Sequence[int], read: int, before: Callable[[int], None] = lambda step: None
    ) -> None:
        super().__init__(llama.ModelArgs.from_dict(config(words, 100_000)))
        mx.eval(self.parameters())
        self.told = [*tokens]
        self.size, self.read, self.before = len(words), read, before
        self.made = 0  # so many steps were computed
        self.prefilled = 0  # so many tokens of prompts were read

    def __call__(self, inputs: Any, cache: Any = None, input_embeddings: Any = None) -> Any:
        super().__call__(inputs, cache)
        self.prefilled += inputs.shape[1] if inputs.shape[1] > 1 else 0
        step = int(mx.max(mx.array(cache[0].offset)).item()) - self.read
        scores = mx.zeros((*inputs.shape, self.size))
        if step >= 0:
            self.before(step)
            self.made += 1
            scores[..., self.told[min(step, len(self.told) - 1)]] = 30.0
        return scores
