"""A query in an address."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit


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
