"""How the command says what went wrong, and how it leaves when there is no going on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

_INTERRUPTED = 130
_SHOW_CURSOR = b"\x1b[?25h"


def complain(text: str) -> None:
    """A line, or several, on standard error, unless that was closed before we began."""
    if sys.stderr is not None:
        print(text, file=sys.stderr, flush=True)


def interrupted(*_: object) -> NoReturn:
    """Leaves at once, whatever is being loaded, converted or generated in other threads."""
    for number in (2, 1):
        if os.isatty(number):  # a progress bar and live Markdown hide the cursor
            os.write(number, _SHOW_CURSOR)
            break
    os._exit(_INTERRUPTED)


@contextmanager
def writing() -> Iterator[None]:
    """What is written in here may meet a reader that has gone, or a disk that is full: then it leaves at once.

    What is still in the buffer would fail a second time.
    """
    try:
        yield
    except BrokenPipeError:  # whoever reads our output has had enough of it, which is no error
        os._exit(0)
    except OSError as error:
        complain(f"the answer can't be written: {error.strerror or error}")
        os._exit(1)
