"""The bytes that each token of a Hugging Face tokenizer stands for, which can be a part of a character.

A vocabulary spells them in one of two ways: GPT-2's, a printable character for each byte, or SentencePiece's, text with
a mark for each space and `<0xE2>` for a byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from .sdk import BACKEND

_BYTE: Final = re.compile(r"<0x([0-9A-F]{2})>")
_SPACE: Final = "\u2581"


def spelling(tokenizer: Any) -> Callable[[int], bytes]:
    """What tells the bytes of a token by its number; none for a number that has no token."""
    backend = BACKEND.of(tokenizer) if getattr(tokenizer, "is_fast", False) else None  # one in Python has none
    decoder = "" if backend is None or backend.decoder is None else backend.decoder.__getstate__().decode()
    added = getattr(tokenizer, "added_tokens_decoder", {})
    read = _printable if '"ByteLevel"' in decoder else _marked

    def spelled(number: int) -> bytes:
        if number in added:
            return str(added[number]).encode()
        token = tokenizer.convert_ids_to_tokens(number) if number < len(tokenizer) else None
        return b"" if token is None else read(token)

    return spelled


def _printable(token: str) -> bytes:
    try:
        return bytes(map(_BYTES.__getitem__, token))
    except KeyError:
        return token.encode()


def _marked(token: str) -> bytes:
    byte = _BYTE.fullmatch(token)
    return bytes([int(byte[1], 16)]) if byte else token.replace(_SPACE, " ").encode()


def _gpt2() -> dict[str, int]:
    """Bytes that are printable in Latin-1 stand for themselves, the others for the characters from U+0100 on."""
    themselves = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in themselves]
    return {chr(byte): byte for byte in themselves} | {chr(256 + at): byte for at, byte in enumerate(others)}


_BYTES: Final = _gpt2()
