"""Which options hold a secret, by their names; and how options are shown without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Names of options that hold a secret, without hyphens, underscores and capitals.
_SECRETS: Final = frozenset(
    {
        "accesskey",
        "accesskeyid",
        "accesstoken",
        "apikey",
        "apitoken",
        "auth",
        "authentication",
        "authorization",
        "authorizationtoken",
        "authtoken",
        "awsaccesskeyid",
        "awsbearertokenbedrock",
        "awssecretaccesskey",
        "awssessiontoken",
        "azureadtoken",
        "azureadtokenprovider",
        "bearertoken",
        "clientsecret",
        "cookie",
        "cookies",
        "credentials",
        "hftoken",
        "idtoken",
        "ocpapimsubscriptionkey",
        "openaiapikey",
        "password",
        "passwd",
        "privatekey",
        "proxyauthorization",
        "refreshtoken",
        "secret",
        "secretaccesskey",
        "secretkey",
        "sessiontoken",
        "setcookie",
        "subscriptionkey",
        "token",
        "useauthtoken",
        "vertexcredentials",
        "xaccesstoken",
        "xamzsecuritytoken",
        "xapikey",
        "xauthtoken",
        "xgoogapikey",
    }
)
# A mapping under one of these holds secrets under names of its own; under any other of the names above it is no secret
# but, say, the schema of an argument that is called `token`.
_JARS: Final = frozenset({"auth", "authentication", "cookies", "credentials", "vertexcredentials"})


def is_secret(name: object) -> bool:
    """Whether an option of this name holds a secret.

    >>> is_secret("X-API-Key"), is_secret("eos_token")
    (True, False)
    """
    return isinstance(name, str) and _bare(name) in _SECRETS


def without_secrets(value: Any, inside: str = "") -> Any:
    """The value without what stands under the names of secrets, at any depth."""
    if isinstance(value, Mapping):
        return {
            name: without_secrets(item, str(name))
            for name, item in value.items()
            if not is_secret(name) or (isinstance(item, Mapping) and _bare(name) not in _JARS)
        }
    if isinstance(value, (list, tuple)):
        headers = _bare(inside).endswith("headers")
        return [
            without_secrets(item, inside)
            for item in value
            if not (headers and isinstance(item, (list, tuple)) and item and is_secret(item[0]))
        ]
    return value


def shown(value: Any) -> str:
    """The repr of options, with `'***'` for text under the names of secrets, and for every header and cookie.

    >>> shown({"seed": 7, "extra_headers": {"x-team": "red"}})
    "{'seed': 7, 'extra_headers': {'x-team': '***'}}"
    """
    return repr(_starred(value, False))


def shown_as_arguments(options: Mapping[str, Any]) -> list[str]:
    """The same of each option, as it is written in a call.

    >>> shown_as_arguments({"seed": 7, "api_key": "sk-123"})
    ['seed=7', "api_key='***'"]
    """
    return [f"{name}={value!r}" for name, value in _starred(options, False).items()]


def _starred(value: Any, hidden: bool) -> Any:
    if isinstance(value, Mapping):
        return {name: _starred(item, hidden or is_secret(name) or _is_sent_along(name)) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_starred(item, hidden) for item in value]
    return "***" if hidden and isinstance(value, (str, bytes)) else value


def _is_sent_along(name: object) -> bool:
    return isinstance(name, str) and _bare(name).endswith(("headers", "cookies", "query"))


def _bare(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
