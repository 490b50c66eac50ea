"""Marks of a drawing, as SVG text: what a picture says is escaped, and its colours suit light and dark pages.

Text and lines take the colour of the page around them. A picture on its own has no page, and brings two colours.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

COLOURS: Final = ("#3b82f6", "#f59e0b", "#10b981", "#d946ef", "#ef4444", "#8b5cf6")
"""One for each series, told apart on white and on black, and repeated where there are more series."""

SIZE: Final = 12
"""The height of letters, in pixels."""

ADVANCE: Final = 0.6 * SIZE
"""The width of a letter: all have the same."""

_FONT: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace"
_ALONE: Final = (
    "<style>svg{color:#1f2328;background:#fff}"
    "@media(prefers-color-scheme:dark){svg{color:#e6edf3;background:#0d1117}}</style>"
)


def picture(width: float, height: float, marks: Iterable[str], title: str, *, alone: bool = False) -> str:
    """The picture of these marks; `title` is what a screen reader says. `alone`, it is a file of its own."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img" font-family="{_FONT}" font-size="{SIZE}" '
        f'style="max-width:100%;height:auto"><title>{escape(title)}</title>{_ALONE if alone else ""}'
        f"{''.join(marks)}</svg>"
    )


def text(x: float, y: float, said: str, *, anchor: str = "start", bold: bool = False, faint: bool = False) -> str:
    """Words that begin, are in the middle, or end at this place, on this line."""
    how = (' font-weight="bold"' if bold else "") + (' fill-opacity="0.7"' if faint else "")
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="currentColor"{how}>{escape(said)}</text>'


def box(x: float, y: float, width: float, height: float, colour: str, *, round_: float = 4) -> str:
    """A frame with a tint of its colour."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{round_:g}" '
        f'fill="{colour}" fill-opacity="0.14" stroke="{colour}"/>'
    )


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A bar without a frame."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:.1f}" height="{height:g}" fill="{colour}"/>'


def path(points: Iterable[tuple[float, float]], colour: str = "currentColor", *, faint: bool = False) -> str:
    """A line through these points."""
    way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    how = 'stroke-opacity="0.3"' if faint else 'stroke-width="2" stroke-linejoin="round"'
    return f'<polyline points="{way}" fill="none" stroke="{colour}" {how}/>'


def arrow(start: tuple[float, float], end: tuple[float, float], *, dashed: bool = False) -> str:
    """An arrow that leaves downwards and arrives from above."""
    (x, y), (to_x, to_y) = start, end
    middle = (y + to_y) / 2
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    tip = f"{to_x - 4:g},{to_y - 7:g} {to_x + 4:g},{to_y - 7:g} {to_x:g},{to_y:g}"
    return (
        f'<path d="M{x:g} {y:g}V{middle:g}H{to_x:g}V{to_y - 6:g}" fill="none" stroke="currentColor" '
        f'stroke-opacity="0.6"{dashes}/><polygon points="{tip}" fill="currentColor" fill-opacity="0.7"/>'
    )
