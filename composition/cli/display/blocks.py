"""Which blocks of a Markdown text are finished while more of it arrives."""

from __future__ import annotations

import re
from typing import Final

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")


def finished_blocks(text: str) -> tuple[list[str], str]:
    r"""The blocks that are finished, and what is still being written.

    An empty line ends a block once it is known that what follows isn't indented, and so no part of it. Code in fences
    is one block.

    >>> finished_blocks("One.\n\nTwo, and")
    (['One.'], 'Two, and')
    """
    done: list[str] = []
    block: list[str] = []
    fence = ""
    for line in text.split("\n"):
        ended = not fence and block and not block[-1].strip()
        if ended and line.strip() and not line[0].isspace():
            done.append("\n".join(block).strip("\n"))
            block = []
        if found := _FENCE.match(line):
            if not fence:
                fence = found[1]
            elif found[1].startswith(fence):
                fence = ""
        block.append(line)
    return done, "\n".join(block)
