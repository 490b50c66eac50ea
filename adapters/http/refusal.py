"""A call that failed as a `ModelError`: how much it concerns, when to try again, whom to ask, and no secret in it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.frozen import FrozenDict
from ..process.secret import hidden
from .http_errors import without_quotes

_K = ErrorKind

SCOPES: Final[Mapping[ErrorKind, Scope]] = MappingProxyType(
    {
        _K.AUTHENTICATION: Scope.ACCOUNT,
        _K.QUOTA_EXHAUSTED: Scope.ACCOUNT,
        _K.PERMISSION: Scope.MODEL,
        _K.NOT_FOUND: Scope.MODEL,
        _K.RATE_LIMITED: Scope.MODEL,
        _K.OVERLOADED: Scope.MODEL,
        _K.CIRCUIT_OPEN: Scope.MODEL,
    }
)
"""How much a kind of refusal concerns; another concerns its request alone."""


def named(kinds: Mapping[ErrorKind, str]) -> Mapping[str, ErrorKind]:
    """A table by a provider's own words, out of one by what they mean, with blanks between the words."""
    return FrozenDict({name: kind for kind, names in kinds.items() for name in names.split()})


def failure(
    kind: ErrorKind,
    message: str,
    *,
    sent: Sent,
    provider: str,
    model_id: str | None,
    headers: Mapping[str, str],
    status: int | None = None,
    code: str | None = None,
    secrets: Iterable[object] = (),
    now: float | None = None,
    asked: float | None = None,
) -> ModelError:
    """The error, without the secrets; what the answer's headers say of it is read from them.

    `asked` are the seconds to wait that its body asks for, where no header does.
    """
    secrets = tuple(secrets)
    of_the_headers = retry_after(headers, time.time() if now is None else now)
    return ModelError(
        kind,
        hidden(message, secrets),
        scope=SCOPES.get(kind, Scope.REQUEST),
        sent=sent,
        retry_after=asked if of_the_headers is None else of_the_headers,
        should_retry=should_retry(headers),
        status=status,
        code=hidden(code or "", secrets) or None,
        provider=provider,
        model_id=model_id,
        request_id=request_id(headers),
    )


def described(exception: BaseException) -> str:
    """What an exception says, in one line, without what it quotes of a header, which may be a secret."""
    if is_ours(exception):
        return str(exception)
    # why aiohttp couldn't connect
    for beneath in ("certificate_error", "os_error"):
        cause = getattr(exception, beneath, None)
        if isinstance(cause, Exception):
            return described(cause)
    name = type(exception).__name__
    if hasattr(exception, "request_info"):  # of aiohttp: its text has the address, with its query
        detail = without_quotes(words(getattr(exception, "message", None)))
    else:
        detail = words(str(exception))
    if name == "LocalProtocolError":
        detail = without_quotes(detail)
    elif name == "UnicodeEncodeError":
        detail = "a key or a header has a character that HTTP can't carry"
    return f"{name}: {detail}" if detail else name


def silent(status: int | None) -> str:
    """What to say of a refusal without words."""
    return f"HTTP status {status}, and nothing else"


def moved(status: int | None, headers: Mapping[str, str]) -> str | None:
    """What to say of a redirect, which isn't followed: a question and its secrets don't go elsewhere."""
    if status is None or not 300 <= status < 400 or not headers.get("location"):
        return None
    return f"HTTP status {status}: the address is now {headers['location']}, which isn't followed"


def is_ours(exception: BaseException) -> bool:
    """Whether its words are our own."""
    return type(exception).__module__.startswith("modelport")


def lacks(exception: ImportError, extra: str) -> str:
    """What is missing, and how to get it.

    A module has a name; what a library says without one names what it lacks, such as httpx without socksio.
    """
    return f"{exception}; pip install 'modelport[{extra}]'" if exception.name else str(exception)


def words(body: object) -> str:
    """What a refusal says, in one line of at most 300 characters, or an empty text."""
    if isinstance(body, Mapping):
        for name in ("message", "detail", "error"):
            if body.get(name):
                return words(body[name])
        return words(str(dict(body))) if body else ""
    text = " ".join(body.split()) if isinstance(body, str) else "" if body is None else str(body)
    return text if len(text) <= 300 else text[:297] + "..."


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Whether the provider says that it is of use to try again: OpenAI's and Anthropic's `x-should-retry`."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", "").strip().lower())


def request_id(headers: Mapping[str, str]) -> str | None:
    """The id under which the provider's support finds the request."""
    for name in ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid"):
        if headers.get(name):
            return headers[name]
    return None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """How many seconds the provider asks to wait: `retry-after-ms`, or `retry-after` as seconds or as a date.

    A date is read against the answer's own `date`, so that a wrong clock here does no harm; else against `now`, in
    seconds since 1970.

    >>> retry_after({"retry-after-ms": "1500"}, 0.0)
    1.5
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    until = _date(text)
    if until is None:
        return None
    sent = _date(headers.get("date"))
    return max(0.0, until - (now if sent is None else sent))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value >= 0 and math.isfinite(value) else None


def _date(text: str | None) -> float | None:
    """Seconds since 1970; a date without a zone, as `asctime` writes it, is UTC."""
    try:
        date = parsedate_to_datetime(text or "")
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
