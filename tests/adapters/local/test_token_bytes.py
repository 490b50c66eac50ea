"""The bytes of tokens add up to the text, however a vocabulary spells them."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="needs the transformers extra")

import tiny_llama
import transformers
from tokenizers import Tokenizer, decoders, models

from modelport.adapters.local.token_bytes import spelling
from modelport.adapters.process.inside import LibraryChanged


def test_bytes_of_characters_that_are_several_tokens() -> None:
    words = tiny_llama.tokenizer()
    spelled = spelling(words)
    numbers = words("안녕 the end é\n🙂")["input_ids"]
    assert b"".join(map(spelled, numbers)) == "안녕 the end é\n🙂".encode()
    assert len(numbers) > 10
    assert (spelled(words.eos_token_id), spelled(10_000)) == (b"<eos>", b"")


def test_a_vocabulary_with_marks_for_spaces_and_numbers_for_bytes() -> None:
    raw = Tokenizer(models.BPE({"▁the": 0, "<0xEC>": 1, "<0x95>": 2, "<0x88>": 3, "a": 4}, [], byte_fallback=True))
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    spelled = spelling(transformers.PreTrainedTokenizerFast(tokenizer_object=raw))
    assert b"".join(map(spelled, [0, 1, 2, 3, 4])).decode() == " the안a"


def test_a_tokenizer_that_no_longer_tells_its_spelling_is_missed_aloud() -> None:
    class Fast:
        is_fast = True

    with pytest.warns(
        LibraryChanged, match=r"PreTrainedTokenizerFast.backend_tokenizer any more: the bytes of a token"
    ):
        spelling(Fast())
