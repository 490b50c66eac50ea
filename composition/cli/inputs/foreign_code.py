"""Code of the user's own runs without writing into the answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout


@contextmanager
def printing_aside() -> Iterator[None]:
    """What is printed in here, and what programs print that are started in here, goes to standard error."""
    with ExitStack() as stack:
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))
        kept = os.dup(1)
        stack.callback(os.close, kept)
        sys.stdout.flush()
        os.dup2(nowhere.fileno() if sys.stderr is None else 2, 1)
        stack.callback(os.dup2, kept, 1)
        stack.callback(sys.stdout.flush)
        stack.enter_context(redirect_stdout(nowhere if sys.stderr is None else sys.stderr))
        yield
