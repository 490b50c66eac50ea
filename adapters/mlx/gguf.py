"""A Llama in a GGUF file becomes a folder that mlx-lm reads, by MLX alone: without torch and the gguf package.

Weights are dequantised, because quantised ones are slow on a CPU. Queries and keys are stored in another order than
mlx-lm reads them: llama.cpp rotates neighbours, and mlx-lm (as transformers) the two halves of a head.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..files import gguf

FORM: Final = "1"
"""Counted up when `convert` writes otherwise, so that nobody reads what an earlier release has left."""

_NAMES: Final = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_OUTER: Final = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_QUANTISED: Final = (".scales", ".biases")  # what MLX reads of a quantised weight besides itself
_BLOCK: Final = 32  # weights that share a scale
_CONTROL: Final = 3  # the type of a token that is no text


def convert(path: Path, folder: Path) -> None:
    """Write the model and its tokenizer. Raises `gguf.NotWhole`, or ValueError for what is no Llama with byte pairs."""
    import mlx.core as mx

    gguf.check(path)
    stored, metadata = mx.load(str(path), return_metadata=True)
    about = {name: value.tolist() if isinstance(value, mx.array) else value for name, value in metadata.items()}
    kind = (about.get("general.architecture"), about.get("tokenizer.ggml.model"))
    if kind != ("llama", "gpt2"):
        raise ValueError(f"{str(path)!r} holds a model of the kind {kind}, and only ('llama', 'gpt2') can be converted")
    strange = sorted(name for name in stored if not _name(name))
    if strange:
        raise ValueError(f"{str(path)!r} has {strange[0]!r}, and only Llamas without it can be converted")
    folder.mkdir()
    try:
        config = _config(about, tied="output.weight" not in stored)
        weights = {_name(name): _weight(name, stored, config) for name in stored if not name.endswith(_QUANTISED)}
        mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})
        (folder / "config.json").write_text(json.dumps(config, indent=2))
        _tokenizer(about, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _config(about: Mapping[str, Any], *, tied: bool) -> dict[str, Any]:
    def about_llama(name: str) -> Any:
        return about[f"llama.{name}"]

    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": about_llama("embedding_length"),
        "intermediate_size": about_llama("feed_forward_length"),
        "num_hidden_layers": about_llama("block_count"),
        "num_attention_heads": about_llama("attention.head_count"),
        "num_key_value_heads": about.get("llama.attention.head_count_kv", about_llama("attention.head_count")),
        "rms_norm_eps": about_llama("attention.layer_norm_rms_epsilon"),
        "max_position_embeddings": about_llama("context_length"),
        "rope_theta": about.get("llama.rope.freq_base", 10000.0),
        "vocab_size": len(about["tokenizer.ggml.tokens"]),
        "eos_token_id": about["tokenizer.ggml.eos_token_id"],
        "tie_word_embeddings": tied,
    }


def _name(name: str) -> str:
    """What mlx-lm calls it, or the weight that it is a part of; empty where its Llama hasn't it."""
    for ending in _QUANTISED:
        if name.endswith(ending):
            name = f"{name.removesuffix(ending)}.weight"
    match name.split("."):
        case [outer, "weight"] if outer in _OUTER:
            return f"{_OUTER[outer]}.weight"
        case ["blk", number, inner, "weight"] if inner in _NAMES:
            return f"model.layers.{number}.{_NAMES[inner]}.weight"
    return ""


def _weight(name: str, stored: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    import mlx.core as mx

    weight, scales = stored[name], stored.get(name.replace(".weight", ".scales"))
    if scales is not None:
        bits = weight.shape[-1] * 32 // (scales.shape[-1] * _BLOCK)
        exact = [part.astype(mx.float32) for part in (scales, stored[name.replace(".weight", ".biases")])]
        weight = mx.dequantize(weight, *exact, group_size=_BLOCK, bits=bits)
    heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}.get(name.split(".")[-2])
    if heads is not None:
        rows, columns = weight.shape
        weight = weight.reshape(config[heads], -1, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    return weight.astype(mx.bfloat16)


def _tokenizer(about: Mapping[str, Any], folder: Path) -> None:
    import transformers
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens: list[str] = about["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in about["tokenizer.ggml.merges"]]
    raw = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    kinds = about["tokenizer.ggml.token_type"]
    raw.add_special_tokens(
        [AddedToken(t, normalized=False) for t, k in zip(tokens, kinds, strict=True) if k == _CONTROL]
    )
    named = {
        "bos_token": "tokenizer.ggml.bos_token_id",
        "eos_token": "tokenizer.ggml.eos_token_id",
        "pad_token": "tokenizer.ggml.padding_token_id",
    }
    special = {name: tokens[about[number]] for name, number in named.items() if number in about}
    template = about.get("tokenizer.chat_template")
    made: Any = transformers.PreTrainedTokenizerFast
    made(tokenizer_object=raw, chat_template=template, **special).save_pretrained(str(folder))
