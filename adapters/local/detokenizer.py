"""Tokens become text as they come: never a half-decoded character, and at the same cost for each token.

An answer that is cut off in the middle of a character ends before it. Text is decoded through a short window of the
last tokens, because how a token reads can depend on those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_BROKEN = "\ufffd"  # what a decoder writes for bytes that are no character, or not yet
_UNFINISHED = 3  # so many bytes of a character of four can have come; some decoders write one mark for each
_WINDOW = 16


class Detokenizer:
    """Decodes one answer. A detokenizer belongs to one call and is not shared."""

    __slots__ = ("_decode", "_mark", "_shown", "_window")

    def __init__(self, decode: Callable[[list[int]], str]) -> None:
        self._decode = decode
        self._window: list[int] = []
        self._shown = 0  # so many characters of the window's text have been given
        self._mark = 0  # where the window may begin next: no character spans this place

    def feed(self, tokens: Sequence[int]) -> str:
        """The text that these tokens complete."""
        self._window += tokens
        text = self._decode(self._window)
        unfinished = min(len(text) - len(text.rstrip(_BROKEN)), _UNFINISHED)
        end = len(text) - unfinished
        piece = text[self._shown : end]
        self._shown = max(self._shown, end)
        endless = len(self._window) > 4 * _WINDOW  # tokens that all end inside a character
        if endless or not unfinished:
            if len(self._window) > _WINDOW:
                self._shorten(-_WINDOW if endless else self._mark, unfinished)
            self._mark = len(self._window)
        return piece

    def _shorten(self, begin: int, unfinished: int) -> None:
        shorter = self._window[begin:]
        text = self._decode(shorter)
        if text:  # else only special tokens, which say nothing of how the next one reads
            self._window, self._shown = shorter, len(text) - unfinished
