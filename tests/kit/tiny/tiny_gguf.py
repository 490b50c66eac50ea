"""A tiny model written as a GGUF file, whole and in its own precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf

_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "post_attention_layernorm": "ffn_norm",
    "input_layernorm": "attn_norm",
    "model.layers": "blk",
}


def write(path: Path, llama: Any, words: Any) -> Path:
    """The weights of a Llama and its tokenizer of bytes."""
    config, writer = llama.config, gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_vocab_size(config.vocab_size)
    raw = json.loads(words.backend_tokenizer.to_str())
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(words.convert_ids_to_tokens(range(len(words))))
    writer.add_token_types([3 if number in words.all_special_ids else 1 for number in range(len(words))])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in raw["model"]["merges"]])
    writer.add_eos_token_id(words.eos_token_id)
    writer.add_chat_template(words.chat_template)
    for name, weights in llama.state_dict().items():
        writer.add_tensor(_renamed(name), _turned(name, weights, config).contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _renamed(name: str) -> str:
    for known, short in _NAMES.items():
        name = name.replace(known, short)
    return name


def _turned(name: str, weights: Any, config: Any) -> Any:
    """llama.cpp keeps the pairs that go round together side by side."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    count = next((heads[part] for part in heads if part in name), None)
    if count is None:
        return weights
    return weights.reshape(count, 2, -1, weights.shape[-1]).swapaxes(1, 2).reshape(weights.shape)
