"""Servers on this machine that speak the chat-completions wire, and the models that they have."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
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
    """One that was asked: its models, or why there is no answer."""

    address: str
    models: tuple[str, ...] = ()
    failure: str | None = None


def places() -> tuple[str, ...]:
    """Where to look: `MODELPORT_SERVERS`, addresses parted by commas, or where servers are by default."""
    own = os.environ.get("MODELPORT_SERVERS")
    return _PLACES if own is None else tuple(place.strip() for place in own.split(",") if place.strip())


def servers(addresses: Iterable[str]) -> list[Server]:
    """What each says within a second; no key is sent. Raises ValueError for what is no address."""
    wanted = tuple(addresses)
    if not wanted:
        return []
    for address in wanted:
        if urlsplit(address).scheme not in ("http", "https"):
            raise ValueError(f"{address!r} is no address of a server; write http://127.0.0.1:8000/v1")
    with ThreadPoolExecutor(len(wanted)) as pool:
        return list(pool.map(_asked, wanted))


def _asked(address: str) -> Server:
    opener = build_opener(ProxyHandler({}))  # what is on this machine is behind no proxy
    try:
        with opener.open(Request(f"{address.rstrip('/')}/models"), timeout=_SECONDS) as answer:
            listed = json.loads(answer.read(_MOST))["data"]
        return Server(address, tuple(str(model["id"]) for model in listed))
    except HTTPError as refusal:
        refusal.close()  # it is the answer, too
        is_root = refusal.code == HTTPStatus.NOT_FOUND and not urlsplit(address).path.strip("/")
        hint = f"; did you mean {address.rstrip('/')}/v1?" if is_root else ""
        failure = f"answers {refusal.code} when it is asked for its models{hint}"
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        failure = f"doesn't answer: {getattr(reason, 'strerror', None) or reason}"
    except (ValueError, KeyError, TypeError, RecursionError):
        failure = "answers with something else than a list of models"
    return Server(address, failure=failure)
