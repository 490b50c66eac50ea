"""boto3's client as the adapter needs it: one attempt a call, connections that can be hung up, one for each process.

boto3's clients serve many threads. A forked child must not use its parent's connections, so it gets a client anew.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from ..process.secret import revealed
from .sdk import SERVICE, Token

T = TypeVar("T")

_one_by_one = threading.Lock()  # boto3's sessions serve one thread at a time, and several models may share one


def _renew() -> None:
    global _one_by_one
    _one_by_one = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


class PerProcess(Generic[T]):
    """Holds a thing for each process, made on first use. A copy, or one that was unpickled, is empty."""

    __slots__ = ("_things",)

    def __init__(self) -> None:
        self._things: dict[int, _Once[T]] = {}

    def get(self, make: Callable[[], T]) -> T:
        """This process's own. What `make` raises is raised, and it is asked again the next time."""
        pid = os.getpid()
        once = self._things.get(pid)
        if once is None:  # no lock, which a fork might leave taken: of two at once, one wins
            once = self._things.setdefault(pid, _Once())
        return once.thing if once.made else once.get(make)

    def known(self) -> T | None:
        """This process's own, if it has been made."""
        once = self._things.get(os.getpid())
        return once.thing if once is not None and once.made else None

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), ())


class _Once(Generic[T]):
    __slots__ = ("_lock", "made", "thing")

    thing: T

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.made = False

    def get(self, make: Callable[[], T]) -> T:
        with self._lock:
            if not self.made:
                self.thing, self.made = make(), True
            return self.thing


def connect(
    session: Any,
    profile_name: str | None,
    token: Any,
    arguments: Mapping[str, Any],
    *,
    timeout: float | None,
    threads: int,
) -> Any:
    """A client by these settings; `arguments` are those of boto3's `session.client`."""
    import boto3
    import botocore.session
    from botocore.config import Config

    own = {name: value for name, value in revealed(arguments).items() if value is not None}
    config: Any = Config(
        connect_timeout=5.0 if timeout is None else min(5.0, timeout),
        read_timeout=timeout,
        max_pool_connections=threads,
    )
    if "config" in own:
        config = config.merge(own.pop("config"))
    if "aws_secret_access_key" in own and config.signature_version is None:
        config = config.merge(Config(signature_version="v4"))  # else AWS_BEARER_TOKEN_BEDROCK would outdo these keys
    config = config.merge(Config(retries={"total_max_attempts": 1, "mode": "standard"}))
    if session is None:
        inner = botocore.session.Session(profile=profile_name)
        if token is not None:
            inner.register_component("token_provider", Token(revealed(token)))
            config = config.merge(Config(signature_version="bearer"))
        session = boto3.Session(botocore_session=inner)
    with _one_by_one:
        return session.client(SERVICE, config=config, **own)
