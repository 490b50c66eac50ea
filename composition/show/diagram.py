"""A tree of boxes as a picture: each over the middle of those below it, drawn without anything from the network."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

import attrs

from .svg import ADVANCE, COLOURS, arrow, box, picture, text

_LETTERS: Final = 34
"""How wide a line of a box may be, in letters; longer ones go on in the next line."""

_LINES: Final = 4
"""How many lines of settings a box has room for."""

_LINE: Final = 17.0
_PADDING: Final = 10.0
_GAP: Final = 24.0
_DROP: Final = 34.0
_LEAF: Final = COLOURS[2]
_INNER: Final = COLOURS[0]


@attrs.frozen
class Node:
    """A box: its name, what else is said of it, and the boxes below, the first of which is asked first."""

    name: str
    settings: str = ""
    below: tuple[Node, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The lines of its settings."""
        lines = wrap(self.settings, _LETTERS, break_on_hyphens=False)
        return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], "…"]

    @property
    def width(self) -> float:
        """In pixels."""
        return max(len(line) for line in (self.name, *self.lines)) * ADVANCE + 2 * _PADDING

    @property
    def height(self) -> float:
        """In pixels."""
        return (1 + len(self.lines)) * _LINE + _PADDING

    @property
    def room(self) -> float:
        """The width of all that is below it, or of itself, where that is wider."""
        return max(self.width, sum(each.room for each in self.below) + _GAP * (len(self.below) - 1))

    @property
    def depth(self) -> float:
        """The height of it and of all that is below it."""
        return self.height + max((_DROP + each.depth for each in self.below), default=0.0)


def diagram(root: Node, *, alone: bool = False) -> str:
    """The picture of a tree, as SVG."""
    marks = _drawn(root, 1.0, 1.0)
    return picture(root.room + 2, root.depth + 2, marks, f"A stack: {root.name}", alone=alone)


def _drawn(node: Node, left: float, top: float) -> Iterator[str]:
    """The marks of a tree whose room begins here."""
    middle, bottom = left + node.room / 2, top + node.height
    x = middle - node.width / 2
    colour, round_ = (_INNER, 4.0) if node.below else (_LEAF, 14.0)
    yield box(x, top, node.width, node.height, colour, round_=round_)
    yield text(middle, top + _LINE, node.name, anchor="middle", bold=True)
    for number, line in enumerate(node.lines, 2):
        yield text(middle, top + number * _LINE, line, anchor="middle", faint=True)
    beneath = sum(each.room for each in node.below) + _GAP * (len(node.below) - 1)
    at = middle - beneath / 2
    for number, each in enumerate(node.below):
        target = at + each.room / 2
        yield arrow((middle, bottom), (target, bottom + _DROP), dashed=number > 0)
        if number:
            yield text(target + 6, bottom + _DROP - 8, "then", faint=True)
        yield from _drawn(each, at, bottom + _DROP)
        at += each.room + _GAP
