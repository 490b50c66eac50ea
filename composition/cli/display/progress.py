"""How far the fetching of weights is: a bar on a terminal, and a line elsewhere, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..exits import complain


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress function, whose bar, or line where there is no terminal, appears with its first news."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    shown = Progress(*columns, console=Console(stderr=True), transient=True)
    task: TaskID | None = None

    def progress(done: int, total: int) -> None:
        nonlocal task
        if task is None:
            if shown.console.is_terminal:
                shown.start()
            else:
                complain(f"{title} ({total / 1e6:.0f} MB)")
            task = shown.add_task(title, total=total)
        shown.update(task, completed=done)

    try:
        yield progress
    finally:
        if shown.live.is_started:
            shown.stop()
