"""The table of docs/adapters/servers.md, from the rows themselves: `python tests/kit/server_table.py` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from paths import ROOT

from modelport.adapters.openai.server import Server
from modelport.adapters.openai.servers import SERVERS

PAGE = ROOT / "docs" / "adapters" / "servers.md"
_TABLE = re.compile(r"(<!-- servers[^>]*-->\n).*?(\n<!-- /servers -->)", re.DOTALL)
_HEAD = ("server", "name", "address, and the variable of its key", "reasoning", "stops", "refused here", "besides")


def page() -> str:
    """The page as it should be."""
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_row, SERVERS.values())]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return _TABLE.sub(lambda found: found[1] + table + found[2], PAGE.read_text("utf-8"))


def _row(server: Server) -> tuple[str, ...]:
    key = "none" if server.variable is None else f"`{server.variable}`"
    at = f"`{server.base_url}`<br>{key}{'' if server.needs_key or key == 'none' else ', if it asks'}"
    pages = " ".join(f"[{_host(page)}]({page})" for page in server.pages)
    return (
        server.title,
        f"`{server.name}`",
        at,
        _reasoning(server),
        _stops(server),
        "; ".join(_refusals(server)),
        f"{'; '.join([*_differences(server), *server.quirks])}<br>{pages}".removeprefix("<br>"),
    )


def _host(page: str) -> str:
    parts = urlsplit(page)
    return (parts.hostname or "").removeprefix("www.").removeprefix("docs.")


def _reasoning(server: Server) -> str:
    told = server.reasoning or ""
    told = f"`{told}`" if told.isidentifier() else told
    return f"{told}, and wants it back" if server.reasoning_back else told


def _stops(server: Server) -> str:
    if server.max_stops is None:
        return ""
    longest = "" if server.max_stop_bytes is None else f", of {server.max_stop_bytes} bytes at most"
    return f"{server.max_stops}{longest}"


def _refusals(server: Server) -> Iterator[str]:
    if server.refuses:
        yield ", ".join(f"`{name}`" for name in sorted(server.refuses))
    if server.tool_choices is not None:
        yield f"a `tool_choice` but {', '.join(f'`{choice}`' for choice in sorted(server.tool_choices))}"
    if not server.takes_names:
        yield "the name of a speaker"
    if server.lacks:
        yield ", ".join(f"`{name}`" for name in sorted(server.lacks))


def _differences(server: Server) -> Iterator[str]:
    yield from (f"`{ours}` goes as `{theirs}`" for ours, theirs in server.renames.items())
    if server.call_id_length is not None:
        yield f"ids of calls have {server.call_id_length} letters and digits, and others are rewritten"
    if server.cache_markers:
        yield "`cache_control` is sent"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
