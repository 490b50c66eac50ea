"""Through which proxy an address is reached, by the environment: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from ..process.environment import Variables

Read = Callable[[str], str | None]

_LOWER: Final = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_NAMES: Final = (*_LOWER, *(name.upper() for name in _LOWER), "REQUEST_METHOD")
_VARIABLES: Final = Variables(*_NAMES)


def proxy_now(address: str) -> str | None:
    """The proxy that the environment, as it is now, names for this address; None where it is reached directly."""
    return _proxy(address, _VARIABLES.read())


@lru_cache(maxsize=256)
def _proxy(address: str, texts: tuple[str | None, ...]) -> str | None:
    return proxy_for(address, dict(zip(_NAMES, texts, strict=True)).get)


def proxy_for(address: str, read: Read) -> str | None:
    """The proxy that the environment names for this address; None where it is reached directly.

    >>> proxy_for("https://api.openai.com/v1", {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": "localhost,.intern"}.get)
    'http://proxy:3128'
    """
    scheme = address.partition(":")[0]
    proxy = _named(scheme, read) or _named("all", read)
    if not proxy:
        return None
    parts = urlsplit(address)
    if _excepted(parts.hostname or "", parts.port, _named("no", read)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _named(what: str, read: Read) -> str:
    name = f"{what}_proxy"
    if what == "http" and read("REQUEST_METHOD"):  # of CGI, where HTTP_PROXY is whatever a client sent as `Proxy:`
        return read(name) or ""
    return read(name) or read(name.upper()) or ""


def _excepted(host: str, port: int | None, exceptions: str) -> bool:
    return any(_matches(host, port, each.strip().lower()) for each in exceptions.split(",") if each.strip())


def _matches(host: str, port: int | None, exception: str) -> bool:
    """Whether the host is the one that is named, lies within that domain, or within that network."""
    if exception == "*":
        return True
    if "/" in exception:
        try:
            return ip_address(host) in ip_network(exception, strict=False)
        except ValueError:  # the one is a name, or the other is no network
            return False
    name, _, number = exception.rpartition(":") if exception.count(":") == 1 else (exception, "", "")
    if number and number != str(port):
        return False
    name = name.strip("[]").lstrip(".")
    return host == name or host.endswith(f".{name}")
