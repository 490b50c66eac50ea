"""What may be passed to `InferenceClientModel`, checked where it is passed. It knows no SDK.

What is wrong raises TypeError or ValueError with the place and the fix.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from ...domain.secrecy import is_secret
from ..chat.options import check_call
from ..http.arguments import check, check_alone, check_text, parts_of
from ..process.secret import Env
from ..settings import check_kind

_WHERE: Final = "InferenceClientModel"
_OURS: Final = frozenset({"model", "provider", "token", "api_key", "timeout", "base_url", "bill_to"})
_TOLD: Final = frozenset({"headers", "cookies"})


def check_arguments(model_id: str, own: Mapping[str, Any], more: Mapping[str, Any], transport: object) -> None:
    """Raises ValueError or TypeError for arguments that don't fit; `own` are those that a client brings itself."""
    client, client_kwargs = more.get("client"), more.get("client_kwargs")
    check(_WHERE, model_id, more.get("timeout"))
    if transport is not None and not inspect.iscoroutinefunction(getattr(transport, "send", None)):
        raise TypeError(f"{_WHERE}: transport= takes an HttpTransport(...), not {type(transport).__name__}")
    token = own["token"]
    if token is not None and not isinstance(token, (str, Env)):
        raise TypeError(f"{_WHERE}: token is text or Env('HF_TOKEN'), not {type(token).__name__}")
    if isinstance(token, str) and not token.strip():
        raise ValueError(f"{_WHERE}: token is empty, so the stored login would be sent: omit it, or pass 'none'")
    check_text(f"{_WHERE}: provider", own["provider"])
    check_text(f"{_WHERE}: bill_to", own["bill_to"])
    _check_address(model_id, own["base_url"], own["provider"])
    _check_client(model_id, client, {**own, "transport": transport, "client_kwargs": client_kwargs})
    check_kind(_WHERE, "client_kwargs", client_kwargs, Mapping, "a dict of arguments of the SDK's client")
    kwargs: Mapping[str, Any] = client_kwargs or {}
    for sent in (own, kwargs):
        _check_pairs("headers", sent.get("headers"), (str, Env, type(None)))  # None: not to be sent
        _check_pairs("cookies", sent.get("cookies"), (str, Env))
    twice = [name for name in kwargs if name in _OURS or own.get(name) is not None]
    if twice:
        raise ValueError(f"{_WHERE}: client_kwargs: no {', '.join(twice)}; {twice[0]}= is an argument of the model")
    strange = kwargs.keys() - _TOLD
    if strange:
        raise ValueError(
            f"{_WHERE}: client_kwargs: {min(strange)!r} is no argument of the SDK's client; "
            "proxies and certificates are transport=HttpTransport(...)'s"
        )
    check_call(more, f"{_WHERE}: ")


def _check_address(model_id: str, base_url: str | None, provider: str | None) -> None:
    name, url = ("model_id", model_id) if is_address(model_id) else ("base_url", base_url)
    if url is None:
        return
    if base_url is not None and base_url != url:
        raise ValueError(f"{_WHERE}: model_id and base_url are two addresses; keep one")
    parts = parts_of(url)
    if parts is None or not is_address(url):
        raise ValueError(f"{_WHERE}: {name} is an address such as 'http://127.0.0.1:8080', not {url!r}")
    if parts.username or parts.password or any(map(is_secret, parse_qs(parts.query))):
        raise ValueError(f"{_WHERE}: {name} shows in messages, so no secret stands in it; use token= or headers=")
    if provider not in (None, "auto"):
        raise ValueError(f"{_WHERE}: requests go to {url}, and to no provider={provider!r}; keep one")


def _check_pairs(name: str, pairs: Any, kinds: tuple[type, ...]) -> None:
    check_kind(_WHERE, name, pairs, Mapping, "a dict")
    for key, value in (pairs or {}).items():
        if not isinstance(key, str) or not isinstance(value, kinds):
            raise TypeError(f"{_WHERE}: {name}: names and values are text, not those of {key!r}")


def _check_client(model_id: str, client: Any, own: Mapping[str, Any]) -> None:
    if client is None:
        return
    check_alone(_WHERE, "client", own)
    if not inspect.iscoroutinefunction(getattr(client, "chat_completion", None)):
        raise TypeError(f"{_WHERE}: client= takes a huggingface_hub.AsyncInferenceClient, not {type(client).__name__}")
    if client.model is not None and not is_address(client.model) and client.model != model_id:
        raise ValueError(f"{_WHERE}: client= is for {client.model!r}, and model_id is {model_id!r}; make them agree")


def is_address(text: str) -> bool:
    """To the SDK, which takes what begins in capitals for the name of a model."""
    return text.startswith(("http://", "https://"))
