"""A tiny random LLaVA, which sees pictures of 28 by 28 points, and the processor that goes with it."""

from __future__ import annotations

import io
from typing import Any

import PIL.Image
import tiny_llama
import torch
import transformers

TEMPLATE = (
    "{% if tools %}<tools>{{ tools | tojson }}\n{% endif %}"
    "{% for m in messages %}<{{ m['role'] }}>"
    "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{% for call in m.tool_calls or [] %}<call>{{ call.id }} {{ call.function | tojson }}{% endfor %}"
    "{% if m.tool_call_id %} for {{ m.tool_call_id }}{% endif %}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TOKENS_OF_AN_IMAGE = 4  # 28 by 28 points in patches of 14


def processor(template: str | None = TEMPLATE) -> Any:
    """A tokenizer of bytes that knows a word for a picture, and what makes numbers of pictures."""
    words = tiny_llama.tokenizer(template)
    words.add_special_tokens({"additional_special_tokens": ["<image>"]})
    size = {"height": 28, "width": 28}
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=size)
    return transformers.LlavaProcessor(
        image_processor=images,
        tokenizer=words,
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=template,
        image_token="<image>",
        num_additional_image_tokens=1,
    )


def model(processor: Any, context: int = 256) -> Any:
    """Random weights, the same each time, loud enough for a picture to change what is said."""
    torch.manual_seed(0)
    words = processor.tokenizer
    text = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
        initializer_range=0.3,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
        pad_token_id=None,
    )
    vision = transformers.CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        initializer_range=0.3,
        initializer_factor=10.0,
    )
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=TOKENS_OF_AN_IMAGE,
    )
    made = transformers.LlavaForConditionalGeneration(config).eval()
    made.generation_config.eos_token_id = words.eos_token_id
    return made


def picture(red: int = 0, green: int = 0, blue: int = 0, *, form: str = "PNG") -> bytes:
    """A picture of one colour, as a file of this form."""
    file = io.BytesIO()
    PIL.Image.new("RGB", (28, 28), (red, green, blue)).save(file, form)
    return file.getvalue()
