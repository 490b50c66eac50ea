"""What each refusal of the Bedrock service means, and each exception: the transport's, and those of botocore.

Classes are named rather than imported, so that nothing of boto3 is needed to read the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from ...domain.error import ErrorKind, ModelError, Sent
from ...domain.frozen import FrozenDict
from ..chat import errors as chat_errors
from ..http.http_errors import HTTP, Meanings, meaning, without_quotes
from ..http.refusal import described, failure, is_ours, lacks, named, silent, words
from ..http.reply import Refused
from .rest_json import parsed
from .sdk import EXPIRED

_K, _S = ErrorKind, Sent

CODES: Final[Mapping[str, ErrorKind]] = named(
    {
        # docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, and CommonErrors.html beside it
        _K.PERMISSION: "AccessDeniedException AccessDenied NotAuthorized OptInRequired",
        _K.AUTHENTICATION: (
            "AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature InvalidClientTokenId "
            "InvalidSignatureException MissingAuthenticationToken MissingAuthenticationTokenException "
            "RequestExpired SignatureDoesNotMatch UnrecognizedClientException"
        ),
        _K.INVALID_REQUEST: "ConflictException ValidationError ValidationException",
        _K.SERVER: "InternalFailure InternalServerException ModelErrorException ModelStreamErrorException",
        _K.QUOTA_EXHAUSTED: "LimitExceededException ServiceQuotaExceededException",
        _K.OVERLOADED: "ModelNotReadyException ServiceUnavailable ServiceUnavailableException",
        _K.TIMEOUT: "ModelTimeoutException RequestTimeout RequestTimeoutException",
        _K.NOT_FOUND: "ResourceNotFoundException UnknownOperationException",
        _K.RATE_LIMITED: "Throttling ThrottlingException TooManyRequestsException",
    }
)
"""What the service's own word means; another one means what its HTTP status does."""

_WORDS: Final[tuple[tuple[ErrorKind, ErrorKind, re.Pattern[str]], ...]] = tuple(
    (general, kind, re.compile(words, re.IGNORECASE))
    for general, kind, words in (
        (
            _K.INVALID_REQUEST,
            _K.CONTEXT_WINDOW,
            r"too long|too many (input )?tokens|too many total|context (length|limit|window)|input tokens exceed",
        ),
        (_K.INVALID_REQUEST, _K.UNSUPPORTED, r"(doesn't|does not|n't|not) (yet )?support|unsupported"),
        (
            _K.INVALID_REQUEST,
            _K.NOT_FOUND,
            r"model identifier is invalid|invalid model|model .{0,80}(not found|end of its life)",
        ),
        (_K.INVALID_REQUEST, _K.CONTENT_FILTER, r"content (filter|polic)|blocked by"),
        (_K.PERMISSION, _K.AUTHENTICATION, r"api key|bearer token|authentication failed|security token"),
        (_K.RATE_LIMITED, _K.QUOTA_EXHAUSTED, r"per day"),
    )
)
# "Invocation of model ID ... with on-demand throughput isn't supported": it is there, under a profile's name.
_ON_DEMAND: Final = re.compile(r"on-demand throughput", re.IGNORECASE)

# Credentials that are missing, partial, expired, or can't be fetched.
_WITHOUT_CREDENTIALS: Final = (
    "NoCredentialsError NoAuthTokenError TokenRetrievalError UnknownTokenProviderError PartialCredentialsError "
    "CredentialRetrievalError UnknownCredentialError UnknownSignatureVersionError UnsupportedSignatureVersionError "
    "ProfileNotFound ConfigParseError ConfigNotFound InvalidConfigError RefreshWithMFAUnsupportedError "
    "MetadataRetrievalError InvalidIMDSEndpointError InvalidIMDSEndpointModeError SSOError LoginError"
)
EXCEPTIONS: Final[Meanings] = FrozenDict(
    {
        **HTTP,
        # kind None: by the service's own word, its message, and the status
        "modelport.Corrupt": (_K.MALFORMED_RESPONSE, _S.YES),
        "botocore.ClientError": (None, _S.YES),
        "modelport.Uncarried": (_K.AUTHENTICATION, _S.NO),
        "botocore.ParamValidationError": (_K.INVALID_REQUEST, _S.NO),
        "botocore.ReadTimeoutError": (_K.TIMEOUT, _S.PERHAPS),
        "botocore.ConnectTimeoutError": (_K.TIMEOUT, _S.NO),
        "botocore.ConnectionError": (_K.CONNECTION, _S.NO),  # EndpointConnectionError, SSLError, ProxyConnectionError
        "botocore.ConnectionClosedError": (_K.INTERRUPTED, _S.PERHAPS),
        "botocore.HTTPClientError": (_K.INTERRUPTED, _S.PERHAPS),
        "botocore.IncompleteReadError": (_K.INTERRUPTED, _S.YES),
        "botocore.ChecksumError": (_K.MALFORMED_RESPONSE, _S.YES),
        "botocore.FlexibleChecksumError": (_K.MALFORMED_RESPONSE, _S.YES),
        "botocore.ParserError": (_K.MALFORMED_RESPONSE, _S.YES),  # of an event stream
        "botocore.ResponseParserError": (_K.MALFORMED_RESPONSE, _S.YES),
        **{f"botocore.{name}": (_K.AUTHENTICATION, _S.NO) for name in _WITHOUT_CREDENTIALS.split()},
        "botocore.BaseEndpointResolverError": (_K.NOT_FOUND, _S.NO),  # NoRegionError is one
        "botocore.EndpointProviderError": (_K.NOT_FOUND, _S.NO),
        "botocore.InvalidEndpointConfigurationError": (_K.NOT_FOUND, _S.NO),
        "botocore.InvalidRegionError": (_K.NOT_FOUND, _S.NO),
        "botocore.UnknownRegionError": (_K.NOT_FOUND, _S.NO),
        "botocore.ServiceNotInRegionError": (_K.NOT_FOUND, _S.NO),
        "botocore.DataNotFoundError": (_K.MISSING_DEPENDENCY, _S.NO),  # a boto3 that doesn't know the service
        "botocore.UnsupportedServiceProtocolsError": (_K.MISSING_DEPENDENCY, _S.NO),
        "botocore.MissingDependencyException": (_K.MISSING_DEPENDENCY, _S.NO),  # such as awscrt, for some logins
        "botocore.MD5UnavailableError": (_K.MISSING_DEPENDENCY, _S.NO),
        "botocore.CapacityNotAvailableError": (_K.RATE_LIMITED, _S.NO),  # the client's own limiter
        "botocore.BotoCoreError": (_K.INVALID_REQUEST, _S.NO),
        "botocore.UndefinedModelAttributeError": (_K.MISSING_DEPENDENCY, _S.NO),
        "boto3.Boto3Error": (_K.INVALID_REQUEST, _S.NO),
        "urllib3.ConnectTimeoutError": (_K.TIMEOUT, _S.NO),
        "urllib3.NewConnectionError": (_K.CONNECTION, _S.NO),
        "urllib3.TimeoutError": (_K.TIMEOUT, _S.PERHAPS),  # ReadTimeoutError, in a stream
        "urllib3.DecodeError": (_K.MALFORMED_RESPONSE, _S.YES),
        "urllib3.HTTPError": (_K.INTERRUPTED, _S.PERHAPS),  # ProtocolError, IncompleteRead, ...
        "orjson.JSONDecodeError": (_K.MALFORMED_RESPONSE, _S.YES),
        "binascii.Error": (_K.MALFORMED_RESPONSE, _S.YES),
    }
)
"""By `package.Name`; a subclass that isn't here means what its nearest parent means."""

_NO_KEY: Final = (
    "there are no AWS credentials: pass aws_access_key_id=... and aws_secret_access_key=..., api_key=... (a Bedrock "
    "API key) or profile_name=..., or set AWS_BEARER_TOKEN_BEDROCK or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)
_NO_REGION: Final = "there is no region: pass region_name=... (such as 'us-east-1') or set AWS_DEFAULT_REGION"
_NO_STOPS: Final = " (declare it: capabilities=Capabilities(..., max_stops=0), and stops are enforced here instead)"
_UNSHOWN: Final = (
    "what was said isn't shown, because a key in it can't be recognized (see the warning `LibraryChanged`)"
)
_ADVICE: Final = {"NoCredentialsError": _NO_KEY, "NoAuthTokenError": _NO_KEY, "NoRegionError": _NO_REGION}


def translate(
    exception: BaseException,
    *,
    model_id: str | None = None,
    headers: Mapping[str, str] | None = None,
    secrets: Iterable[object] | None = (),
    now: float | None = None,
) -> ModelError:
    """The exception as an error; `secrets` are kept out of its message, and where they aren't known (None) all of it.

    `headers` are the answer's, where the exception doesn't hold them. Raises the exception again where the table
    doesn't know it, because it is then no failure of a provider.
    """
    known = _meaning(exception)
    if known is None:
        raise exception
    kind, sent = known
    status, answer_headers, code, message = _said(exception, headers or {})
    if kind is None:
        kind = kind_of(code, message, status)
    if kind is _K.UNSUPPORTED and "stopSequences" in message:
        message += _NO_STOPS
    if secrets is None and not _is_ours(exception):
        code, message = (code if code in CODES else ""), _UNSHOWN
    return failure(
        kind,
        message,
        sent=sent,
        provider="bedrock",
        model_id=model_id,
        headers=answer_headers,
        status=status,
        code=code,
        secrets=secrets or (),
        now=now,
    )


def kind_of(code: str, message: str, status: int | None = None) -> ErrorKind:
    """What kind of error it is, by the service's own word, its message, and the HTTP status.

    >>> kind_of("throttlingException", "Too many requests, please wait before trying again.")
    <ErrorKind.RATE_LIMITED: 'rate_limited'>
    """
    kind = CODES.get(code[:1].upper() + code[1:])  # events write it with a small letter
    if kind is None:
        kind = chat_errors.kind_of(status, None)
    if kind is _K.INVALID_REQUEST and _ON_DEMAND.search(message):
        return _K.NOT_FOUND
    for general, special, pattern in _WORDS:
        if kind is general and pattern.search(message):
            return special
    return kind


def _meaning(exception: BaseException) -> tuple[ErrorKind | None, Sent] | None:
    if isinstance(exception, RuntimeError) and str(exception).startswith(EXPIRED.name):
        return (_K.AUTHENTICATION, _S.NO)  # botocore has no class for it: they have expired all the same
    return meaning(exception, EXCEPTIONS)


def _is_ours(exception: BaseException) -> bool:
    return is_ours(exception) and type(exception).__name__ not in ("Refused", "Reported")


def _said(exception: BaseException, headers: Mapping[str, str]) -> tuple[int | None, Mapping[str, str], str, str]:
    """The status and the headers of the answer, the service's own word, and a message."""
    name = type(exception).__name__
    if isinstance(exception, Refused):
        return exception.status, exception.headers, *_refusal(exception)
    answer = getattr(exception, "response", None)
    if isinstance(answer, Mapping):  # a ClientError of botocore's
        about, error = answer.get("ResponseMetadata") or {}, answer.get("Error") or {}
        status = about.get("HTTPStatusCode")
        code, text = str(error.get("Code") or ""), words(error.get("Message"))
        if code.isdecimal():  # a gateway's answer: botocore puts the status in the place of a word
            code = ""
        return status, about.get("HTTPHeaders") or headers, code, text or code or silent(status)
    if name == "Reported":
        code, message = exception.args
        return None, headers, code, words(message) or code
    return None, headers, "", _message(exception)


def _refusal(refused: Refused) -> tuple[str, str]:
    """The word and the message of a refusal."""
    # docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
    status, headers = refused.status, refused.headers
    if 300 <= status < 400 and headers.get("location"):
        return "", f"HTTP status {status}: the address is now {headers['location']}, which isn't followed"
    try:
        body = parsed(refused.body)
    except ValueError:  # a gateway's
        return "", silent(status) if "html" in headers.get("content-type", "") else _text(refused.body) or silent(
            status
        )
    fields = body if isinstance(body, Mapping) else {}
    said = headers.get("x-amzn-errortype") or fields.get("__type") or fields.get("code") or fields.get("Code")
    code = said.partition(":")[0].rpartition("#")[2] if isinstance(said, str) else ""
    return code, words(fields.get("message") or fields.get("Message")) or code or silent(status)


def _text(body: bytes) -> str:
    return words(body.decode("utf-8", "replace"))


def _message(exception: BaseException) -> str:
    name = type(exception).__name__
    if name in _ADVICE:
        return _ADVICE[name]
    if isinstance(exception, ImportError):
        return lacks(exception, "bedrock")
    text = described(exception) or name
    return without_quotes(text) if name == "HTTPClientError" else text  # of a header, which may be a secret
