"""Text that can be sent: every character in it is whole."""

from __future__ import annotations


def well_formed(text: str, where: str) -> str:
    """The text itself. Raises ValueError, with the place, on half a character (a lone surrogate), which UTF-8 lacks."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half, at = text[error.start], error.start
            raise ValueError(
                f"{where}: {half!r} at {at} is half a character (a lone surrogate); decode its source anew, or drop it"
            ) from None
    return text
