"""`modelport log` turns the log of questions and answers on and off, and shows it; it is off unless asked for."""

from __future__ import annotations

import json

import click

from ...domain.response import Response
from .exits import tell
from .files import log_store
from .json_values import json_values


@click.group(name="log", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Keep what is asked and answered, or show it; it is off unless you turn it on."""
    if ctx.invoked_subcommand is None:
        _status()


@command.command("on")
def on() -> None:
    """Keep questions and answers from now on, without secrets."""
    log_store.turn(True)
    _status()


@command.command("off")
def off() -> None:
    """Keep none from now on; what is there stays."""
    log_store.turn(False)
    _status()


@command.command("status")
def status() -> None:
    """Print whether the log is on, and how much is in it."""
    _status()


@command.command("path")
def path() -> None:
    """Print where the log is."""
    tell(str(log_store.log_file()))


@command.command("list")
@click.option("-n", "--count", default=3, show_default=True, type=click.IntRange(1), help="How many of the latest.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def listed(count: int, as_json: bool) -> None:
    """Print the latest questions and answers."""
    found = log_store.entries(count)
    if as_json:
        rows = [
            {"at": entry.at, "conversation": entry.conversation, "model": entry.model, **_values(entry)}
            for entry in found
        ]
        tell(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    if not found:
        tell("the log is empty")
    for entry in found:
        outcome = entry.outcome
        text = outcome.content if isinstance(outcome, Response) else f"({outcome.kind}: {outcome.message})"
        tell(f"# {entry.at}  {entry.model}\n\n{entry.request.messages[-1].text}\n\n{text.strip()}\n")


def _values(entry: log_store.Entry) -> dict[str, object]:
    return {"prompt": entry.request.messages[-1].text, "outcome": json_values(entry.outcome)}


def _status() -> None:
    size = f", {log_store.log_file().stat().st_size / 1e3:.0f} kB" if log_store.log_file().exists() else ""
    tell(f"the log is {'on' if log_store.is_on() else 'off'}: {log_store.log_file()}{size}")
