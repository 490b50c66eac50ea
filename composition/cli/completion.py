"""`modelport completion SHELL` prints what a shell needs to complete commands, options, models and templates."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .exits import tell

_RUNS = {
    "bash": 'eval "$(modelport completion bash)"   # in ~/.bashrc',
    "zsh": 'eval "$(modelport completion zsh)"   # in ~/.zshrc',
    "fish": "modelport completion fish | source   # in ~/.config/fish/config.fish",
}


@click.command(name="completion", epilog="; ".join(_RUNS.values()))
@click.argument("shell", type=click.Choice(list(_RUNS)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion of a shell, for its start-up file."""
    found = get_completion_class(shell)
    assert found is not None  # it is one of click's own
    tell(found(ctx.find_root().command, {}, "modelport", "_MODELPORT_COMPLETE").source())
