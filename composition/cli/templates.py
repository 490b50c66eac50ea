"""`modelport templates` shows what `ask --template` may name; `ask --save NAME` makes one."""

from __future__ import annotations

import click

from .exits import tell
from .files.template_files import read_template, template_folder, template_names
from .usage_errors import refusing


@click.group(name="templates", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show the templates that ask and chat can begin with."""
    if ctx.invoked_subcommand is None:
        _list()


@command.command("list")
def listed() -> None:
    """Print the name of each template, and what it says."""
    _list()


@command.command("path")
def path() -> None:
    """Print the folder that the templates are in."""
    tell(str(template_folder()))


def _list() -> None:
    names = template_names()
    if not names:
        tell('there are no templates; modelport ask --system "..." --save NAME keeps one')
    for name in names:
        with refusing():
            template = read_template(name)
        words = " ".join((template.system or template.prompt or template.schema or template.model or "").split())
        tell(f"{name:<16} {words[:60]}".rstrip())
