"""Which commands there are; a command's file is imported when it is run, or when its help is shown."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any, Final

import click

COMMANDS: Final = {
    "ask": "ask",
    "chat": "chat",
    "models": "models",
    "keys": "keys",
    "templates": "templates",
    "log": "log",
    "plan": "plan",
    "errors": "errors",
    "completion": "completion",
}
"""Each command, and the file of this folder that it stands in."""


class Commands(click.Group):
    """The commands, found by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, if there is one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f".{COMMANDS[cmd_name]}", __package__).command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        """The command that is meant; a prompt or a misspelt name is told what to write instead."""
        word = args[0]
        if word in COMMANDS or ctx.resilient_parsing:  # a shell that completes wants no messages
            return super().resolve_command(ctx, args)
        if " " in word.strip():
            raise click.UsageError('that is a prompt, not a command; write modelport ask "..."')
        near = difflib.get_close_matches(word, COMMANDS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
        raise click.UsageError(f"there is no command {word!r}; {hint}")


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="modelport", message="modelport %(version)s")
def group() -> None:
    """Language models from the command line."""
