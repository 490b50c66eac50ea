"""A tiny random Idefics3, which sees pictures of 28 by 28 points: a kind that vLLM runs without torchvision."""

from __future__ import annotations

from pathlib import Path

import tiny_llama
import torch
import transformers
from transformers.models.idefics3 import Idefics3Config
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for part in m['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
)
MARKS = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", "<row_1_col_1>"]


def save(folder: Path) -> None:
    """Write the model and its processor, the same each time, loud enough for a picture to change what is said."""
    words = tiny_llama.tokenizer(TEMPLATE)
    words.add_special_tokens({"additional_special_tokens": MARKS})
    edge = {"longest_edge": 28}
    images = Idefics3ImageProcessorPil(size=edge, max_image_size=edge, do_image_splitting=False)
    processor = transformers.Idefics3Processor(images, words, image_seq_len=1, chat_template=TEMPLATE)
    processor.save_pretrained(folder)
    text = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
        pad_token_id=words.eos_token_id,
    )
    vision = {
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 14,
    }
    config = Idefics3Config(
        vision_config=vision,
        text_config=text,
        scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        pad_token_id=words.eos_token_id,
    )
    torch.manual_seed(0)
    made = transformers.Idefics3ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "connector" in name or "patch_embedding" in name:
                weight.normal_(0, 0.5)
    made.save_pretrained(folder)
