"""What may be passed to `AmazonBedrockModel`, checked where it is passed: the error names the place and the fix."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from ..http.arguments import address, check_alone
from ..http.http_errors import Unwritable
from ..process.secret import Env

Key = str | Env
"""A key or a token: its text, or the name of its variable."""

WHERE: Final = "AmazonBedrockModel"

_LONGEST: Final = 2e6  # seconds: some systems count milliseconds, in 32 bits
_UNHEEDED: Final = ("proxies_config", "tcp_keepalive")


def check_arguments(own: Mapping[str, Any], more: Mapping[str, Any]) -> None:
    """Raises ValueError or TypeError for arguments that don't fit; `own` are the adapter's."""
    timeout, client, session = more.get("timeout"), more.get("client"), own["session"]
    if timeout is not None and not isinstance(timeout, (int, float)):
        raise ValueError(f"{WHERE}: timeout is a positive number of seconds, or None, not {timeout!r}")
    if "max_concurrency" in more:
        raise ValueError(f"{WHERE}: no max_concurrency, since calls need no threads; with_concurrency(...) bounds them")
    _check_keys(own)
    if own["api_key"] is not None and (own["endpoint_url"] or "").lower().startswith("http:"):
        raise ValueError(f"{WHERE}: api_key is a bearer token, which anybody could read on its way; use https://")
    kwargs = more.get("client_kwargs")
    if client is not None:
        _check_methods("client", client, "converse", "converse_stream")
        check_alone(WHERE, "client", {**own, "timeout": timeout, "client_kwargs": kwargs})
    if session is not None:
        check_alone(WHERE, "session", {name: own[name] for name in ("profile_name", "api_key")})
        _check_methods("session", session, "client", "get_credentials")
    if isinstance(kwargs, Mapping):
        _check_kwargs(kwargs, own)
    address(own["endpoint_url"], f"{WHERE}: endpoint_url", example="http://127.0.0.1:4566", instead="")


def _check_kwargs(kwargs: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    twice = [name for name, value in own.items() if value is not None and name in kwargs]
    if twice:
        raise ValueError(f"{WHERE}: {twice[0]} stands in client_kwargs too; keep one")
    if kwargs.get("verify") is False:
        raise ValueError(f"{WHERE}: client_kwargs: verify=False isn't possible; verify='ca.pem' trusts a server's own")
    config = kwargs.get("config")
    try:
        check_config(config, f"{WHERE}: client_kwargs: config")
    except Unwritable as error:
        raise ValueError(str(error)) from None
    of_the_transport = {
        "verify": kwargs.get("verify"),
        **{f"config.{name}": getattr(config, name, None) for name in ("proxies", "client_cert")},
    }
    if own["transport"] is not None:
        check_alone(WHERE, "transport", of_the_transport)


def check_config(config: Any, where: str) -> None:
    """Raises `Unwritable` for a configuration of botocore with something that has no effect here."""
    for name in _UNHEEDED:
        if getattr(config, name, None):
            raise Unwritable(f"{where}: {name} has no effect here; transport=HttpTransport(...) says how to connect")


def seconds(timeout: Any) -> float | None:
    """What a timeout means as seconds. Raises `Unwritable`."""
    if timeout is None or isinstance(timeout, (int, float)) and timeout > 0:
        return None if timeout is None else min(timeout, _LONGEST)
    raise Unwritable(f"options: timeout is a positive number of seconds, or None, not {timeout!r}")


def _check_keys(own: Mapping[str, Any]) -> None:
    keys = {name: own[name] for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")}
    given = [name for name, key in keys.items() if key is not None]
    for name, key in {**keys, "api_key": own["api_key"]}.items():
        if key is not None and (not isinstance(key, (str, Env)) or not key):
            raise TypeError(f"{WHERE}: {name} is text or Env('NAME'), not {type(key).__name__}")
    if given and own["api_key"] is not None:
        raise ValueError(f"{WHERE}: api_key is sent in place of {', '.join(given)}; keep one of the two")
    if (keys["aws_access_key_id"] is None) != (keys["aws_secret_access_key"] is None) or given == ["aws_session_token"]:
        raise ValueError(f"{WHERE}: aws_access_key_id and aws_secret_access_key go together")


def _check_methods(name: str, value: Any, *members: str) -> None:
    methods = [getattr(value, member, None) for member in members]
    if not all(map(callable, methods)) or any(map(inspect.iscoroutinefunction, methods)):
        what = "a boto3.Session" if name == "session" else "boto3's client of bedrock-runtime"
        raise TypeError(f"{WHERE}: {name}= takes {what}, not {type(value).__name__}")
