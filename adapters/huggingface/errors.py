"""What each exception means that a call over huggingface_hub ends in: the SDK's, its HTTP library's, and our own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...domain.error import ErrorKind, ModelError, Scope, Sent
from ...domain.frozen import FrozenDict
from ..chat import errors as chat_errors
from ..chat.json import parse
from ..http.http_errors import HTTP, Meanings, meaning, without_quotes
from ..process.secret import hidden

_K, _S = ErrorKind, Sent

EXCEPTIONS: Final[Meanings] = FrozenDict(
    {
        **HTTP,
        # The hub says where a model is served, before anything is sent there.
        "huggingface_hub.RepositoryNotFoundError": (_K.NOT_FOUND, _S.NO),
        "huggingface_hub.GatedRepoError": (_K.PERMISSION, _S.NO),
        "huggingface_hub.DisabledRepoError": (_K.PERMISSION, _S.NO),
        "huggingface_hub.HfHubHTTPError": (None, _S.NO),
        "huggingface_hub.OfflineModeIsEnabled": (_K.CONNECTION, _S.NO),
        "huggingface_hub.LocalTokenNotFoundError": (_K.AUTHENTICATION, _S.NO),
        "huggingface_hub.OIDCError": (_K.AUTHENTICATION, _S.NO),
        "huggingface_hub.DeviceCodeError": (_K.AUTHENTICATION, _S.NO),  # a login that can't be renewed
        "huggingface_hub.InferenceTimeoutError": (_K.TIMEOUT, _S.PERHAPS),
        "modelport.NoToken": (_K.AUTHENTICATION, _S.NO),
        "modelport.Unrouted": (_K.NOT_FOUND, _S.NO),
        "modelport.Unset": (_K.AUTHENTICATION, _S.NO),
        "modelport.Reported": (None, _S.YES),
        "modelport.Malformed": (_K.MALFORMED_RESPONSE, _S.YES),
        "modelport.Unsupported": (_K.UNSUPPORTED, _S.NO),
        "modelport.Unwritable": (_K.INVALID_REQUEST, _S.NO),
    }
)
"""Kind None: by the status and the body, as `chat_errors` reads them."""

_NO_STOPS: Final = " (declare it: capabilities=Capabilities(..., max_stops=0), and stops are enforced here instead)"
# The hub says when its window ends, as in `"api";r=0;t=55`: huggingface.co/docs/hub/rate-limits
_WINDOW: Final = re.compile(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)")


def translate(
    exception: BaseException,
    *,
    model_id: str | None = None,
    provider: str = "huggingface",
    headers: Mapping[str, str] | None = None,
    secrets: Iterable[str | None] = (),
    now: float | None = None,
) -> ModelError:
    """The exception as an error, without the secrets, nor the token that the request was sent with.

    `headers` are the answer's, where the exception doesn't hold them. Raises the exception again where the table
    doesn't know it, because it is then no failure of a provider.
    """
    known = meaning(exception, EXCEPTIONS)
    if known is None:
        raise exception
    kind, sent = known
    response: Any = getattr(exception, "response", None)
    status: int | None = getattr(response, "status_code", None)
    found: Mapping[str, str] = getattr(response, "headers", headers) or {}
    error = _said(response) if response is not None else getattr(exception, "error", None)
    if kind is None:
        kind = chat_errors.kind_of(status, error)
    message = _message(exception, error, status, found)
    if isinstance(error, Mapping) and error.get("param") == "stop" and kind in (_K.UNSUPPORTED, _K.INVALID_REQUEST):
        kind, message = _K.UNSUPPORTED, message + _NO_STOPS
    secrets = [*secrets, _token_of(exception)]
    return ModelError(
        kind,
        hidden(message, secrets),
        scope=chat_errors.SCOPES.get(kind, Scope.REQUEST),
        sent=sent,
        retry_after=_retry_after(found, time.time() if now is None else now, status),
        status=status,
        code=hidden(chat_errors.code_of(error) or "", secrets) or None,
        provider=provider,
        model_id=model_id,
        request_id=chat_errors.request_id(found) or found.get("x-amz-cf-id"),
    )


def _said(response: Any) -> object:
    """The error in the body of a refusal, as far as it was read."""
    try:
        body = response.content
    except RuntimeError:  # it was never read
        return None
    try:
        value = parse(body)
    except ValueError:
        text = body.decode("utf-8", "replace")
        return None if "html" in response.headers.get("content-type", "") else text
    return chat_errors.said(value) if isinstance(value, dict) else value


def _message(exception: BaseException, error: object, status: int | None, headers: Mapping[str, str]) -> str:
    said = chat_errors.words(error) or chat_errors.words(headers.get("x-error-message"))
    if said:
        return said
    if status is not None:
        return f"HTTP status {status}, and nothing else"
    if type(exception).__module__.startswith("modelport"):
        return str(exception)
    name, detail = type(exception).__name__, chat_errors.words(str(exception))
    if name == "LocalProtocolError":
        detail = without_quotes(detail)  # of the header, which may be a secret
    elif name == "UnicodeEncodeError":
        detail = "a token or a header has a character that HTTP can't carry"
    return f"{name}: {detail}" if detail else name


def _retry_after(headers: Mapping[str, str], now: float, status: int | None) -> float | None:
    seconds = chat_errors.retry_after(headers, now)
    if seconds is None and status == 429:  # these headers come with every answer of the hub
        window = _WINDOW.search(headers.get("ratelimit", ""))
        seconds = float(window[1]) if window else None
    return seconds


def _token_of(exception: BaseException) -> str | None:
    try:
        asked: Any = getattr(getattr(exception, "response", exception), "request", None)
    except RuntimeError:  # it was never set
        return None
    headers: Mapping[str, str] = getattr(asked, "headers", None) or {}
    return headers.get("authorization")
