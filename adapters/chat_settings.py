"""What may be passed to a model whose client is the OpenAI SDK's, checked where it is passed. It knows no SDK.

What is wrong raises TypeError or ValueError with the place and the fix. The options of a call come later than a model
is made, and so make an error of `invalid_request`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ..domain.capability import Capabilities
from ..domain.facts import max_stops
from ..domain.frozen import freeze_mapping
from ..domain.option import OMIT, canonical
from ..domain.preparation import as_role_conversions
from .api_model import check
from .chat_completions import Unwritable
from .limiter import Limiter
from .secret import Env

Key = str | Env | Callable[[], str | Awaitable[str]]
"""A key or a token: its text, the name of its variable, or a function, sync or async, that gives it for each call."""

TIMEOUT: Final = 600.0
"""The seconds of silence that are borne where nobody says another number."""

CHECKED: Final = frozenset({"extra_body", "extra_headers", "extra_query", "timeout"})
"""The options that `check_call` looks at."""

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


def address(given: str | None, where: str) -> str | None:
    """An address that may be shown. Raises ValueError, naming the argument, for one that is none."""
    if given is None:
        return None
    secret = more = False
    try:
        parts = urlsplit(given)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        secret, more = bool(parts.username or parts.password), bool(parts.query or parts.fragment)
    except (ValueError, AttributeError, TypeError):
        good = False
    if secret:
        raise ValueError(f"{where} shows in messages, so no password stands in it; use api_key=")
    if more:
        raise ValueError(f"{where} ends with its path; a query goes into client_kwargs={{'default_query': {{...}}}}")
    if not good:
        raise ValueError(f"{where} is an address such as 'http://127.0.0.1:8000/v1', not {given!r}")
    return given


def check_text(where: str, value: object, *, is_key: bool = False) -> None:
    """Raises TypeError for an argument that is neither text nor None, nor what else may stand for a key."""
    if value is None or isinstance(value, str):
        return
    if not is_key:
        raise TypeError(f"{where} is text, not {value!r}")
    if not isinstance(value, Env) and not callable(value):
        raise TypeError(f"{where} is text, Env('NAME') or a function, not {type(value).__name__}")


def check_call(options: Mapping[str, Any], where: str = "") -> None:
    """Raises `Unwritable`, a ValueError, for arguments of the SDK that it can't send."""
    for name in ("extra_headers", "extra_query", "extra_body"):
        value = options.get(name)
        if value is not None and value is not OMIT and not isinstance(value, Mapping):
            raise Unwritable(f"{where}{name} is a dict, not {type(value).__name__}")
    headers = options.get("extra_headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        if not isinstance(name, str) or not isinstance(value, (str, Env)):
            raise Unwritable(f"{where}extra_headers: names and values are text, not those of {name!r}")
    seconds = options.get("timeout")
    if isinstance(seconds, (str, bytes, bool)) or (isinstance(seconds, (int, float)) and not seconds > 0):
        raise Unwritable(f"{where}timeout is a positive number of seconds, or None, not {seconds!r}")


def check_kind(where: str, name: str, value: object, kind: type, words: str) -> None:
    """Raises TypeError for an argument that is neither of this kind nor None."""
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{where}: {name} is {words}, not {value!r}")


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
