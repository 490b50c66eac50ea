"""What each failure of a call over the Messages wire means: by its code, its words and its HTTP status."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.frozen import FrozenDict
from ..chat import errors as chat_errors
from ..http.http_errors import HTTP, Meanings, meaning
from ..http.keys import KeyUnavailable
from ..http.refusal import described, failure, lacks, moved, named, silent, words
from ..http.reply import Refused

_K, _S = ErrorKind, Sent

EXCEPTIONS: Final[Meanings] = FrozenDict({**HTTP, "modelport.KeyUnavailable": (_K.AUTHENTICATION, _S.NO)})
"""By `package.Name`; a subclass that isn't here means what its nearest parent means."""

CODES: Final[Mapping[str, ErrorKind]] = named(
    {
        # The `error_code` of an error's details, in Anthropic's own SDK; its `type` is among those of `chat.errors`.
        _K.QUOTA_EXHAUSTED: (
            "contract_spend_limit_reached enforced_spend_limit_reached linked_organization_spend_limit_reached "
            "linked_organization_billing_unavailable"
        ),
        _K.PERMISSION: "organization_on_hold",
        _K.RATE_LIMITED: "ramp_limit_exceeded",
    }
)
"""What the code of an error's details means."""

# What Anthropic says in words alone, as an `invalid_request_error`.
_WORDS: Final[tuple[tuple[ErrorKind, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (_K.QUOTA_EXHAUSTED, r"credit balance is too low|reached your specified .{0,20}usage limits"),
        (_K.CONTENT_FILTER, r"blocked by content filtering policy"),
        (
            _K.UNSUPPORTED,
            r"extra inputs are not permitted|is deprecated for this model|not supported\b|does(n't| not) support",
        ),
    )
)
# `temperature` is deprecated for this model. / temperature: Extra inputs are not permitted
_OPTION: Final = re.compile(r"^`?([a-z_]+)`?(?:: Extra inputs are not permitted| is deprecated for this model)")


def translate(
    exception: BaseException,
    *,
    model_id: str | None = None,
    provider: str = "anthropic",
    headers: Mapping[str, str] | None = None,
    secrets: Iterable[object] = (),
    now: float | None = None,
) -> ModelError:
    """The exception as an error; `secrets` are kept out of its message.

    `headers` are the answer's, where the exception doesn't hold them. Raises the exception again where the table
    doesn't know it, because it is then no failure of a provider.
    """
    known = meaning(exception, EXCEPTIONS)
    if known is None:
        raise exception
    kind, sent = known
    if isinstance(exception, KeyUnavailable) and exception.__cause__ is not None:
        of_fetching = meaning(exception.__cause__, EXCEPTIONS)
        kind = _K.CONNECTION if of_fetching is not None and of_fetching[0] in _OF_THE_NETWORK else kind
    status, headers, error = _said(exception, headers or {})
    if kind is None:
        kind = kind_of(status, error)
    return failure(
        kind,
        _message(exception, kind, error, status, headers),
        sent=sent,
        provider=provider,
        model_id=model_id,
        headers=headers,
        status=status,
        code=_code(error) or chat_errors.code_of(error),
        secrets=secrets,
        now=now,
    )


_OF_THE_NETWORK: Final = frozenset({_K.CONNECTION, _K.INTERRUPTED, _K.TIMEOUT})


def kind_of(status: int | None, error: object) -> ErrorKind:
    """What kind of error a refusal is, by its status and the `error` object (or text) in its body.

    >>> kind_of(None, {"type": "overloaded_error", "message": "Overloaded"})
    <ErrorKind.OVERLOADED: 'overloaded'>
    """
    by_code = CODES.get(_code(error) or "")
    if by_code is not None:
        return by_code
    kind = chat_errors.kind_of(status, error)
    if kind is _K.INVALID_REQUEST:
        said = words(error)
        return next((meant for meant, pattern in _WORDS if pattern.search(said)), kind)
    return kind


def _code(error: object) -> str | None:
    details = error.get("details") if isinstance(error, Mapping) else None
    code = details.get("error_code") if isinstance(details, Mapping) else None
    return code if isinstance(code, str) else None


def _said(exception: BaseException, headers: Mapping[str, str]) -> tuple[int | None, Mapping[str, str], object]:
    """The status, the headers and the error object of a refusal, as far as there are any."""
    if isinstance(exception, Refused):
        return exception.status, exception.headers, chat_errors.error_in_body(exception.body, exception.headers)
    return None, headers, getattr(exception, "error", None)


def _message(
    exception: BaseException, kind: ErrorKind, error: Any, status: int | None, headers: Mapping[str, str]
) -> str:
    told = moved(status, headers) or words(error)
    if told:
        option = _OPTION.match(told) if kind is _K.UNSUPPORTED else None
        if option is None:
            return told
        name = option[1]
        return f"{told} (take it away: {name}=OMIT in the call, or drop_options=[{name!r}] for every call)"
    if status is not None:
        return silent(status)
    return lacks(exception, "anthropic") if isinstance(exception, ImportError) else described(exception)
