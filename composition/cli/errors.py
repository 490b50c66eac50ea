"""`modelport errors` prints what each kind of error means."""

from __future__ import annotations

import click

from ...domain.error import table
from .exits import tell


@click.command(name="errors")
def command() -> None:
    """Print what each kind of error means."""
    tell(table())
