"""What may be passed to a model of this wire, checked where it is passed. It knows no SDK.

What is wrong raises TypeError or ValueError with the place and the fix. The options of a call come later than a model
is made, and so make an error of `invalid_request`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from ..chat.options import check_call
from ..http.arguments import base_address, check_alone, check_text
from ..settings import check_kind

_TOLD: Final = frozenset({"base_url", "default_headers", "default_query", "timeout"})
_AZURES: Final = frozenset({"azure_deployment"})
_KEYS: Final = frozenset({"api_key", "azure_ad_token", "azure_ad_token_provider"})


def check_arguments(where: str, own: Mapping[str, Any], more: Mapping[str, Any], transport: object) -> None:
    """Raises ValueError or TypeError for arguments that don't fit; `own` are those that a client brings itself."""
    if transport is not None and not inspect.iscoroutinefunction(getattr(transport, "send", None)):
        raise TypeError(f"{where}: transport= takes an HttpTransport(...), not {type(transport).__name__}")
    for name, value in own.items():
        check_text(f"{where}: {name}", value, is_key=name in _KEYS)
    client, client_kwargs = more.get("client"), more.get("client_kwargs")
    check_kind(where, "client_kwargs", client_kwargs, Mapping, "a dict of arguments of the SDK's client")
    kwargs: Mapping[str, Any] = client_kwargs or {}
    for name in ("default_headers", "default_query"):
        check_kind(where, f"client_kwargs[{name!r}]", kwargs.get(name), Mapping, "a dict")
    if "max_retries" in kwargs:
        raise ValueError(f"{where}: no max_retries; an adapter makes one attempt: with_retry(...)")
    strange = kwargs.keys() - _TOLD - own.keys() - (_AZURES if "azure_endpoint" in own else frozenset())
    if strange:
        raise ValueError(
            f"{where}: client_kwargs: {min(strange)} is for a client of the SDK, and none is made here; make one and "
            "pass it: client=openai.AsyncOpenAI(...); proxies and certificates are transport=HttpTransport(...)'s"
        )
    for name in own.keys() & kwargs.keys():
        check_text(f"{where}: client_kwargs[{name!r}]", kwargs[name], is_key=name in _KEYS)
    if "base_url" in kwargs:
        base_address(kwargs["base_url"], f"{where}: client_kwargs['base_url']")
    twice = [name for name, value in own.items() if value is not None and name in kwargs]
    if twice:
        raise ValueError(f"{where}: {twice[0]} stands in client_kwargs too; keep one")
    if client is not None:
        check_alone(
            where,
            "client",
            {**own, "transport": transport, "timeout": more.get("timeout"), "client_kwargs": client_kwargs},
        )
        if not inspect.iscoroutinefunction(getattr(client, "post", None)):
            classes = "openai.AsyncOpenAI or AsyncAzureOpenAI"
            raise TypeError(f"{where}: client= takes an {classes}, not {type(client).__name__}")
    check_call(more, f"{where}: ")
