"""`modelport keys` keeps the keys of providers, and never prints one."""

from __future__ import annotations

import difflib
import re
import sys
from getpass import getpass
from typing import Any, Final

import click

from .exits import tell
from .files.key_file import keep_keys, kept_keys, key_file
from .model_names import ADAPTERS
from .usage_errors import refusing

_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]{2,}")
_NO_ARGUMENT: Final = (
    "a key isn't given as an argument, which other users of the machine can read; "
    "run modelport keys set NAME and type it, or pipe it in"
)


class _Keys(click.Group):
    """The commands for keys; what is no command may be a key, and isn't repeated."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise click.UsageError(f"keys has {', '.join(self.commands)}; {_NO_ARGUMENT}")
        return super().resolve_command(ctx, args)


@click.group(name="keys", cls=_Keys, invoke_without_command=True, context_settings={"ignore_unknown_options": True})
@click.pass_context
def command(ctx: click.Context) -> None:
    """Keep the keys of providers; none is ever printed."""
    if ctx.invoked_subcommand is None:
        _list()


@command.command("list")
def listed() -> None:
    """Print the names under which keys are kept."""
    _list()


@command.command("path")
def path() -> None:
    """Print where the keys are kept."""
    tell(str(key_file()))


@command.command("set", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("name")
@click.pass_context
def put(ctx: click.Context, name: str) -> None:
    """Keep a key for an adapter (openai) or under a variable (ANTHROPIC_API_KEY); it is typed, or piped in."""
    if ctx.args:
        raise click.UsageError(_NO_ARGUMENT)
    with refusing():
        variable = variable_of(name)
        keys = kept_keys()
        key = _typed(variable) if sys.stdin is not None and sys.stdin.isatty() else _piped()
        if not key or len(key.split()) > 1:
            raise ValueError("a key is one word; there is none on standard input")
    keep_keys({**keys, variable: key})
    tell(f"{variable} is kept in {key_file()}")


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Forget a key."""
    with refusing():
        variable = variable_of(name)
        keys = kept_keys()
        if keys.pop(variable, None) is None:
            raise ValueError(f"no key is kept under {variable}")
    keep_keys(keys)
    tell(f"{variable} is forgotten")


def variable_of(name: str) -> str:
    """The variable that an adapter's key is read from, or the name itself, if it is a variable's.

    Raises ValueError, without the name, which may be a key.
    """
    known = {word: adapter.variable for word, adapter in ADAPTERS.items() if adapter.variable is not None}
    if name in known:
        return known[name]
    if _VARIABLE.fullmatch(name):
        return name
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"NAME is one of {', '.join(known)}, or a variable such as ANTHROPIC_API_KEY{hint}")


def _list() -> None:
    with refusing():
        keys = kept_keys()
    tell("\n".join(sorted(keys)) if keys else "no keys are kept; modelport keys set NAME keeps one")


def _typed(variable: str) -> str:
    return getpass(f"{variable}: ").strip()


def _piped() -> str:
    return "" if sys.stdin is None else sys.stdin.read().strip()
