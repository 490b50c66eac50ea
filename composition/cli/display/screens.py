"""Where an answer is shown while it arrives: as it is in a pipe, as Markdown on a terminal, or not before its end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

from ..exits import writing
from .blocks import finished_blocks
from .visible import visible

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live
    from rich.segment import Segment


class Screen(Protocol):
    """Shows pieces of a text."""

    def show(self, text: str) -> None:
        """The next piece."""
        ...

    def close(self, complete: bool = True) -> None:
        """The text is over; `complete` unless an error ended it."""
        ...


def screen(plain: bool) -> Screen:
    """What standard output calls for."""
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    return Rendered() if is_terminal and not plain else Plain(sys.stdout.isatty())


class Silent:
    """Shows nothing: the whole answer is printed in the end."""

    def show(self, text: str) -> None:
        """Nothing."""

    def close(self, complete: bool = True) -> None:
        """Nothing."""


class Plain:
    """The text as it is, piece by piece; on a terminal, where it could give commands, without control characters."""

    def __init__(self, terminal: bool = False) -> None:
        self._terminal = terminal
        self._last = ""

    def show(self, text: str) -> None:
        """Write it, and let it be seen."""
        self._last = text
        self._write(visible(text) if self._terminal else text)

    def close(self, complete: bool = True) -> None:
        """End the line, if there is one."""
        if not self._last.endswith("\n") and (self._last or complete):
            self._write("\n")
        self._last = ""

    def _write(self, text: str) -> None:
        with writing():
            sys.stdout.write(text)
            sys.stdout.flush()


class Rendered:
    """Markdown: what is finished stays, and the block that is being written is drawn anew with each piece."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console()
        self._live: Live | None = None
        self._open = ""

    def show(self, text: str) -> None:
        """Draw what has come."""
        if self._live is None:
            self._live = self._begun()
        done, self._open = finished_blocks(self._open + visible(text))
        if done:
            self._live.update(_Drawn(""))
        for block in done:
            self._console.print(_Drawn(block))
            self._console.print()
        self._live.update(_Drawn(self._open, is_open=True), refresh=True)

    def close(self, complete: bool = True) -> None:
        """Draw the last block as it stays."""
        if self._live is not None:
            self._live.update(_Drawn(""))
            self._live.stop()
            self._live = None
        if self._open.strip():
            self._console.print(_Drawn(self._open))
        self._open = ""

    def _begun(self) -> Live:
        from rich.live import Live

        # Not refreshed by a thread of its own: what that draws while a block is printed would stay on the screen.
        live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stderr=False)
        live.start()
        return live


class _Drawn:
    """A block of Markdown without empty lines around it; of a long one that is `open`, the end that fits the screen."""

    def __init__(self, text: str, is_open: bool = False) -> None:
        self._text, self._is_open = text, is_open

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.markdown import Markdown
        from rich.segment import Segment

        lines = console.render_lines(Markdown(self._text, hyperlinks=False), options, pad=False)
        while lines and _is_empty(lines[0]):
            lines.pop(0)
        while lines and _is_empty(lines[-1]):
            lines.pop()
        for line in lines[-max(1, console.height - 1) :] if self._is_open else lines:
            yield from line
            yield Segment.line()


def _is_empty(line: list[Segment]) -> bool:
    """Whether a line shows nothing, not even a background."""
    return all(not part.text.strip() and (part.style is None or part.style.bgcolor is None) for part in line)
