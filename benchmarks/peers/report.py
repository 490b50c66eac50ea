"""The figures as a table in Markdown and as a picture, on the screen and in the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from modelport.composition.show.svg import ADVANCE, COLOURS, bar, picture, text

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "speed.md"
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"
OURS: Final = "modelport"
SDK: Final = "openai"
Figures = Mapping[str, Mapping[str, float]]

_ROW, _HEAD, _PANEL = 18.0, 24.0, 150.0


def write(figures: Figures, versions: Mapping[str, str], *, into_the_docs: bool) -> str:
    """The table; and where it is asked for, table and picture in their places."""
    said = table(figures, versions)
    if into_the_docs:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{said}\n{END}{rest.partition(END)[2]}")
        (DOCS / "pictures" / "speed.svg").write_text(drawn(figures) + "\n")
    return said


def table(figures: Figures, versions: Mapping[str, str]) -> str:
    """A row for each library, each figure as a share of the openai SDK's."""
    columns = list(figures[SDK])
    lines = [f"| share of the openai SDK's CPU | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, own in figures.items():
        version = versions[name]
        shares = " | ".join(_share(own[what] / figures[SDK][what]) for what in columns)
        lines.append(f"| {name}{f' {version}' if version[:1].isdigit() and name != OURS else ''} | {shares} |")
    ms = ", ".join(f"{what} {_time(figures[SDK][what])}" for what in columns)
    return "\n".join([*lines, "", f"The SDK itself took, in that run: {ms}."])


def _share(share: float) -> str:
    return f"{share:.1f}" if share >= 10 else f"{share:.2f}" if share >= 0.1 else f"{share:.3f}"


def _time(microseconds: float) -> str:
    return f"{microseconds / 1000:.1f} ms" if microseconds >= 1000 else f"{microseconds:.0f} us"


def drawn(figures: Figures) -> str:
    """A panel of bars for each column, as long as the shares of the SDK's; what is longer than three ends there."""
    columns = list(figures[SDK])
    names = max(map(len, figures)) * ADVANCE + 10
    height = _HEAD + len(figures) * _ROW + 8
    return picture(
        names + len(columns) * _PANEL, height, _marks(figures, columns, names), "CPU of each library", alone=True
    )


def _marks(figures: Figures, columns: list[str], left: float) -> Iterator[str]:
    room = _PANEL - 60
    for row, (name, own) in enumerate(figures.items()):
        y = _HEAD + row * _ROW
        yield text(left - 8, y + 11, name, anchor="end", bold=name == OURS)
        for column, what in enumerate(columns):
            x = left + column * _PANEL
            share = own[what] / figures[SDK][what]
            long = max(min(share, 3.0) / 3.0 * room, 1.0)
            yield bar(x, y, long, 12, COLOURS[0] if name == OURS else "#8b949e")
            yield text(x + long + 4, y + 11, _share(share), faint=True)
    for column, what in enumerate(columns):
        yield text(left + column * _PANEL, 14, what, bold=True)
