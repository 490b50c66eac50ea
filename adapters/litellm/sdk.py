"""The litellm package: imported with the first call, kept from the network, its connections closed with their loop.

It reads some settings from its own module and from the environment. What an application has set there stands. All that
is leaned on inside of it is listed in `INSIDES`.
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

from ..process.fork import in_child
from ..process.inside import Inside
from ..process.per_loop import PerLoop

_HANDLERS: Final = "litellm.llms.custom_httpx.http_handler"
_STREAM: Final = "litellm.litellm_core_utils.streaming_handler:CustomStreamWrapper"
_OPEN: Final = "connections stay open when their event loop has ended"
_UNKNOWN_END: Final = "a stream that was cut may count as a whole answer"
_LESS_EXACT: Final = "an error that litellm tells in these words alone is of a less exact kind"

INTERNAL_CALL: Final = Inside(
    "litellm",
    "litellm._internal_context",
    "is_internal_call",
    "each call costs more, as litellm gathers what it would tell its callbacks",
)
CLIENTS: Final = Inside(
    "litellm", "litellm", "in_memory_llm_clients_cache", "litellm keeps a client for each event loop that ever was"
)
CACHE_DICT: Final = Inside("litellm", "litellm.caching.in_memory_cache:InMemoryCache", "cache_dict", CLIENTS.lost)
LOOP_KEY: Final = Inside(
    "litellm",
    "litellm.caching.llm_caching_handler:LLMClientCache",
    "update_cache_key_with_event_loop",
    CLIENTS.lost,
)
SHARED_CLIENT: Final = Inside("litellm", "litellm", "module_level_aclient", _OPEN)
OWN_CLIENT: Final = Inside(
    "litellm",
    _HANDLERS,
    "get_async_httpx_client",
    "a stream of Anthropic may be interrupted when another event loop begins one",
)
HANDLER_CLIENT: Final = Inside("litellm", f"{_HANDLERS}:AsyncHTTPHandler", "_client", _OPEN)
TRANSPORT: Final = Inside("httpx", "httpx._client", "_transport", _OPEN)
SESSION: Final = Inside(
    "litellm", "litellm.llms.custom_httpx.aiohttp_transport:LiteLLMAiohttpTransport", "client", _OPEN
)
SESSION_LOOP: Final = Inside("aiohttp", "aiohttp:ClientSession", "_loop", _OPEN)
HIDDEN_PARAMS: Final = Inside(
    "litellm",
    "litellm.types.utils:ModelResponse",
    "_hidden_params",
    "an answer names the model that was asked for, and its attempt doesn't say which deployment it came from",
)
RECEIVED_REASON: Final = Inside("litellm", _STREAM, "received_finish_reason", _UNKNOWN_END)
INTERMITTENT_REASON: Final = Inside(
    "litellm", _STREAM, "intermittent_finish_reason", "a whole stream of some providers may count as interrupted"
)
CHUNKS: Final = Inside(
    "litellm", _STREAM, "chunks", f"{_UNKNOWN_END}, and tokens that litellm counted as the provider's"
)
STREAM_MODEL: Final = Inside(
    "litellm", _STREAM, "_provider_response_model", "a streamed answer names the model that was asked for"
)
ADOPTED: Final = Inside(
    "litellm",
    "litellm.router_rust.invoke.streaming:FallbackAwareStreamWrapper",
    "fallback_headers_adopted",
    f"{_UNKNOWN_END} where it came through the Router",
)
SKIP_MCP: Final = Inside("litellm", "litellm.main", "_skip_mcp_handler", "calls with tools need the mcp package")
PREVIOUS_MODELS: Final = Inside(
    "litellm", "litellm.router_rust.invoke.walk", "previous_models", "what the Router retried isn't in the ledger"
)
TIMING_WINDOWS: Final = Inside(
    "litellm",
    "litellm.litellm_core_utils.logging_utils",
    "llm_api_timing_windows",
    "attempts in the ledger don't say when they began",
)
FAILED_DEPLOYMENT: Final = Inside(
    "litellm",
    "litellm.router_rust.invoke.shaping",
    "failed_deployment_id",
    "attempts that failed don't say which deployment made them",
)
ANSWERING_MODEL: Final = Inside(
    "litellm",
    "litellm.litellm_core_utils.streaming_handler",
    "provider_response_model",
    "an answer names the model that was asked for",
)
NO_PROVIDER: Final = Inside(
    "litellm", "litellm.litellm_core_utils.get_llm_provider_logic", "LLM Provider NOT provided", _LESS_EXACT
)
NO_HEALTHY: Final = Inside("litellm", "litellm.types.router", "no healthy deployments", _LESS_EXACT)
ALL_COOLING: Final = Inside(
    "litellm", "litellm.types.router", "All deployments for selected model are in cooldown", _LESS_EXACT
)
NONE_AVAILABLE: Final = Inside("litellm", "litellm.types.router", "No deployments available", _LESS_EXACT)
REPEATING: Final = Inside(
    "litellm", "litellm.litellm_core_utils.streaming_handler", "repeating the same chunk", _LESS_EXACT
)
FORBIDDEN: Final = Inside("aiohttp", "aiohttp.http_writer", "Forbidden control character", _LESS_EXACT)
BROKEN: Final = Inside("openai", "openai._exceptions", "Connection error", _LESS_EXACT)

INSIDES: Final = tuple(value for value in list(globals().values()) if isinstance(value, Inside))
"""All that stands above."""

# Else it asks a server on the network for prices when it is imported, and for headers with the first call of Anthropic.
_LOCAL: Final = ("LITELLM_LOCAL_MODEL_COST_MAP", "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS")

_lock = threading.Lock()
_loaded: Any = None
_loops: Final[PerLoop[str]] = PerLoop()


@in_child
def _forget() -> None:
    global _lock
    _lock = threading.Lock()


async def litellm() -> Any:
    """The package. Importing it takes seconds, which are spent in a thread. Raises ImportError."""
    module = sys.modules.get("litellm")
    if module is None or module is not _loaded:
        module = await asyncio.to_thread(_load)
    await _loops.get(_loop_key, _close)
    return module


def _load() -> Any:
    global _loaded
    with _lock:
        imported_before = "litellm" in sys.modules
        for name in _LOCAL:
            os.environ.setdefault(name, "True")
        module: Any = importlib.import_module("litellm")
        if getattr(module, "__file__", None) is None:
            raise ImportError("litellm isn't installed, and a folder of its name is no package", name="litellm")
        if not imported_before:  # an application that has imported it before us may have said otherwise
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
    made = _of_module(OWN_CLIENT)
    return None if made is None else made(llm_provider="anthropic")


@contextmanager
def unobserved() -> Iterator[None]:
    """A call in here is told to none of litellm's callbacks, and prepares nothing to tell them.

    `no-log` alone keeps them from being called, after all that they might want to know has been gathered.
    """
    inner = _of_module(INTERNAL_CALL)
    token = inner.set(True) if inner is not None else None
    try:
        yield
    finally:
        if inner is not None:
            inner.reset(token)


def _of_module(inside: Inside) -> Any:
    """What a module of litellm has; None where it hasn't, or where there is no such module."""
    try:
        module = importlib.import_module(inside.owner)
    except ImportError:
        module = None
    return inside.of(module)


def _loop_key() -> str:
    """What the keys of this loop's clients end with."""
    cache = CLIENTS.of(_loaded)
    key = None if cache is None else LOOP_KEY.of(cache)
    return "" if key is None else key("")


async def _close(loop_key: str) -> None:
    """Close the clients that litellm holds for this loop: its cache would keep them, and the loop, for an hour."""
    shared = SHARED_CLIENT.of(_loaded)  # it serves every loop, each with a session of its own
    if loop_key:
        cache = CLIENTS.of(_loaded)
        for key, client in list(CACHE_DICT.of(cache, {}).items()):
            if key.endswith(loop_key):
                cache.delete_cache(key)
                if client is not shared:
                    await _closed(client)
    session = _session(shared)
    if session is not None and SESSION_LOOP.of(session) is asyncio.get_running_loop():
        await _closed(session)


async def _closed(client: Any) -> None:
    close = getattr(client, "aclose", None) or getattr(client, "close", None)
    if inspect.iscoroutinefunction(close):
        with suppress(Exception):
            await close()


def _session(client: Any) -> Any:
    """The session of aiohttp that litellm has put beneath a client; None where it has put none there, or not yet."""
    own = importlib.import_module("httpx").AsyncHTTPTransport
    for inside in (HANDLER_CLIENT, TRANSPORT, SESSION):
        if client is None or isinstance(client, own):
            return None
        client = inside.of(client)
    return None if callable(client) else client
