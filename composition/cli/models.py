"""`modelport models` shows what can be asked from here: adapters, names for models, and servers on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from shlex import quote

import click

from ...adapters.files import cache
from ...adapters.files.weights import DEFAULT as WEIGHTS
from ...adapters.files.weights import installed
from ...adapters.openai.servers import SERVERS
from .exits import complain, tell
from .files.key_file import kept_keys, where_key_is
from .files.settings import Settings, settings
from .local_servers import places, servers
from .model_choice import named
from .model_names import ADAPTERS, Adapter
from .usage_errors import refusing


@click.command(name="models")
@click.option("--base-url", multiple=True, help="Ask this server too, which may be anywhere; no key is sent.")
def command(base_url: tuple[str, ...]) -> None:
    """Show which models can be asked, and with which variable a key is given.

    Nothing but this machine is contacted, unless you name a server.
    """
    with refusing():
        files, kept = settings(), kept_keys()
        asked = servers(dict.fromkeys((*places(), *base_url)))
    absent = dict.fromkeys(each.extra for each in ADAPTERS.values() if find_spec(each.module) is None)
    tell(_table(("ADAPTER", "INSTALLED", "KEY", "FOR EXAMPLE"), list(_adapters(kept, absent))))
    if absent:
        tell("\nto install: pip install " + " ".join(f"'modelport[{extra}]'" for extra in absent))
        print("\nto install: pip install " + " ".join(f"'modelport[{extra}]'" for extra in absent))
    print("\n" + _table(("SERVER", "KEY", "FOR EXAMPLE"), list(_known_servers(kept))))
    name, by = named(None, os.environ.get("MODELPORT_MODEL"), files)
    tell(f"\nasked where none is named: {name} ({by or 'MODELPORT_MODEL or modelport.toml name another'})")
    tell(f"the embedded default's weights are {_weights()}")
    if rows := list(_names(files)):
        tell("\n" + _table(("NAME", "WHAT IT IS", "WHERE"), rows))
    for server in asked:
        if server.failure is None:
            tell(f"\n{server.address} has {', '.join(server.models) or 'no models'}")
        if server.models:
            model, address = quote(f"openai:{server.models[0]}"), quote(server.address)
            tell(f'  modelport ask "..." --model {model} --base-url {address}')
    failed = [server for server in asked if server.failure is not None and server.address in base_url]
    for server in failed:
        complain(f"{server.address} {server.failure}")
    if failed:
        sys.exit(1)


def _adapters(kept: Mapping[str, str], absent: Container[str]) -> Iterator[tuple[str, str, str, str]]:
    for word, adapter in ADAPTERS.items():
        if adapter.server is None:
            yield word, "no" if adapter.extra in absent else "yes", _key(adapter, kept), f"{word}:{adapter.example}"


def _known_servers(kept: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, server in SERVERS.items():
        key = "none" if server.variable is None else where_key_is(server.variable, kept)
        yield (
            name,
            key if server.needs_key or server.variable is None else f"{key}, if it asks",
            f"{name}:{server.example}",
        )


def _key(adapter: Adapter, kept: Mapping[str, str]) -> str:
    if adapter.address is None:
        return "none, it runs here"
    return "that of its provider" if adapter.variable is None else where_key_is(adapter.variable, kept)


def _names(files: Sequence[Settings]) -> Iterator[tuple[str, str, str]]:
    for file in files:
        for name in file.models:
            yield name, "a stack or model", str(file.path)
        for name, meant in file.aliases.items():
            yield name, meant, str(file.path)


def _weights() -> str:
    if installed(WEIGHTS) is not None or (cache.folder() / Path(WEIGHTS.file).name).exists():
        return "on this machine"
    return f"fetched when it is first asked ({WEIGHTS.size / 1e6:.0f} MB)"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows))
    return "\n".join(lines)
