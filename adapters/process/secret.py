"""Keys and tokens: named rather than held where that can be, and taken out of whatever is shown.

Whatever takes a secret takes an `Env` in its place, which says where it is to be found when it is needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import attrs

from ...domain.secrecy import is_secret


class Unset(Exception):
    """The environment variable that a secret is to be read from isn't there."""


def _named(_: object, __: object, name: Any) -> None:
    if not isinstance(name, str) or not name or "=" in name or "\0" in name:
        raise ValueError(f"Env: takes the name of an environment variable, such as 'OPENAI_API_KEY', not {name!r}")


@attrs.frozen
class Env:
    """The environment variable of this name, read each time that its text is needed.

    `OpenAIModel("gpt-4o", api_key=Env("MY_KEY"))` holds no key, and so can be shown, pickled and saved.

    >>> Env("MY_KEY")
    Env('MY_KEY')
    """

    name: str = attrs.field(validator=_named)

    def __repr__(self) -> str:
        return f"Env({self.name!r})"

    def read(self) -> str:
        """Its text now. Raises `Unset`, with the name, when there is none."""
        text = os.environ.get(self.name)
        if not text:
            raise Unset(f"the environment variable {self.name} isn't set")
        return text


# Words that stand where a key is asked for and none is needed.
NO_SECRETS: Final = frozenset({"", "-", "dummy", "empty", "fake", "no-key", "none", "not-needed", "null", "unused"})


def variable_of(secret: str) -> str | None:
    """The name of the environment variable that holds this text, the first of several; None where none does."""
    return min((name for name, value in os.environ.items() if value == secret), default=None)


def is_address_with_secret(text: str) -> bool:
    """Whether it is an address with a password, or with a secret in its query."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False  # no address at all
    return bool(parts.password) or any(is_secret(name) for name, _ in parse_qsl(parts.query))


def revealed(value: Any) -> Any:
    """The same value, with the text of its variable for every `Env` in it. Raises `Unset`."""
    if isinstance(value, Env):
        return value.read()
    if isinstance(value, Mapping):
        return {name: revealed(item) for name, item in value.items()}
    if type(value) in (list, tuple):
        return [revealed(item) for item in value]
    return value


def secrets_in(value: Any) -> tuple[str, ...]:
    """The texts that stand under the names of secrets, or are named by an `Env`, at any depth."""
    return tuple(_secrets_in(value, False))


def _secrets_in(value: Any, secret: bool, in_query: bool = False) -> Iterator[str]:
    if isinstance(value, Env):
        value, secret = os.environ.get(value.name), True
    if isinstance(value, str):
        if secret:
            yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            is_key = in_query and name == "key"  # Google's name for it; elsewhere it is a word like others
            yield from _secrets_in(item, secret or is_secret(name) or is_key, in_query=str(name).endswith("query"))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets_in(item, secret)


_AUTHORIZATION = re.compile(r"^(?:bearer|basic|token)\s+", re.IGNORECASE)


def hidden(text: str, secrets: Iterable[object]) -> str:
    """The text with `***` for each of these secrets, and for what was left of one when the text was shortened.

    >>> hidden("no such key: sk-secret-0123", ["sk-secret-0123"])
    'no such key: ***'
    """
    for secret in secrets:
        if isinstance(secret, str):
            bare = _AUTHORIZATION.sub("", secret.strip())
            text = text if bare.lower() in NO_SECRETS else _without(text, bare)
    return text


def _without(text: str, secret: str) -> str:
    if len(secret) < 8:  # nothing is hidden in the midst of words
        return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    for size in range(len(secret), 5, -1):
        text = text.replace(secret if size == len(secret) else f"{secret[:size]}...", "***")
    return text
