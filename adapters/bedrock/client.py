"""boto3's client as the adapter needs it: one attempt a call, connections that can be hung up, one for each process.

boto3's clients serve many threads. A forked child must not use its parent's connections, so it gets a client anew.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from ..process.fork import in_child
from ..process.secret import revealed
from .sdk import SERVICE, Token

_one_by_one = threading.Lock()  # boto3's sessions serve one thread at a time, and several models may share one


@in_child
def _renew() -> None:
    global _one_by_one
    _one_by_one = threading.Lock()


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
