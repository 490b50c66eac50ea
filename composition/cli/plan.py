"""`modelport plan` tells how a stack of modelport.toml is nested, what a call can come to, and what can't be meant."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .exits import tell
from .files.key_file import use_kept_keys
from .usage_errors import refusing


@click.command(name="plan")
@click.argument("file", type=click.Path(path_type=Path), default="modelport.toml")
@click.option("-m", "--model", help="Which of its models; the one that the file names.")
@click.option("--mermaid", is_flag=True, help="Print the stack as a diagram instead.")
@click.option("--strict", is_flag=True, help="Exit with 1 if there are findings.")
def command(file: Path, model: str | None, mermaid: bool, strict: bool) -> None:
    """Print how a stack is nested, what a call can come to, and what can't be meant; nothing is sent."""
    from ..config.plan import from_toml
    from ..stack.compose import describe

    with refusing():
        use_kept_keys()
        try:
            stack = from_toml(file, model)
        except OSError as error:
            raise ValueError(f"{file}: {error.strerror or error}") from error
    tell(describe(stack.model, "mermaid") if mermaid else str(stack))
    if strict and stack.findings:
        sys.exit(1)
