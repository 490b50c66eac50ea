"""A tiny random Qwen2.5-VL, whose positions have three dimensions and whose pictures have many sizes.

Its own processor needs torchvision, for videos that nobody shows it; `Processor` does for pictures what that one does.
"""

from __future__ import annotations

from typing import Any

import tiny_llama
import tiny_llava
import torch
import transformers

_MARKS = ["<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>"]
_TEMPLATE = tiny_llava.TEMPLATE.replace("<image>", "".join(_MARKS[:3]))


class Processor:
    """A tokenizer of bytes, and the image processor of Qwen."""

    def __init__(self) -> None:
        self.tokenizer: Any = tiny_llama.tokenizer(_TEMPLATE)
        self.tokenizer.add_special_tokens({"additional_special_tokens": _MARKS})
        self.image_processor: Any = transformers.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=280 * 280)
        self.chat_template = _TEMPLATE

    def apply_chat_template(self, conversation: list[dict[str, Any]], tools: Any = None, **_: Any) -> Any:
        """The tensors of a conversation."""
        words, pad = self.tokenizer, _MARKS[1]
        text = words.apply_chat_template(conversation, tools=tools, tokenize=False, add_generation_prompt=True)
        parts = [part for message in conversation for part in message["content"]]
        pictures = [part["image"] for part in parts if part["type"] == "image"]
        seen = dict(self.image_processor(images=pictures, return_tensors="pt")) if pictures else {}
        pieces = text.split(pad)
        counts = [int(grid.prod()) // 4 for grid in seen.get("image_grid_thw", ())]
        text = pieces[0] + "".join(pad * count + piece for count, piece in zip(counts, pieces[1:], strict=True))
        read = words(text, return_tensors="pt")
        ids = read["input_ids"]
        kinds = (ids == words.convert_tokens_to_ids(pad)).int()
        mask = read["attention_mask"]
        tensors = {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": kinds, **seen}
        return transformers.BatchFeature(tensors)


def config(processor: Processor) -> Any:
    """Of a model that is tiny."""
    words = processor.tokenizer
    start, image, end, video = (words.convert_tokens_to_ids(mark) for mark in _MARKS)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "initializer_range": 0.3}
    text = {
        **sizes,
        "vocab_size": len(words),
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "eos_token_id": words.eos_token_id,
        "bos_token_id": None,
        "pad_token_id": None,
        "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0},
    }
    vision = {**sizes, "depth": 2, "num_heads": 2, "out_hidden_size": 32, "window_size": 56}
    return transformers.Qwen2_5_VLConfig(
        text_config=text,
        vision_config={**vision, "patch_size": 14, "fullatt_block_indexes": [1]},
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )


def model(processor: Processor) -> Any:
    """Random weights, the same each time."""
    torch.manual_seed(0)
    return transformers.Qwen2_5_VLForConditionalGeneration(config(processor)).eval()
