"""What each exception means that a call over this wire ends in: our own, the transport's, and those of the SDK.

The SDK's come from a client of it that was injected. All are named rather than imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.frozen import FrozenDict
from ..chat import errors as chat_errors
from ..http.http_errors import HTTP, Meanings
from ..http.http_errors import meaning as known
from ..http.keys import KeyUnavailable
from ..http.refusal import described, failure, lacks, moved, silent, words
from ..http.reply import Refused

_K, _S = ErrorKind, Sent

EXCEPTIONS: Final[Meanings] = FrozenDict(
    {
        **HTTP,
        # kind None: by the status and the body, as `chat.errors` reads them
        "openai.APIStatusError": (None, _S.YES),
        "openai.APIResponseValidationError": (_K.MALFORMED_RESPONSE, _S.YES),
        "openai.APITimeoutError": (_K.TIMEOUT, _S.PERHAPS),
        "openai.APIConnectionError": (_K.INTERRUPTED, _S.PERHAPS),  # unless its cause is below
        "openai.APIError": (None, _S.YES),  # an error in a stream
        "openai.OpenAIError": (_K.AUTHENTICATION, _S.NO),  # no credentials, or two that exclude each other
        "openai.LengthFinishReasonError": (_K.MALFORMED_RESPONSE, _S.YES),
        "openai.ContentFilterFinishReasonError": (_K.CONTENT_FILTER, _S.YES),
        "openai.SubjectTokenProviderError": (_K.AUTHENTICATION, _S.NO),
        "openai.InvalidWebhookSignatureError": (_K.MALFORMED_RESPONSE, _S.YES),
        "openai.WebSocketConnectionClosedError": (_K.INTERRUPTED, _S.PERHAPS),
        "openai.WebSocketQueueFullError": (_K.OVERLOADED, _S.NO),
        "modelport.KeyUnavailable": (_K.AUTHENTICATION, _S.NO),
        # of a function that fetches a token, such as azure-identity's
        "azure.ServiceRequestError": (_K.CONNECTION, _S.NO),
        "azure.ServiceResponseError": (_K.CONNECTION, _S.NO),
        "azure.AzureError": (_K.AUTHENTICATION, _S.NO),
    }
)
"""With those of the HTTP library beneath; a subclass that isn't here means what its nearest parent means."""

_REMEDIES: Final[Mapping[str, str]] = FrozenDict(
    {
        "stop": "declare it: capabilities=Capabilities(..., max_stops=0), and stops are enforced here instead",
        "max_tokens": "say whose deployment it is: base_model='gpt-5', and max_completion_tokens is sent",
        "max_completion_tokens": "say whose deployment it is: base_model='gpt-4o', and max_tokens is sent",
        "stream_options": "take it away: stream_options=OMIT, in the call or for every call; usage is unknown then",
    }
)
"""What to do about an argument that a model doesn't take; options are taken away."""

_OF_THE_REQUEST: Final = frozenset(
    {"functions", "messages", "model", "prompt", "response_format", "stream", "tool_choice", "tools"}
)
_WITH_CAUSE: Final = ("APIConnectionError", "APITimeoutError")
_OF_THE_NETWORK: Final = frozenset({_K.CONNECTION, _K.INTERRUPTED, _K.TIMEOUT})


def translate(
    exception: BaseException,
    *,
    model_id: str | None = None,
    provider: str = "openai",
    headers: Mapping[str, str] | None = None,
    secrets: Iterable[object] = (),
    now: float | None = None,
) -> ModelError:
    """The exception as an error; `secrets` are kept out of its message.

    `headers` are the answer's, where the exception doesn't hold them. Raises the exception again where the table
    doesn't know it, because it is then no failure of a provider.
    """
    meaning = known(exception, EXCEPTIONS)
    cause = exception.__cause__
    if cause is not None and type(exception).__name__ in _WITH_CAUSE:
        meaning = known(cause, EXCEPTIONS) or meaning
    if cause is not None and isinstance(exception, KeyUnavailable):
        of_fetching = known(cause, EXCEPTIONS)
        if of_fetching is not None and of_fetching[0] in _OF_THE_NETWORK:
            meaning = (_K.CONNECTION, _S.NO)
    if meaning is None:
        raise exception
    kind, sent = meaning
    status, answer_headers, body = _said(exception, headers or {})
    if kind is None:
        kind = chat_errors.kind_of(status, body)
    message = _message(exception, cause, body, status, answer_headers)
    if isinstance(body, Mapping):
        kind, message = _refused(kind, message, body.get("param"))
        message = chat_errors.with_filters(message, body)
    return failure(
        kind,
        message,
        sent=sent,
        provider=provider,
        model_id=model_id,
        headers=answer_headers,
        status=status,
        code=chat_errors.code_of(body),
        secrets=secrets,
        now=now,
        asked=chat_errors.retry_info(body),
    )


def _said(exception: BaseException, headers: Mapping[str, str]) -> tuple[int | None, Mapping[str, str], object]:
    """The status, the headers and the error object of a refusal, as far as there are any."""
    if isinstance(exception, Refused):
        return exception.status, exception.headers, chat_errors.error_in_body(exception.body, exception.headers)
    response: Any = getattr(exception, "response", None)
    body = chat_errors.error_in_list(getattr(exception, "error", None) or getattr(exception, "body", None))
    return getattr(response, "status_code", None), getattr(response, "headers", headers) or {}, body


def _refused(kind: ErrorKind, message: str, param: object) -> tuple[ErrorKind, str]:
    """What a refusal of one argument says, with its remedy."""
    if kind is _K.INVALID_REQUEST and "stream_options" in message:
        param = "stream_options"  # sent without being asked for; older versions of Azure's API name it in words alone
    if kind is _K.INVALID_REQUEST and "reasoning_content" in message:
        return kind, f"{message} (send it back: OpenAIModel(..., reasoning_name='reasoning_content'))"
    if not isinstance(param, str) or kind not in (_K.INVALID_REQUEST, _K.UNSUPPORTED):
        return kind, message
    if param in ("stop", "stream_options"):
        kind = _K.UNSUPPORTED
    remedy = _REMEDIES.get(param)
    if remedy is None and param.isidentifier() and param not in _OF_THE_REQUEST:
        remedy = f"take it away: {param}=OMIT in the call, or drop_options=[{param!r}] for every call"
    return kind, f"{message} ({remedy})" if remedy and kind is _K.UNSUPPORTED else message


def _message(
    exception: BaseException,
    cause: BaseException | None,
    body: object,
    status: int | None,
    headers: Mapping[str, str],
) -> str:
    told = moved(status, headers) or words(body)
    if told:
        return told
    if status is not None:
        return silent(status)
    if isinstance(exception, ImportError):
        return lacks(exception, "openai")
    return described(cause if type(exception).__name__ in _WITH_CAUSE and cause is not None else exception)
