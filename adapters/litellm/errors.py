"""What each exception of litellm means, and of what lies beneath it.

litellm makes one exception out of another: a refused connection becomes `InternalServerError`, with a status of 500
that nobody has sent. What it stands for is found beneath it: the provider's refusal, or what the network did. They are
named rather than imported.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.frozen import FrozenDict
from ..chat import errors as chat_errors
from ..http import http_errors
from ..http.refusal import failure, silent, words
from .sdk import (
    ALL_COOLING,
    BROKEN,
    FORBIDDEN,
    NO_HEALTHY,
    NO_PROVIDER,
    NONE_AVAILABLE,
    REPEATING,
)

_K, _S = ErrorKind, Sent

EXCEPTIONS: Final[http_errors.Meanings] = FrozenDict(
    {
        # These say more than the status of the refusal beneath them.
        "litellm.ContextWindowExceededError": (_K.CONTEXT_WINDOW, _S.YES),
        "litellm.ContentPolicyViolationError": (_K.CONTENT_FILTER, _S.YES),
        "litellm.PaymentRequiredError": (_K.QUOTA_EXHAUSTED, _S.YES),
        # Without a refusal or a fault of the network beneath them, litellm itself refuses: nothing was sent.
        "litellm.UnsupportedParamsError": (_K.UNSUPPORTED, _S.NO),
        "litellm.AuthenticationError": (_K.AUTHENTICATION, _S.NO),
        "litellm.PermissionDeniedError": (_K.PERMISSION, _S.NO),
        "litellm.NotFoundError": (_K.NOT_FOUND, _S.NO),
        "litellm.BadRequestError": (_K.INVALID_REQUEST, _S.NO),  # ImageFetchError, RejectedRequestError
        "litellm.InvalidRequestError": (_K.INVALID_REQUEST, _S.NO),
        "litellm.UnprocessableEntityError": (_K.INVALID_REQUEST, _S.NO),
        "litellm.BudgetExceededError": (_K.BUDGET_EXCEEDED, _S.NO),
        "litellm.RateLimitError": (_K.RATE_LIMITED, _S.NO),
        "litellm.RouterRateLimitError": (_K.CIRCUIT_OPEN, _S.NO),  # its deployments cool down
        "litellm.RouterRateLimitErrorBasic": (_K.CIRCUIT_OPEN, _S.NO),
        # Without any, it couldn't read the answer.
        "litellm.InternalServerError": (_K.MALFORMED_RESPONSE, _S.YES),
        "litellm.APIConnectionError": (_K.MALFORMED_RESPONSE, _S.PERHAPS),
        "litellm.APIError": (_K.MALFORMED_RESPONSE, _S.YES),
        "litellm.APIResponseValidationError": (_K.MALFORMED_RESPONSE, _S.YES),  # JSONSchemaValidationError
        "litellm.OpenAIError": (_K.MALFORMED_RESPONSE, _S.YES),
        # An error in the body of an answer under 200.
        "litellm.ServiceUnavailableError": (_K.OVERLOADED, _S.YES),
        "litellm.BadGatewayError": (_K.SERVER, _S.YES),
        "litellm.Timeout": (_K.TIMEOUT, _S.PERHAPS),
        "litellm.MidStreamFallbackError": (_K.INTERRUPTED, _S.PERHAPS),
    }
)
"""By `package.Name`; a subclass that isn't here means what its nearest parent means."""

BENEATH: Final[http_errors.Meanings] = FrozenDict(
    {
        **http_errors.HTTP,
        "openai.APITimeoutError": (_K.TIMEOUT, _S.PERHAPS),
        "openai.APIConnectionError": (_K.INTERRUPTED, _S.PERHAPS),
        "openai.APIError": (None, _S.YES),
        "openai.OpenAIError": (_K.AUTHENTICATION, _S.NO),  # no credentials
        "botocore.NoCredentialsError": (_K.AUTHENTICATION, _S.NO),
        "botocore.PartialCredentialsError": (_K.AUTHENTICATION, _S.NO),
        "aiohttp.ClientConnectorError": (_K.CONNECTION, _S.NO),
        "aiohttp.ConnectionTimeoutError": (_K.TIMEOUT, _S.NO),
        "aiohttp.ServerTimeoutError": (_K.TIMEOUT, _S.PERHAPS),
        "aiohttp.InvalidURL": (_K.INVALID_REQUEST, _S.NO),
        "aiohttp.ClientError": (_K.INTERRUPTED, _S.PERHAPS),
    }
)
"""The same for what lies beneath, httpx2 under the name of httpx; the deepest that is known counts."""

WORDS: Final = (
    (NO_PROVIDER, (_K.NOT_FOUND, _S.NO)),
    (NO_HEALTHY, (_K.NOT_FOUND, _S.NO)),
    (FORBIDDEN, (_K.INVALID_REQUEST, _S.NO)),  # a header that HTTP can't carry
    (REPEATING, (_K.SERVER, _S.YES)),
    (ALL_COOLING, (_K.CIRCUIT_OPEN, _S.NO)),
    (NONE_AVAILABLE, (_K.RATE_LIMITED, _S.NO)),
)
"""What litellm says in words alone."""

_SPECIFIC: Final = (_K.CONTEXT_WINDOW, _K.CONTENT_FILTER, _K.QUOTA_EXHAUSTED)
_SECRET_NAMES: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD")


def translate(
    exception: BaseException,
    *,
    model_id: str | None = None,
    secrets: Iterable[object] = (),
    outer: BaseException | None = None,
    now: float | None = None,
) -> ModelError:
    """The exception as an error, without these secrets and those of the environment.

    `outer` is what was being handled when the call began: it is no part of this story. Raises the exception again where
    it is no failure of a provider nor of litellm.
    """
    chain = tuple(_beneath(exception, outer))
    refusal = next(filter(_refuses, chain), None)
    response: Any = getattr(refusal, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    status: int | None = getattr(response, "status_code", None)
    body = _body(refusal)
    kind, sent = _meaning(exception, chain, refusal, status, body)
    failed = failure(
        kind,
        words(body) or _message(chain, status),
        sent=sent,
        provider="litellm",
        model_id=model_id,
        headers=headers,
        status=status,
        code=chat_errors.code_of(body),
        secrets=(*secrets, *_of_the_environment()),
        now=now,
    )
    cooldown = next(filter(_is_number, (getattr(each, "cooldown_time", None) for each in chain)), None)
    return failed if cooldown is None else attrs.evolve(failed, retry_after=float(cooldown))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _beneath(exception: BaseException, outer: BaseException | None) -> Iterator[BaseException]:
    """It, and all that it came from, the deepest last."""
    seen = {id(None), id(outer)}
    waiting: list[Any] = [exception]
    while waiting:
        each = waiting.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [getattr(each, "original_exception", None), each.__cause__, each.__context__]


def _package(exception: BaseException) -> str:
    return type(exception).__module__.partition(".")[0]


def _refuses(exception: BaseException) -> bool:
    """Whether it holds what the provider said; the responses in litellm's own exceptions are made up."""
    package, response = _package(exception), getattr(exception, "response", None)
    if package == "openai":  # an error in a stream has no response
        return response is not None or bool(getattr(exception, "body", None))
    return package in ("httpx", "httpx2") and response is not None


def _meaning(
    exception: BaseException, chain: tuple[BaseException, ...], refusal: object, status: int | None, body: object
) -> tuple[ErrorKind, Sent]:
    meanings = [http_errors.meaning(each, EXCEPTIONS) for each in chain if _package(each) == "litellm"]
    kind, sent = next(filter(None, meanings), (None, _S.PERHAPS))
    if kind is not None and kind in _SPECIFIC:
        return kind, sent
    if refusal is not None:
        return chat_errors.kind_of(status, body), _S.YES
    for inside, means in WORDS:
        if kind is not None and any(inside.name in str(each) for each in chain):
            return means
    for each in reversed(chain):
        beneath = http_errors.meaning(each, BENEATH) if _package(each) != "litellm" else None
        if beneath is not None:
            return beneath[0] or chat_errors.kind_of(None, body), beneath[1]
    if kind is not None:
        return (_K.INTERRUPTED, _S.PERHAPS) if _broke_a_stream(exception) else (kind, sent)
    if _package(exception) == "litellm" or _raised_in_litellm(exception):
        return _K.INVALID_REQUEST, _S.PERHAPS
    raise exception


def _broke_a_stream(exception: BaseException) -> bool:
    """Whether the Router has taken it out of the `MidStreamFallbackError` that held it, which is its cause now."""
    return getattr(exception.__cause__, "original_exception", None) is exception


def _raised_in_litellm(exception: BaseException) -> bool:
    trace = exception.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] == "litellm":
            return True
        trace = trace.tb_next
    return False


def _body(refusal: BaseException | None) -> object:
    if refusal is None:
        return None
    body = getattr(refusal, "body", None)  # openai has read it
    if not body:
        try:
            response: Any = getattr(refusal, "response", None)
            body = json.loads(response.content)
        except Exception:  # a stream that nobody has read, or no JSON
            return None
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        return body["error"]
    return body


# "litellm.RateLimitError: RateLimitError: OpenAIException - " and what it adds for those who debug it
_BEFORE: Final = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Timeout|Exception):\s*|\w+(?:Exception|Error) - )+")
_AFTER: Final = re.compile(
    r"\n\s*Traceback \(most|\n\s*LiteLLM: model group|\nDebug Information|This looks like a bug in LiteLLM"
    r"| Original exception: | Handle with `litellm| - timeout value=",
)


def provider_words(text: str) -> str:
    """What litellm says, without what it puts around it."""
    return words(_BEFORE.sub("", _AFTER.split(text, maxsplit=1)[0].strip()))


def _message(chain: tuple[BaseException, ...], status: int | None) -> str:
    for each in chain:
        if _package(each) == "modelport":
            return str(each)
        text = provider_words(str(each))
        if isinstance(each, ImportError):
            return f"{text}; pip install 'modelport[litellm]'"
        if text and text != f"{BROKEN.name}.":
            return text
    if status is not None:
        return silent(status)
    return " < ".join(type(each).__name__ for each in chain)


def _of_the_environment() -> list[str]:
    return [text for name, text in os.environ.items() if name.upper().endswith(_SECRET_NAMES) and len(text) >= 8]


def kind_noted(name: str, text: str) -> ErrorKind:
    """What an exception of litellm means of which only its name and its words are left."""
    if BROKEN.name in text:
        return _K.INTERRUPTED
    named = _NOTED.get(name) or (EXCEPTIONS.get(f"litellm.{name}") or (None, None))[0]
    return named or _K.SERVER


# Those that the Router has tried once more were the provider's, and not litellm's own.
_NOTED: Final[Mapping[str, ErrorKind]] = FrozenDict(
    {"InternalServerError": _K.SERVER, "APIError": _K.SERVER, "APIConnectionError": _K.INTERRUPTED}
)
