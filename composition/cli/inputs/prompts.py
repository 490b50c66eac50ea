"""The prompt: what is piped in, then what is typed, with an empty line between them."""

from __future__ import annotations

import sys


def prompt(words: tuple[str, ...], *, reads: bool = True) -> str:
    """The text to send; standard input is read unless it is a terminal, or `reads` is false.

    Raises ValueError for several words without quotes, and for standard input that isn't text.
    """
    if len(words) > 1:
        raise ValueError('the prompt is one argument; put it into quotes: modelport ask "..."')
    typed = words[0] if words else ""
    if typed == "-":
        return _standard_input()
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    piped = _standard_input() if reads and not is_terminal else ""
    return joined(piped, typed)


def joined(piped: str, typed: str) -> str:
    r"""Both, the piped text first.

    >>> joined("A long story.\n", "Summarise this")
    'A long story.\n\nSummarise this'
    """
    return "\n\n".join(text for text in (piped.rstrip("\r\n"), typed) if text.strip())


def _standard_input() -> str:
    if sys.stdin is None:  # it was closed before we began
        return ""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("standard input isn't text in UTF-8; a picture or a document goes with --attach -") from None
