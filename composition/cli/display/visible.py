"""What of a text is shown on a terminal: no control characters, since a terminal obeys them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BIDI: Final = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Unicode's Bidi_Control: they let a line be read in another order than it is written in."""

_SIGNS: Final[Mapping[int, int | None]] = {
    **{code: 0x2400 + code for code in range(32)},
    **dict.fromkeys((*range(128, 160), *_BIDI), 0xFFFD),
    127: 0x2421,
    ord("\n"): ord("\n"),
    ord("\t"): ord("\t"),
    ord("\r"): None,  # it would let a line be written over
}


def visible(text: str) -> str:
    r"""The text with a sign for each control character but tabs and ends of lines, and without returns of the carriage.

    >>> visible("\x1b[2J, \u202ecod.exe")
    '␛[2J, �cod.exe'
    """
    return text.translate(_SIGNS)
