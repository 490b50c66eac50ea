"""What a chat-completions server's refusal means, whoever carried it: by its code, its HTTP status and its words.

Azure, Hugging Face and every other server of this wire share it. It knows no SDK.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from ...domain.error import ErrorKind
from ..http.refusal import named, words
from .json import parse
from .raw import filtered_by

_K = ErrorKind

STATUS: Final[Mapping[int, ErrorKind]] = MappingProxyType(
    {
        400: _K.INVALID_REQUEST,
        401: _K.AUTHENTICATION,
        402: _K.QUOTA_EXHAUSTED,
        403: _K.PERMISSION,
        404: _K.NOT_FOUND,
        405: _K.NOT_FOUND,
        408: _K.TIMEOUT,
        409: _K.OVERLOADED,
        410: _K.NOT_FOUND,
        413: _K.CONTEXT_WINDOW,
        422: _K.INVALID_REQUEST,
        424: _K.SERVER,  # TGI: the generation failed
        425: _K.OVERLOADED,
        429: _K.RATE_LIMITED,
        451: _K.CONTENT_FILTER,
        500: _K.SERVER,
        501: _K.UNSUPPORTED,
        502: _K.SERVER,
        503: _K.OVERLOADED,
        504: _K.TIMEOUT,
        522: _K.TIMEOUT,
        524: _K.TIMEOUT,
        529: _K.OVERLOADED,
    }
)
"""What a status means; another 3xx is `not_found`, another 4xx `invalid_request`, another 5xx `server`."""

CODES: Final[Mapping[str, ErrorKind]] = named(
    {
        # platform.openai.com/docs/guides/error-codes, with what OpenAI's Responses API (`ResponseError` of its SDK),
        # Azure, vLLM, Groq, OpenRouter, Hugging Face and TGI add
        _K.CONTEXT_WINDOW: "context_length_exceeded request_too_large",
        _K.CONTENT_FILTER: (
            "content_filter content_policy_violation responsibleaipolicyviolation invalid_prompt bio_policy "
            "misalignment_policy_violation image_content_policy_violation"
        ),
        _K.QUOTA_EXHAUSTED: "insufficient_quota billing_hard_limit_reached billing_not_active billing_error",
        _K.RATE_LIMITED: "rate_limit_exceeded rate_limit_error",
        _K.AUTHENTICATION: "invalid_api_key authentication_error",
        _K.PERMISSION: "unsupported_country_region_territory permission_error",
        _K.NOT_FOUND: "model_not_found deploymentnotfound not_found_error model_not_supported",
        _K.UNSUPPORTED: "unsupported_parameter unsupported_value unknown_parameter",
        _K.INVALID_REQUEST: (
            "invalid_request_error badrequesterror validation data_residency_mismatch previous_response_not_found "
            "invalid_encrypted_content invalid_image invalid_image_format invalid_base64_image invalid_image_url "
            "image_too_large image_too_small image_parse_error invalid_image_mode image_file_too_large "
            "unsupported_image_media_type empty_image_file failed_to_download_image image_file_not_found"
        ),
        _K.OVERLOADED: "slow_down overloaded overloaded_error service_unavailable",
        _K.TIMEOUT: "timeout timeout_error vector_store_timeout",
        _K.MALFORMED_RESPONSE: "tool_use_failed json_validate_failed",  # Groq: what the model wrote can't be read
        _K.SERVER: (
            "server_error internal_error internal_server_error internalservererror api_error generation "
            "incomplete_generation"
        ),
    }
)
"""What the provider's own word means, in lower case."""

# A status says more than these words, which servers use for many things.
_VAGUE: Final = frozenset({_K.INVALID_REQUEST, _K.SERVER})
# What the words of a refusal may say better; a 404 may be of what the model can't, as mlx_lm's server has it.
_SAYS_LITTLE: Final = frozenset({None, *_VAGUE, _K.NOT_FOUND})

# What servers say in words alone, each maker in his own; the first that fits counts.
_WORDS: Final[tuple[tuple[ErrorKind, re.Pattern[str]], ...]] = tuple(
    (kind, re.compile("|".join(patterns), re.IGNORECASE))
    for kind, *patterns in (
        (
            _K.CONTEXT_WINDOW,
            r"(maximum|exceeds?|longer than|available) .{0,60}?context",  # OpenAI, vLLM, llama.cpp
            r"context (length|window|size) .{0,40}exceed",  # llama.cpp, SGLang
            r"exceeds? the maximum number of tokens",  # Google
            r"(input|prompt) is too long",  # Bedrock, Anthropic
            r"inputs?`? tokens .{0,30}must be|must have less than \d+ tokens",  # TGI
            r"max_tokens\b.{0,40}(greater|larger|more) than .{0,30}max_model_len",  # vLLM
            r"too many (input )?tokens|reduce the length of the (messages|prompt|input)",  # OpenAI, Cohere
        ),
        (
            _K.NOT_FOUND,
            r"invalid model name",  # LiteLLM
            r"pinned to .{0,80}requested",  # transformers serve
            r"model\b.{0,80}\b(does not exist|not found|is not available|isn't available)",  # vLLM, Ollama
        ),
        (
            _K.UNSUPPORTED,
            r"(image|audio|video|multimodal) (inputs?|content) (is|are) not supported",  # llama.cpp
            r"only .?text.? content type is supported",  # mlx_lm
            r"encrypted content is not supported",  # OpenAI, of models that don't reason
            r"(is not|isn't) a multimodal model|does not support (image|audio|vision|multimodal)",  # vLLM, Ollama
        ),
    )
)

# OpenAI and Groq answer it to one request that is larger than the tokens of a whole minute: no wait makes room for it.
_TOO_LARGE: Final = re.compile(r"request too large for", re.IGNORECASE)


def error_in(body: Mapping[str, Any]) -> object:
    """The error in a body. TGI writes words, and their type beside them; vLLM of old, its members without a cover."""
    error, kind = body.get("error"), body.get("error_type")
    if isinstance(error, str) and isinstance(kind, str):
        return {"message": error, "type": kind}
    return error or body


def error_in_body(body: bytes, headers: Mapping[str, str]) -> object:
    """The error in the bytes of a refusal: an object, or words; None where a page for people was sent."""
    try:
        value = parse(body)
    except ValueError:
        return None if "html" in headers.get("content-type", "") else body.decode("utf-8", "replace")
    return error_in_list(error_in(value) if isinstance(value, Mapping) else value)


def error_in_list(body: object) -> object:
    """The error in what an SDK makes of a refusal's body: Google sends a list with one object in it."""
    return error_in(body[0]) if isinstance(body, list) and body and isinstance(body[0], Mapping) else body


def kind_of(status: int | None, body: object) -> ErrorKind:
    """What kind of error a refusal is, by its status and the `error` object (or text) in its body.

    >>> kind_of(429, {"code": "insufficient_quota"})
    <ErrorKind.QUOTA_EXHAUSTED: 'quota_exhausted'>
    """
    error = body if isinstance(body, Mapping) else {}
    kind = None
    for word in (error.get("code"), _inner_code(error), error.get("type")):
        if status is None and _is_status(word):
            status = int(str(word))  # an error event in a stream has no other status
        elif isinstance(word, str):
            known = CODES.get(word.lower())
            if known is not None and (kind is None or kind in _VAGUE):
                kind = known
    if status is not None and (kind is None or kind in _VAGUE):
        kind = _by_status(status)
    said = words(body)
    if kind in _SAYS_LITTLE:
        told = next((meant for meant, pattern in _WORDS if pattern.search(said)), None)
        if told is not None and (kind is not _K.NOT_FOUND or told is _K.UNSUPPORTED):
            return told
    if kind is _K.RATE_LIMITED and _TOO_LARGE.search(said):
        return _K.CONTEXT_WINDOW
    return kind or _K.SERVER


def _is_status(word: object) -> bool:
    """Whether it is an HTTP status, a number or in digits: not one of thousands of them."""
    text = str(word) if isinstance(word, int) and 0 <= word < 1000 else word
    return isinstance(text, str) and len(text) == 3 and text.isdecimal() and text.isascii()


def _by_status(status: int) -> ErrorKind:
    if status in STATUS:
        return STATUS[status]
    if status >= 500:
        return _K.SERVER
    return _K.INVALID_REQUEST if status >= 400 else _K.NOT_FOUND


def _inner_code(error: Mapping[str, Any]) -> object:
    inner = error.get("innererror")  # Azure's content filter
    return inner.get("code") if isinstance(inner, Mapping) else None


def code_of(body: object) -> str | None:
    """The provider's own word for the error."""
    if not isinstance(body, Mapping):
        return None
    word = body.get("code") or body.get("type") or body.get("error_type")
    return str(word) if isinstance(word, (str, int)) else None


def retry_info(body: object) -> float | None:
    """The seconds of a `google.rpc.RetryInfo` among an error's details, which Google sends in place of a header.

    >>> retry_info({"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38.5s"}]})
    38.5
    """
    details = body.get("details") if isinstance(body, Mapping) else None
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, Mapping) and str(detail.get("@type", "")).endswith("google.rpc.RetryInfo"):
            seconds = _SECONDS.fullmatch(str(detail.get("retryDelay")))
            return float(seconds[1]) if seconds else None
    return None


_SECONDS: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)s")


def with_filters(message: str, body: Mapping[str, Any]) -> str:
    """The message with the names of Azure's filters that refused the request, where it says which."""
    inner = body.get("innererror")
    results = (
        inner.get("content_filter_result") or inner.get("content_filter_results")
        if isinstance(inner, Mapping)
        else None
    )
    names = filtered_by(results or body.get("content_filter_result"))
    return f"{message} (filtered by {', '.join(names)})" if names else message
