"""A tiny random Llama, and a runtime that says what it is told, for tests of the adapter around them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch
import transformers
from tiny_words import TEMPLATE, tokenizer

__all__ = ["TEMPLATE", "Says", "model", "tokenizer"]


def model(words: Any, context: int = 256) -> Any:
    """Random weights, the same each time."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
        pad_token_id=None,
    )
    return transformers.LlamaForCausalLM(config).eval()


class Says:
    """Looks like a loaded model, and generates the tokens that it was given, one step each."""

    def __init__(self, tokens: Sequence[int], before: Callable[[int], None] = lambda step: None) -> None:
        self.tokens, self.before = list(tokens), before
        self.made = 0
        self.device, self.dtype = torch.device("cpu"), torch.float32
        self.generation_config = SimpleNamespace(eos_token_id=None)
        text = SimpleNamespace(max_position_embeddings=100_000)
        self.config = SimpleNamespace(get_text_config=lambda: text)
        self.ended = threading.Event()
        self.called_with: dict[str, Any] = {}
        self.prompts: list[list[int]] = []

    def generate(self, input_ids: Any, max_new_tokens: int, stopping_criteria: list[Any], **rest: Any) -> Any:
        self.called_with = {"max_new_tokens": max_new_tokens, **rest}
        self.prompts.append(input_ids[0].tolist())
        try:
            for step, token in enumerate(self.tokens[:max_new_tokens]):
                self.before(step)
                self.made += 1
                input_ids = torch.cat([input_ids, torch.tensor([[token]])], dim=1)
                if all(any(bool(end) for end in row) for row in [[c(input_ids, None) for c in stopping_criteria]]):
                    break
                if token in rest.get("eos_token_id", ()):
                    break
            return input_ids
        finally:
            self.ended.set()
