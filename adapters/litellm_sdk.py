"""The litellm package: imported with the first call, kept from the network, its connections closed with their loop.

It reads some settings from its own module and from the environment. What an application has set there stands.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from .per_loop import PerLoop

# Else it asks a server on the network for prices when it is imported, and for headers with the first call of Anthropic.
_LOCAL: Final = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")

_lock = threading.Lock()
_loaded: Any = None
_loops: Final[PerLoop[int]] = PerLoop()


async def litellm() -> Any:
    """The package. Importing it takes seconds, which are spent in a thread. Raises ImportError."""
    module = sys.modules.get("litellm")
    if module is None or module is not _loaded:
        module = await asyncio.to_thread(_load)
    await _loops.get(_running, _close)
    return module


def _load() -> Any:
    global _loaded
    with _lock:
        found = "litellm" in sys.modules
        for name in _LOCAL:
            os.environ.setdefault(name, "True")
        module: Any = importlib.import_module("litellm")
        if not found:  # an application that has imported it before us may have said otherwise
            module.suppress_debug_info = True  # it prints advertisements with every error
        _loaded = module
        return module


def endless() -> Any:
    """No end to waiting, as litellm understands it; None is its own default."""
    return importlib.import_module("httpx").Timeout(None)


def client_for(model_id: str) -> Any:
    """The client of this event loop, where litellm would stream through one that it shares between all of them.

    It closes the connections of one loop when another asks.
    """
    if not model_id.startswith(("anthropic/", "claude")):
        return None
    try:
        made = importlib.import_module("litellm.llms.custom_httpx.http_handler").get_async_httpx_client
        return made(llm_provider=_loaded.LlmProviders.ANTHROPIC)
    except (ImportError, AttributeError):  # a litellm that keeps it elsewhere
        return None


@contextmanager
def unobserved() -> Iterator[None]:
    """A call in here is told to none of litellm's callbacks, and prepares nothing to tell them.

    `no-log` alone keeps them from being called, after all that they might want to know has been gathered.
    """
    inner = getattr(sys.modules.get("litellm._internal_context"), "is_internal_call", None)
    token = inner.set(True) if inner is not None else None
    try:
        yield
    finally:
        if inner is not None:
            inner.reset(token)


def _running() -> int:
    return id(asyncio.get_running_loop())


async def _close(loop: int) -> None:
    """Close the clients that litellm holds for this loop: their cache would keep them, and the loop, for ever."""
    cache = getattr(_loaded, "in_memory_llm_clients_cache", None)
    clients = getattr(cache, "cache_dict", {})
    shared = vars(_loaded).get("module_level_aclient")  # serves every loop, each with a session of its own
    for key, client in [*list(clients.items()), (None, shared)]:
        of_this_loop = isinstance(key, str) and key.endswith(f"-{loop}")
        if of_this_loop:
            clients.pop(key, None)
        close = None
        if of_this_loop and client is not shared:
            close = getattr(client, "aclose", None) or getattr(client, "close", None)
        elif getattr(_session(client), "_loop", None) is asyncio.get_running_loop():
            close = getattr(_session(client), "close", None)
        if inspect.iscoroutinefunction(close):
            with suppress(Exception):
                await close()


def _session(client: Any) -> Any:
    """The session of aiohttp, where litellm has put one beneath a client of httpx."""
    for holder in (getattr(client, "_client", None), getattr(client, "client", None)):
        transport = getattr(holder, "_transport", None)
        if transport is not None:
            return getattr(transport, "client", None)
    return None
