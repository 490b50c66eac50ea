"""The servers that are known by name, in one table: hosted ones first, then those that people run themselves."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Final

from ...domain.frozen import FrozenDict
from .hosted_servers import HOSTED
from .self_hosted_servers import SELF_HOSTED
from .server import Server

SERVERS: Final[Mapping[str, Server]] = FrozenDict({server.name: server for server in (*HOSTED, *SELF_HOSTED)})


def server_named(name: str, where: str) -> Server:
    """The server of this name. Raises ValueError, with the nearest, for a name that none has."""
    server = SERVERS.get(name)
    if server is None:
        near = difflib.get_close_matches(name, SERVERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it is one of {', '.join(SERVERS)}; another has a base_url"
        raise ValueError(f"{where}: no server is known as {name!r}; {hint}")
    return server
