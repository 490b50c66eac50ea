"""Pictures of a terminal in the docs, of the real command in a real terminal: `python tests/kit/pictures.py`.

The answers are those of the embedded default, which takes the likeliest token, and of a scripted model. A test draws
again what needs no weights.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any, Final

import attrs
from command_line import COMMAND, environment
from paths import ROOT
from terminal import Terminal

FOLDER: Final = ROOT / "docs" / "pictures"
_PROMPT: Final = "$ "
_COLOURS: Final = {
    "default": "#d8dee9",
    "black": "#3b4252",
    "red": "#e06c75",
    "green": "#98c379",
    "brown": "#e5c07b",
    "blue": "#61afef",
    "magenta": "#c678dd",
    "cyan": "#56b6c2",
    "white": "#e5e9f0",
}
_BACKGROUND: Final = "#1e222a"
_WIDTH, _HEIGHT = 8.4, 19


@attrs.frozen
class Picture:
    """A command, and what is typed while it runs: once the first text of a pair is seen, the second."""

    arguments: tuple[str, ...]
    rows: int
    typed: tuple[tuple[str, str], ...] = ()
    settings: str = ""
    columns: int = 100


SCRIPTED: Final = '''\
model = "main"

[models.main]
adapter = "ScriptedModel"
answers = [
    """**Three** things make a good stack:

1. every attempt is paced,
2. every retry passes the limiter again,
3. what can't be answered goes to another model.""",
    "Then `with_fallback` asks the next one.",
]
'''

PICTURES: Final[Mapping[str, Picture]] = {
    "ask": Picture(("ask", "What is gravity?", "-u"), 9),
    "chat": Picture(
        ("chat", "-m", "main"),
        19,
        (
            ("\n>", "What makes a good stack?\r"),
            ("another model.", ""),
            ("\n>", "And if a model is down?\r"),
            ("asks the next one.", ""),
            ("\n>", ""),
        ),
        SCRIPTED,
    ),
    "models": Picture(("models",), 44, settings='[aliases]\nfast = "openai:gpt-4o-mini"\n', columns=100),
}


def screen_of(picture: Picture) -> Terminal:
    """What is on the terminal when the command has ended, or waits for more than is typed."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "modelport.toml").write_text(picture.settings, "utf-8")
        kept = {"MODELPORT_CONFIG": f"{folder}/kept", "MODELPORT_SERVERS": ""}
        plain = {name: value for name, value in environment().items() if not name.endswith(("_KEY", "_TOKEN"))}
        command = [*COMMAND, *picture.arguments]
        with Terminal(command, {**plain, **kept}, picture.columns, picture.rows, folder) as terminal:
            at = 0
            for seen, keys in picture.typed:
                terminal.until(_after(seen, at))
                at = len(terminal.text)
                terminal.type(keys)
            if not picture.typed:
                terminal.ended()
    return terminal


def _after(seen: str, at: int) -> Callable[[str], bool]:
    return lambda text: text.find(seen, max(0, at - 3)) >= 0


def drawn(picture: Picture, terminal: Terminal) -> str:
    """The screen as SVG, below the command that was typed."""
    shown = " ".join(f'"{word}"' if " " in word else word for word in ("modelport", *picture.arguments))
    lines = [_text(0, f'<tspan fill="{_COLOURS["green"]}">{_PROMPT}</tspan>{escape(shown)}')]
    rows = [terminal.screen.buffer[row] for row in range(terminal.screen.lines)]
    while rows and not "".join(rows[-1][at].data for at in range(picture.columns)).strip():
        rows.pop()
    lines += [_text(number, _spans(row, picture.columns)) for number, row in enumerate(rows, 1)]
    width, height = round(picture.columns * _WIDTH + 24), len(lines) * _HEIGHT + 28
    font = "ui-monospace, Menlo, Consolas, monospace"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(shown)}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{_BACKGROUND}"/>',
        f'<g font-family="{font}" font-size="14" fill="{_COLOURS["default"]}">',
    )
    return "\n".join((*head, *lines, "</g>", "</svg>", ""))


def _text(row: int, inside: str) -> str:
    return f'<text x="12" y="{row * _HEIGHT + 26}">{inside}</text>'


def _spans(row: Any, columns: int) -> str:
    """The cells of a row, those that look alike together, each run where its first cell is."""
    runs: list[tuple[int, str, str]] = []
    for at in range(columns):
        cell = row[at]
        look = _look(cell)
        if runs and runs[-1][1] == look:
            runs[-1] = (runs[-1][0], look, runs[-1][2] + cell.data)
        else:
            runs.append((at, look, cell.data))
    return "".join(_span(at, look, text.rstrip()) for at, look, text in runs if text.strip())


def _span(at: int, look: str, text: str) -> str:
    kept = escape(text).replace(" ", "\xa0")  # spaces in a row would be one
    return f'<tspan x="{12 + at * _WIDTH:.1f}" textLength="{len(text) * _WIDTH:.1f}"{look}>{kept}</tspan>'


def _look(cell: Any) -> str:
    colour = _COLOURS.get(cell.fg, f"#{cell.fg}")
    look = "" if cell.fg == "default" else f' fill="{colour}"'
    if cell.bold:
        look += ' font-weight="bold"'
    return look + (' font-style="italic"' if cell.italics else "")


def main() -> None:
    """Draw them all."""
    FOLDER.mkdir(exist_ok=True)
    for name, picture in PICTURES.items():
        (FOLDER / f"{name}.svg").write_text(drawn(picture, screen_of(picture)), "utf-8")
        print(f"docs/pictures/{name}.svg")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
