"""What may be passed to a model whose client is the OpenAI SDK's, checked where it is passed. It knows no SDK.

What is wrong raises TypeError or ValueError with the place and the fix. The options of a call come later than a model
is made, and so make an error of `invalid_request`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

from ...domain.capability import Capabilities
from ...domain.facts import max_stops
from ...domain.frozen import freeze_mapping
from ...domain.option import canonical
from ...domain.preparation import as_role_conversions
from ..chat.options import check_call
from ..http.arguments import check, check_kind, check_text
from ..process.limiter import Limiter
from ..process.secret import Env

Key = str | Env | Callable[[], str | Awaitable[str]]
"""A key or a token: its text, the name of its variable, or a function, sync or async, that gives it for each call."""

TIMEOUT: Final = 600.0
"""The seconds of silence that are borne where nobody says another number."""

# The server would be sent them, and with them what they hold.
_OF_THE_CLIENT: Final = frozenset(
    {"azure_ad_token", "azure_ad_token_provider", "azure_deployment", "default_headers", "default_query", "http_client"}
)
_KEYS: Final = frozenset({"api_key", "azure_ad_token", "azure_ad_token_provider"})


def settings(
    where: str,
    model_id: str,
    base_model: str | None,
    timeout: Any,
    client: Any,
    client_kwargs: Mapping[str, Any] | None,
    capabilities: Capabilities | None,
    drop_options: str | Iterable[str],
    requests_per_minute: float | Limiter | None,
    custom_role_conversions: Mapping[str, str] | None,
    flatten_messages_as_text: bool,
    options: Mapping[str, Any],
    own: Mapping[str, Any],
) -> dict[str, Any]:
    """The fields that every model of this wire has, checked; `own` are the arguments that a client brings itself."""
    check(where, model_id, timeout)
    for name, value in {**own, "base_model": base_model}.items():
        check_text(f"{where}: {name}", value, is_key=name in _KEYS)
    check_kind(where, "capabilities", capabilities, Capabilities, "Capabilities(...)")
    check_kind(where, "client_kwargs", client_kwargs, Mapping, "a dict of arguments of the SDK's client")
    check_kind(where, "flatten_messages_as_text", flatten_messages_as_text, bool, "True or False")
    kwargs = freeze_mapping(client_kwargs or {})
    for name in ("default_headers", "default_query"):
        check_kind(where, f"client_kwargs[{name!r}]", kwargs.get(name), Mapping, "a dict")
    if "max_retries" in {**kwargs, **options}:
        raise ValueError(f"{where}: no max_retries; an adapter makes one attempt: with_retry(...)")
    misplaced = _OF_THE_CLIENT & options.keys()
    if misplaced:
        raise ValueError(f"{where}: {min(misplaced)} is no option of a call; pass it in client_kwargs={{...}}")
    twice = [name for name, value in own.items() if value is not None and name in kwargs]
    if twice:
        raise ValueError(f"{where}: {twice[0]} stands in client_kwargs too; keep one")
    if client is not None:
        told = None if timeout == TIMEOUT else timeout
        _check_client(where, client, {**own, "timeout": told, "client_kwargs": client_kwargs})
    given = canonical(options, where)
    check_call({"timeout": timeout, **given}, f"{where}: ")
    return {
        "model_id": model_id,
        "base_model": base_model,
        "timeout": timeout,
        "client": client,
        "client_kwargs": kwargs,
        "capabilities": capabilities if capabilities is not None else _capabilities(base_model or model_id),
        "drop_options": _dropped(where, drop_options),
        "requests_per_minute": requests_per_minute,
        "custom_role_conversions": as_role_conversions(custom_role_conversions, where),
        "flatten_messages_as_text": flatten_messages_as_text,
        "options": given,
    }


def _check_client(where: str, client: Any, brought: Mapping[str, Any]) -> None:
    said = [name for name, value in brought.items() if value is not None]
    if said:
        raise ValueError(f"{where}: client= brings its own {', '.join(said)}; leave them out")
    if not inspect.iscoroutinefunction(getattr(client, "post", None)):
        kinds = "openai.AsyncOpenAI or AsyncAzureOpenAI"
        raise TypeError(f"{where}: client= takes an {kinds}, not {type(client).__name__}")


def _dropped(where: str, names: str | Iterable[str]) -> tuple[str, ...]:
    given = (names,) if isinstance(names, str) or not isinstance(names, Iterable) else tuple(names)
    if not all(isinstance(name, str) for name in given):
        raise TypeError(f"{where}: drop_options is a list of names such as ['temperature'], not {names!r}")
    return tuple(next(iter(canonical({name: None}, f"{where}: drop_options"))) for name in given)


def _capabilities(model_id: str) -> Capabilities:
    limit = max_stops(model_id)
    return Capabilities(
        tools=True,
        images=True,
        audio=True,
        documents=True,
        json_object=True,
        json_schema=True,
        max_stops=4 if limit is None else limit,  # platform.openai.com/docs/api-reference/chat/create#stop
    )
