"""What is written down is written without secrets: known ones, what looks like one, and what stands under such names.

Rather too much is taken out than too little. Words stay; what goes is text with the shape of a key, and the values of
headers, cookies and options that are named after one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ..secrecy import is_secret

HIDDEN: Final = "***"

_KEY: Final = re.compile(
    r"""
    -----BEGIN[ A-Z]*PRIVATE\ KEY-----.*?(?:-----END[ A-Z]*PRIVATE\ KEY-----|\Z)
    | \beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*                       # a JSON web token
    | \b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b                 # AWS
    | \bAIza[\w-]{30,}                                        # Google
    | \b(?:sk|pk|rk|gsk|hf|r8|xai|pplx|nvapi|glpat|github_pat|gh[pousr]|xox[abeprs])[-_](?=[\w-]*\d)[\w-]{14,}
    """,
    re.VERBOSE | re.DOTALL,
)
_GIVEN: Final = re.compile(r"\b(bearer|basic|token)(\s+)(?=\S*\d)[\w.~+/=-]{12,}", re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    r"""((?:api[-_]?key|access[-_]?key|auth[-_]?token|secret|password|passwd)["']?\s*[:=]\s*["']?)[^\s"'&,;]{6,}""",
    re.IGNORECASE,
)
_LOGIN: Final = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")
_QUERY: Final = re.compile(
    r"([?&][\w.-]*(?:key|token|secret|sig|signature|password|credential)=)[^&#\s\"']+", re.IGNORECASE
)
_CARRIERS: Final = ("headers", "cookies", "query", "apikey", "secret", "password", "token", "credentials")


def redacted_text(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with `***` for these secrets and for what looks like one.

    >>> redacted_text("Incorrect API key provided: sk-proj-0123456789abcdef")
    'Incorrect API key provided: ***'
    """
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    text = _KEY.sub(HIDDEN, text)
    text = _GIVEN.sub(rf"\1\2{HIDDEN}", text)
    text = _ASSIGNED.sub(rf"\1{HIDDEN}", text)
    if "://" in text:
        text = _QUERY.sub(rf"\1{HIDDEN}", _LOGIN.sub(rf"\1{HIDDEN}", text))
    return text


def redacted(value: Any, secrets: Iterable[str] = ()) -> Any:
    """The same JSON value without secrets, at any depth."""
    known = tuple(secrets)
    return _redacted(value, known, False)


def _redacted(value: Any, secrets: tuple[str, ...], hidden: bool) -> Any:
    if isinstance(value, str):
        return HIDDEN if hidden else redacted_text(value, secrets)
    if isinstance(value, Mapping):
        return {
            redacted_text(name, secrets): _redacted(item, secrets, hidden or _carries(name) and not _is_schema(item))
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_redacted(item, secrets, hidden) for item in value]
    return value


def _carries(name: str) -> bool:
    bare = name.lower().replace("-", "").replace("_", "")
    return is_secret(name) or bare.endswith(_CARRIERS)


def _is_schema(item: object) -> bool:
    """A tool's parameter may be named after a secret; its schema is none."""
    return isinstance(item, Mapping) and ("type" in item or "$ref" in item or "anyOf" in item)
