"""A mistake of whoever types is told in one line after the usage, and the command exits with 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from .display.visible import visible


@contextmanager
def refusing() -> Iterator[None]:
    """What raises ValueError or TypeError in here is bad usage, and its message says what to do."""
    try:
        yield
    except (ValueError, TypeError) as mistake:
        raise click.UsageError(visible(str(mistake))) from mistake
