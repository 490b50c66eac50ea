"""Whether a text has begun to repeat itself, as small models do without end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

_LOOKS_BACK: Final = 3000  # characters: what is older doesn't count
_OFTEN: Final = 3  # so often a sentence, or a run of words
_SENTENCE: Final = 4  # words; a shorter one may well come again
_RUN: Final = 8  # words
_IN_A_ROW: Final = 4  # so often the same words, one after the other
_ROW: Final = 12  # and so many of them in all
_END: Final = re.compile(r"(?<=[.!?…。])\s+|\n+")
_NUMBER: Final = re.compile(r"^[\W\d]+")


def repeats_itself(text: str) -> bool:
    """Whether a sentence, or eight words in a row, came three times, or the text ends in the same words four times.

    A sentence counts from four words on, and the words at the end from twelve in all. What isn't finished doesn't
    count. Numbers and marks before a sentence are left out: a list that says the same under each number repeats itself.

    >>> repeats_itself("The sky is blue today. " * 3)
    True
    >>> repeats_itself("Row, row, row your boat, gently down the stream.")
    False
    """
    recent = text[-_LOOKS_BACK:].casefold()
    *sentences, _ = _END.split(recent)
    said = [_NUMBER.sub("", sentence) for sentence in sentences]
    words = recent.split()[:-1]  # the last one may go on
    runs = zip(*(words[at:] for at in range(_RUN)), strict=False)
    return (
        _most(sentence for sentence in said if len(sentence.split()) >= _SENTENCE) >= _OFTEN
        or _most(runs) >= _OFTEN
        or any(_ends_in_a_row(words, size) for size in range(1, len(words) // _IN_A_ROW + 1))
    )


def _most(things: Iterable[object]) -> int:
    return max(Counter(things).values(), default=0)


def _ends_in_a_row(words: list[str], size: int) -> bool:
    """Whether the words end in the same `size` words, so many times that it can't be meant."""
    times = max(_IN_A_ROW, -(-_ROW // size))
    return words[-size * times :] == words[-size:] * times
