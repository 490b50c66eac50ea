"""What each exception means that a call over huggingface_hub ends in: the SDK's, its HTTP library's, and our own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.frozen import FrozenDict
from ..chat import errors as chat_errors
from ..http.http_errors import HTTP, Meanings, meaning
from ..http.refusal import described, failure, lacks, moved, silent, words
from ..http.reply import Refused

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
    }
)
"""Kind None: by the status and the body, as `chat.errors` reads them."""

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
    status, answer_headers, error = _said(exception, headers or {})
    if kind is None:
        kind = chat_errors.kind_of(status, error)
    message = _message(exception, error, status, answer_headers)
    if isinstance(error, Mapping) and error.get("param") == "stop" and kind in (_K.UNSUPPORTED, _K.INVALID_REQUEST):
        kind, message = _K.UNSUPPORTED, message + _NO_STOPS
    failed = failure(
        kind,
        message,
        sent=sent,
        provider=provider,
        model_id=model_id,
        headers=answer_headers,
        status=status,
        code=chat_errors.code_of(error),
        secrets=[*secrets, _token_of(exception)],
        now=now,
        asked=chat_errors.retry_info(error),
    )
    window = (
        _WINDOW.search(answer_headers.get("ratelimit", "")) if status == 429 else None
    )  # it comes with every answer
    return attrs.evolve(
        failed,
        retry_after=float(window[1]) if failed.retry_after is None and window else failed.retry_after,
        request_id=failed.request_id or answer_headers.get("x-amz-cf-id"),
    )


def _said(exception: BaseException, headers: Mapping[str, str]) -> tuple[int | None, Mapping[str, str], object]:
    """The status, the headers and the error of a refusal, as far as there are any and they were read."""
    if isinstance(exception, Refused):
        return exception.status, exception.headers, chat_errors.error_in_body(exception.body, exception.headers)
    response: Any = getattr(exception, "response", None)
    if response is None:
        return None, headers, getattr(exception, "error", None)
    try:
        error = chat_errors.error_in_body(response.content, response.headers)
    except RuntimeError:  # it was never read
        error = None
    return response.status_code, response.headers, error


def _message(exception: BaseException, error: object, status: int | None, headers: Mapping[str, str]) -> str:
    if isinstance(exception, ImportError):
        return lacks(exception, "huggingface")
    text = moved(status, headers) or words(error) or words(headers.get("x-error-message"))
    return text or (described(exception) if status is None else silent(status))


def _token_of(exception: BaseException) -> str | None:
    try:
        asked: Any = getattr(getattr(exception, "response", exception), "request", None)
    except RuntimeError:  # it was never set
        return None
    headers: Mapping[str, str] = getattr(asked, "headers", None) or {}
    return headers.get("authorization")
