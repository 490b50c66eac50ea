"""Servers on this machine that speak the chat-completions wire, and the models that they have."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.request import ProxyHandler, Request, build_opener

import attrs

_PLACES: Final = (
    "http://127.0.0.1:11434/v1",  # Ollama
    "http://127.0.0.1:1234/v1",  # LM Studio
    "http://127.0.0.1:8000/v1",  # vLLM
    "http://127.0.0.1:8080/v1",  # llama.cpp, mlx-lm
)
_SECONDS: Final = 1.0
_MOST: Final = 1 << 20  # bytes of a list that is read


@attrs.frozen
class Server:
    """One that answered, by its address."""

    address: str
    models: tuple[str, ...]


def places() -> tuple[str, ...]:
    """Where to look: `MODELPORT_SERVERS`, addresses parted by commas, or where servers are by default."""
    own = os.environ.get("MODELPORT_SERVERS")
    return _PLACES if own is None else tuple(place.strip() for place in own.split(",") if place.strip())


def servers(addresses: Iterable[str]) -> list[Server]:
    """Those that answered within a second; no key is sent."""
    wanted = tuple(addresses)
    if not wanted:
        return []
    with ThreadPoolExecutor(len(wanted)) as pool:
        return [server for server in pool.map(_asked, wanted) if server is not None]


def _asked(address: str) -> Server | None:
    opener = build_opener(ProxyHandler({}))  # what is on this machine is behind no proxy
    try:
        with opener.open(Request(f"{address.rstrip('/')}/models"), timeout=_SECONDS) as answer:
            listed = json.loads(answer.read(_MOST))["data"]
        return Server(address, tuple(str(model["id"]) for model in listed))
    except (OSError, ValueError, KeyError, TypeError):  # nobody is there, or somebody else
        return None
