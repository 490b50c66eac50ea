"""What all local runtimes lean on inside of transformers' tokenizers."""

from __future__ import annotations

from typing import Final

from ..process.inside import Inside

BACKEND: Final = Inside(
    "transformers",
    "transformers:PreTrainedTokenizerFast",
    "backend_tokenizer",
    "the bytes of a token in logprobs may be wrong",
)

INSIDES: Final[tuple[Inside, ...]] = (BACKEND,)
