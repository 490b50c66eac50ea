"""An address: the query in it, and an error that says at which one it was met, without the secrets that it may hold."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs

from ...domain.error import ErrorKind, ModelError, Sent
from .arguments import parts_of

_OF_THE_PLACE: Final = frozenset({ErrorKind.CONNECTION, ErrorKind.NOT_FOUND})


def asked_at(error: ModelError, address: str | None) -> ModelError:
    """The error with the address in its message, where the address may be what is wrong.

    A 404 without a word of its own at an address that ends with its host asks whether /v1 is missing.

    >>> str(asked_at(ModelError("connection", "refused"), "http://me:secret@127.0.0.1:8000/v1/?key=secret").message)
    'http://127.0.0.1:8000/v1: refused'
    """
    parts = None if address is None else parts_of(address)
    unheard = error.kind is ErrorKind.TIMEOUT and error.sent is Sent.NO
    if parts is None or not (error.kind in _OF_THE_PLACE or unheard):
        return error
    host = parts.netloc.rpartition("@")[2]
    place = f"{parts.scheme}://{host}{parts.path}".rstrip("/")
    if place in error.message:
        return error
    question = f" (is it {place}/v1?)" if error.status == 404 and error.code is None and parts.path in ("", "/") else ""
    return attrs.evolve(error, message=f"{place}: {error.message}{question}")


def with_query(address: str, query: Mapping[str, Any]) -> str:
    """The address with this query in place of what it has of the same names; None is left out, a list is repeated.

    >>> with_query("http://127.0.0.1:8080/v1?region=eu", {"tier": "fast", "beta": True})
    'http://127.0.0.1:8080/v1?region=eu&tier=fast&beta=true'
    """
    if not query:
        return address
    pairs = tuple(
        (name, _text(each))
        for name, value in query.items()
        if value is not None
        for each in (value if isinstance(value, (list, tuple)) else [value])
    )
    return _with_pairs(address, pairs, tuple(query)) if pairs else address


def _text(value: Any) -> str | bytes:
    return value if isinstance(value, (str, bytes)) else str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=256)
def _with_pairs(address: str, pairs: tuple[tuple[str, str | bytes], ...], names: tuple[str, ...]) -> str:
    parts = urlsplit(address)
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in names]
    return parts._replace(query=urlencode([*kept, *pairs])).geturl()
