"""How the command says something, and how it leaves when there is no going on.

A terminal gets no control characters. A pipe gets what is on standard output as it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from .display.visible import visible

_INTERRUPTED = 130
_SHOW_CURSOR = b"\x1b[?25h"


def complain(text: str) -> None:
    """A line, or several, on standard error, unless that was closed before we began, or can't be written."""
    if sys.stderr is None:
        return
    try:
        print(visible(text), file=sys.stderr, flush=True)
    except OSError:  # nobody can be told; what is still in the buffer would fail once more at the end
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # it stays open


def tell(text: str) -> None:
    """A line, or several, on standard output."""
    need_output()
    with writing():
        print(visible(text) if sys.stdout.isatty() else text, flush=True)


def need_output() -> None:
    """Leaves where standard output was closed before we began."""
    if sys.stdout is None:
        complain("standard output is closed")
        sys.exit(1)


class Ended(KeyboardInterrupt):
    """Ctrl-C, where it ends an answer: no tool's failure, as a KeyboardInterrupt that one raises is."""


def interrupted(*_: object) -> NoReturn:
    """Leaves at once, whatever is being loaded, converted or generated in other threads."""
    for number in (2, 1):
        if os.isatty(number):  # a progress bar and live Markdown hide the cursor
            os.write(number, _SHOW_CURSOR)
            break
    os._exit(_INTERRUPTED)


@contextmanager
def writing() -> Iterator[None]:
    """What is written to standard output in here may meet a reader that has gone, or a disk that is full."""
    try:
        yield
    except BrokenPipeError:  # whoever reads our output has had enough of it, which is no error
        os._exit(0)
    except OSError as error:
        leave(error)


def leave(error: OSError) -> NoReturn:
    """Says what can't be read or written. It leaves at once: what is still in a buffer would fail a second time."""
    complain(f"{error.filename or 'standard output'}: {error.strerror or error}")
    os._exit(1)
