"""On which line of a TOML text something stands, by its path: `models.main.layers[1].rpm`.

The standard library's reader doesn't say. This looks for tables and keys in their order, and where it can't find one
it stays at the last that it has found: a line near the mistake is better than none.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

_STEP: Final = re.compile(r"\[(\d+)\]|\[(['\"])(.*?)\2\]|\.?([^.\[\]]+)")
_TEXTS: Final = (r'"""(?:\\.|[^\\])*?"""', r"'''.*?'''", r'"(?:\\.|[^"\\\n])*"', r"'[^'\n]*'")
_SKIPPED: Final = re.compile("|".join((*_TEXTS, r"#[^\n]*")), re.DOTALL)

_ANY_HEAD: Final = re.compile(r"^[ \t]*\[\[?[^\[\]\n,]+\]\]?[ \t_]*$", re.MULTILINE)


def line_of(text: str, path: str) -> int:
    r"""The number of the line, counted from 1.

    >>> line_of("[models.main]\nlayers = [\n  {layer = 'with_retry'},\n]", "models.main.layers[0].layer")
    3
    """
    blank = _SKIPPED.sub(lambda found: re.sub(r"[^\n]", "_", found[0]), text)
    steps = [int(index) if index else key or name for index, _, key, name in _STEP.findall(path)]
    at, taken = _table(text, blank, steps)
    following = _ANY_HEAD.search(blank, at)
    end = len(text) if following is None else following.start()
    for step in steps[taken:]:
        found = _item(blank, at, step) if isinstance(step, int) else _key(text, blank, at, end, step)
        if found is None:
            break
        at = found
    return text.count("\n", 0, at) + 1


def _table(text: str, blank: str, steps: list[int | str]) -> tuple[int, int]:
    """Where the table of the longest beginning of the path stands, and how many steps that is."""
    names: list[str] = []
    begin, at, taken = 0, 0, 0
    for number, step in enumerate(steps, 1):
        if isinstance(step, int):
            found = _head(text, blank, begin, names, step)
            if found is None:
                break
            begin = found  # what belongs to an item of an array of tables stands behind its head
        else:
            names.append(step)
            found = _head(text, blank, begin, names)
        if found is not None:
            at, taken = found, number
    return at, taken


def _head(text: str, blank: str, begin: int, names: list[str], item: int | None = None) -> int | None:
    """The end of `[a.b]`; of an `item`, that of the `[[a.b]]` which has so many before it."""
    name = r"\s*\.\s*".join(map(_name, names))
    head = rf"^[ \t]*\[\s*{name}\s*\]" if item is None else rf"^[ \t]*\[\[\s*{name}\s*\]\]"
    heads = (found.end() for found in re.compile(head, re.MULTILINE).finditer(text, begin))
    return next(islice((end for end in heads if blank[end - 1] == "]"), item or 0, None), None)


def _name(name: str) -> str:
    return rf"(?:{re.escape(name)}|\"{re.escape(name)}\"|'{re.escape(name)}')"


def _key(text: str, blank: str, at: int, end: int, name: str) -> int | None:
    """The next place before the end where this name is a key; in a string or a comment it is none."""
    for found in re.compile(rf"(?<![\w.-]){_name(name)}\s*(?==)").finditer(text, at):
        if found.end() >= end:
            break
        if blank[found.end()] == "=":
            return found.start()
    return None


def _item(blank: str, at: int, number: int) -> int | None:
    """Where an item of the array begins that begins next."""
    start = blank.find("[", at)
    if start < 0:
        return None
    depth, seen, inside = 0, -1, False
    for place in range(start, len(blank)):
        char = blank[place]
        if char in "[{":
            if depth == 1 and not inside:
                seen, inside = seen + 1, True
                if seen == number:
                    return place
            depth += 1
        elif char in "]}":
            depth -= 1
            if not depth:
                return None
        elif depth == 1 and char == ",":
            inside = False
        elif depth == 1 and not char.isspace() and not inside:
            seen, inside = seen + 1, True
            if seen == number:
                return place
    return None
