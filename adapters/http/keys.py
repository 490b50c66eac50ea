"""A key or a token, asked for at each call: it is text, the name of a variable, or a function that gives it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from ..process.secret import Env, Unset

Key = str | Env | Callable[[], str | Awaitable[str]]
"""A key or a token: its text, the name of its variable, or a function, sync or async, that gives it for each call."""


class KeyUnavailable(Exception):
    """The callable that was given for a key or a token raised, or gave none."""


async def fetched(key: Key, name: str) -> str:
    """The key or token as text, without blanks around it; a function that blocks runs in a thread.

    Raises `Unset` or `KeyUnavailable`.
    """
    text = key.read() if isinstance(key, Env) else key if isinstance(key, str) else await _asked(key, name)
    text = text.strip()  # what was read from a file ends in a line break
    if not text:
        raise Unset(f"{name} is empty")
    return text


async def _asked(key: Callable[[], str | Awaitable[str]], name: str) -> str:
    try:
        key_or_awaitable = key() if inspect.iscoroutinefunction(key) else await asyncio.to_thread(_called, key)
        text = await key_or_awaitable if inspect.isawaitable(key_or_awaitable) else key_or_awaitable
    except Exception as error:  # what it says may hold a secret
        raise KeyUnavailable(f"the callable given as {name} raised {type(error).__name__}") from error
    if not isinstance(text, str) or not text:
        raise KeyUnavailable(f"the callable given as {name} gave no key, but {type(text).__name__}")
    return text


def _called(key: Callable[[], Any]) -> Any:
    try:
        return key()
    except StopIteration as error:  # no future can carry one: whoever awaits it would wait for ever
        raise RuntimeError("StopIteration") from error
