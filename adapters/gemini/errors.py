"""What each refusal of Gemini means, and each exception that a call over this wire ends in.

Exceptions are named rather than imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.frozen import FrozenDict
from ..chat import errors as chat_errors
from ..chat.answer import Reported
from ..http.http_errors import HTTP, Meanings, meaning
from ..http.keys import KeyUnavailable
from ..http.refusal import described, failure, lacks, moved, named, silent, words
from ..http.reply import Refused
from .answer import FAILURES, NoAnswer

_K, _S = ErrorKind, Sent

STATUSES: Final[Mapping[str, ErrorKind]] = named(
    {
        # cloud.google.com/apis/design/errors#handling_errors and ai.google.dev/gemini-api/docs/troubleshooting
        _K.AUTHENTICATION: "UNAUTHENTICATED",
        _K.INTERRUPTED: "CANCELLED",
        _K.INVALID_REQUEST: "ALREADY_EXISTS INVALID_ARGUMENT OUT_OF_RANGE",
        _K.NOT_FOUND: "NOT_FOUND",
        _K.OVERLOADED: "ABORTED UNAVAILABLE",
        _K.PERMISSION: "FAILED_PRECONDITION PERMISSION_DENIED",  # the former: no free tier in this country
        _K.RATE_LIMITED: "RESOURCE_EXHAUSTED",
        _K.SERVER: "DATA_LOSS INTERNAL UNKNOWN",
        _K.TIMEOUT: "DEADLINE_EXCEEDED",
        _K.UNSUPPORTED: "UNIMPLEMENTED",
    }
)
"""What Google's own word means; without one the HTTP status says it."""

REASONS: Final[Mapping[str, ErrorKind]] = named(
    {
        # cloud.google.com/service-infrastructure/docs/errors: google.rpc.ErrorInfo
        _K.AUTHENTICATION: (
            "ACCESS_TOKEN_EXPIRED ACCESS_TOKEN_TYPE_UNSUPPORTED ACCOUNT_STATE_INVALID API_KEY_INVALID "
            "CREDENTIALS_MISSING"
        ),
        _K.PERMISSION: (
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT API_KEY_ANDROID_APP_BLOCKED API_KEY_HTTP_REFERRER_BLOCKED "
            "API_KEY_IOS_APP_BLOCKED API_KEY_IP_ADDRESS_BLOCKED API_KEY_SERVICE_BLOCKED CONSUMER_INVALID "
            "CONSUMER_SUSPENDED SERVICE_DISABLED"
        ),
        _K.QUOTA_EXHAUSTED: "BILLING_DISABLED",
    }
)
"""What the reason among an error's details means, which says more than its word."""

_WORDS: Final[tuple[tuple[ErrorKind, ErrorKind, re.Pattern[str]], ...]] = tuple(
    (general, kind, re.compile(said, re.IGNORECASE))
    for general, kind, said in (
        (_K.INVALID_REQUEST, _K.AUTHENTICATION, r"api key (not valid|expired|not found)"),
        (_K.INVALID_REQUEST, _K.CONTEXT_WINDOW, r"token count.{0,40}exceeds|exceeds the maximum number of tokens"),
        (
            _K.INVALID_REQUEST,
            _K.UNSUPPORTED,
            r"(is|are) not (enabled|supported)|(doesn't|does not) support|unsupported",
        ),
        (_K.RATE_LIMITED, _K.QUOTA_EXHAUSTED, r"\blimit: 0\b|billing account|credits are depleted|spending cap"),
    )
)
_A_DAY: Final = re.compile(r"per_?day", re.IGNORECASE)

EXCEPTIONS: Final[Meanings] = FrozenDict(
    {
        **HTTP,
        "modelport.NoAnswer": (_K.CONTENT_FILTER, _S.YES),  # unless `FAILURES` knows its word
        "modelport.KeyUnavailable": (_K.AUTHENTICATION, _S.NO),
        # of a function that fetches a token: google-auth's
        "google.TransportError": (_K.CONNECTION, _S.NO),
        "google.GoogleAuthError": (_K.AUTHENTICATION, _S.NO),
    }
)
"""By `package.Name`; a subclass that isn't here means what its nearest parent means."""

_OF_THE_NETWORK: Final = frozenset({_K.CONNECTION, _K.INTERRUPTED, _K.TIMEOUT})


def translate(
    exception: BaseException,
    *,
    model_id: str | None = None,
    provider: str = "gemini",
    headers: Mapping[str, str] | None = None,
    secrets: Iterable[object] = (),
    now: float | None = None,
) -> ModelError:
    """The exception as an error; `secrets` are kept out of its message.

    `headers` are the answer's, where the exception doesn't hold them. Raises the exception again where the table
    doesn't know it, because it is then no failure of a provider.
    """
    meant = _meaning(exception)
    if meant is None:
        raise exception
    kind, sent = meant
    status, answer_headers, body = _said(exception, headers or {})
    if kind is None:
        kind = kind_of(status, body)
    return failure(
        kind,
        moved(status, answer_headers) or words(body) or _message(exception, status),
        sent=sent,
        provider=provider,
        model_id=model_id,
        headers=answer_headers,
        status=status,
        code=exception.word if isinstance(exception, NoAnswer) else _word(body),
        secrets=secrets,
        now=now,
        asked=chat_errors.retry_info(body),
    )


def kind_of(status: int | None, body: object) -> ErrorKind:
    """What kind of error a refusal is, by the `error` object in its body, and the HTTP status where that says nothing.

    >>> kind_of(400, {"code": 400, "status": "INVALID_ARGUMENT", "message": "API key not valid."})
    <ErrorKind.AUTHENTICATION: 'authentication'>
    """
    reason = next((kind for detail in _details(body) if (kind := REASONS.get(str(detail.get("reason"))))), None)
    if reason is not None:
        return reason
    kind = STATUSES.get(_word(body) or "") or chat_errors.kind_of(status, body)
    if kind is _K.RATE_LIMITED and any(map(_is_of_a_day, _details(body))):
        return _K.QUOTA_EXHAUSTED  # whatever seconds `RetryInfo` names beside it
    said = words(body)
    return next((special for general, special, told in _WORDS if kind is general and told.search(said)), kind)


def _is_of_a_day(detail: Mapping[str, Any]) -> bool:
    violations = detail.get("violations")
    named = violations if isinstance(violations, list) else ()
    return any(isinstance(each, Mapping) and _A_DAY.search(str(each.get("quotaId"))) for each in named)


def _details(body: object) -> Iterator[Mapping[str, Any]]:
    details = body.get("details") if isinstance(body, Mapping) else None
    yield from (each for each in (details if isinstance(details, list) else ()) if isinstance(each, Mapping))


def _word(body: object) -> str | None:
    word = body.get("status") if isinstance(body, Mapping) else None
    return word if isinstance(word, str) else chat_errors.code_of(body)


def _meaning(exception: BaseException) -> tuple[ErrorKind | None, Sent] | None:
    cause = exception.__cause__
    if isinstance(exception, KeyUnavailable) and cause is not None:
        of_fetching = meaning(cause, EXCEPTIONS)
        if of_fetching is not None and of_fetching[0] in _OF_THE_NETWORK:
            return (_K.CONNECTION, _S.NO)
    if isinstance(exception, NoAnswer) and exception.word in FAILURES:
        return (FAILURES[exception.word], _S.YES)
    return meaning(exception, EXCEPTIONS)


def _said(exception: BaseException, headers: Mapping[str, str]) -> tuple[int | None, Mapping[str, str], object]:
    """The status, the headers and the error object of a refusal, as far as there are any."""
    if isinstance(exception, Refused):
        return exception.status, exception.headers, chat_errors.error_in_body(exception.body, exception.headers)
    return None, headers, exception.error if isinstance(exception, Reported) else None


def _message(exception: BaseException, status: int | None) -> str:
    if status is not None:
        return silent(status)
    return lacks(exception, "gemini") if isinstance(exception, ImportError) else described(exception)
