"""A setting as a plain JSON value, and back; a secret is named by its environment variable and never written.

What JSON has no word for is a mapping with one member that names it: `{"env": "MY_KEY"}`, `{"omit": true}`,
`{"capabilities": {...}}`, `{"price_per_million": {...}}`, `{"limiter": {...}}` and other machines that layers share. A
mapping that looks like one of these, or whose names aren't text, is written as `{"map": [[name, value], ...]}`.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, urlsplit

import attrs

from ..adapters.limiter import Limiter
from ..adapters.secret import Env
from ..domain.capability import Capabilities
from ..domain.option import OMIT
from ..domain.price import Price
from ..domain.secrecy import is_secret
from .budget import Purse
from .circuit_breaker import Breaker
from .concurrency import Slots

# Words that stand where a key is asked for and none is needed.
_NO_SECRETS: Final = frozenset({"", "-", "dummy", "empty", "fake", "no-key", "none", "not-needed", "null", "unused"})


@attrs.define
class Writer:
    """Writes the settings of one stack. A machine that stands in it twice gets a number; `again` writes it so."""

    _met: dict[int, int] = attrs.field(factory=dict)
    _shared: tuple[int, ...] = ()

    def again(self) -> Writer:
        """A writer that knows which machines this one has met more than once."""
        return Writer({}, tuple(key for key, times in self._met.items() if times > 1))

    def write(self, value: Any, where: str, *, secret: bool = False) -> Any:
        """The value as JSON has it. Raises ValueError, naming the place, for what a configuration can't hold."""
        if isinstance(value, Env):
            return {"env": value.name}
        if value is OMIT:
            return {"omit": True}
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str):
            return _text(str.__str__(value), where, secret)  # of an enumeration's member, what is sent
        if value is None or isinstance(value, (bool, int)) or isinstance(value, float) and math.isfinite(value):
            return value
        word = _WORDS.get(type(value))
        if word is not None:
            return {word: attrs.asdict(value, filter=lambda field, item: item != field.default)}
        if is_machine(value):
            return dict((self.machine(value, where),))
        if isinstance(value, (frozenset, set)):
            return sorted(self.write(item, where, secret=secret) for item in value)
        if isinstance(value, (list, tuple)):
            return [self.write(item, f"{where}[{at}]", secret=secret) for at, item in enumerate(value)]
        if isinstance(value, Mapping):
            items = {
                name: self.write(item, f"{where}[{name!r}]", secret=secret or is_secret(name))
                for name, item in value.items()
            }
            plain = all(isinstance(name, str) for name in items) and not (len(items) == 1 and items.keys() <= _TAGS)
            return items if plain else {"map": [[name, item] for name, item in items.items()]}
        raise ValueError(f"{where}: a configuration can't hold a {type(value).__name__}; leave it out and pass it anew")

    def machine(self, machine: Any, where: str) -> tuple[str, dict[str, Any]]:
        """Its word, and what it is made of; `shared` is its number, where it stands in the stack more than once."""
        key = id(machine)
        self._met[key] = self._met.get(key, 0) + 1
        parameters = inspect.signature(type(machine)).parameters
        written = {
            name: self.write(value, f"{where}: {name}")
            for name, value in machine.arguments().items()
            if value != parameters[name].default
        }
        if key in self._shared:
            written["shared"] = self._shared.index(key) + 1
        return _WORD_OF[type(machine)], written


def _text(text: str, where: str, secret: bool) -> Any:
    if "://" in text and _is_address_with_secret(text):
        raise ValueError(f"{where}: this address has a secret in it, which no configuration may hold")
    if not secret or text.lower() in _NO_SECRETS:
        return text
    names = sorted(name for name, value in os.environ.items() if value == text)
    if not names:
        fix = "pass Env('NAME'), or leave it out and set the environment variable that is read without it"
        raise ValueError(f"{where}: a secret was given as text, and no configuration may hold one; {fix}")
    return {"env": names[0]}


def _is_address_with_secret(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False  # no address at all
    return bool(parts.password) or any(is_secret(name) for name, _ in parse_qsl(parts.query))


class Misconfigured(ValueError):
    """What stands in a configuration can't be read; `where` is its place, and `name` the member there that is wrong."""

    def __init__(self, where: str, message: str, name: str | None = None) -> None:
        super().__init__(f"{where}: {message}")
        self.where, self.message, self.name = where, message, name


@attrs.define
class Reader:
    """Reads the settings of one stack."""

    _made: dict[tuple[str, int], tuple[dict[str, Any], Any]] = attrs.field(factory=dict)

    def read(self, value: Any, where: str, *, secret: bool = False) -> Any:
        """The value that was written. Raises `Misconfigured` for what can't be read, and for a secret."""
        if isinstance(value, list):
            return [self.read(item, f"{where}[{at}]", secret=secret) for at, item in enumerate(value)]
        if isinstance(value, str) and secret and value.lower() not in _NO_SECRETS:
            raise Misconfigured(where, "a secret stands here as text; write the name of its variable: {'env': 'NAME'}")
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1 and value.keys() <= _TAGS:
            (tag, inner), *_ = value.items()
            at = f"{where}.{tag}"
            if tag == "map":
                return self._map(inner, at, secret)
            if tag in _VALUES:
                return _made(_VALUES[tag], at, **_members(inner, at))
            return self._machine(tag, inner, at) if tag in _BY_WORD else getattr(self, f"_{tag}")(inner, at)
        return {
            name: self.read(item, f"{where}[{name!r}]", secret=secret or is_secret(name))
            for name, item in value.items()
        }

    def _env(self, name: Any, where: str) -> Env:
        return _made(Env, where, name)  # type: ignore[no-any-return]

    def _omit(self, value: Any, where: str) -> Any:
        return OMIT if value is True else _unreadable(value, where, "true")

    def _map(self, items: Any, where: str, secret: bool) -> dict[Any, Any]:
        if not isinstance(items, list) or not all(map(_is_pair, items)):
            _unreadable(items, where, "a list of pairs, of a name and a value each")
        return {name: self.read(item, f"{where}[{name!r}]", secret=secret or is_secret(name)) for name, item in items}

    def _machine(self, word: str, fields: Any, where: str) -> Any:
        given = _members(fields, where)
        number = given.pop("shared", None)
        if not isinstance(number, int | None):
            _unreadable(number, f"{where}.shared", "a number")
        if number is None:
            return _made(_BY_WORD[word], where, **given)
        if (word, number) not in self._made:
            self._made[word, number] = given, _made(_BY_WORD[word], where, **given)
        first, machine = self._made[word, number]
        if given not in ({}, first):
            raise Misconfigured(
                where, f"the {word} that is shared as {number} is made of {first!r} before; write the same"
            )
        return machine


def is_machine(value: object) -> bool:
    """Whether it keeps a layer's state, and may be shared by several."""
    return type(value) in _WORD_OF


_WORD_OF: Final[Mapping[type, str]] = {Breaker: "breaker", Limiter: "limiter", Purse: "purse", Slots: "slots"}
_BY_WORD: Final[Mapping[str, type]] = {word: machine for machine, word in _WORD_OF.items()}
_VALUES: Final[Mapping[str, type]] = {"capabilities": Capabilities, "price_per_million": Price}
_WORDS: Final[Mapping[type, str]] = {made: word for word, made in _VALUES.items()}
_TAGS: Final = frozenset({"env", "map", "omit", *_VALUES, *_BY_WORD})


def _is_pair(item: object) -> bool:
    return isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0], Hashable)


def _members(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        _unreadable(value, where, "a mapping")
    return dict(value)


def _made(make: Callable[..., Any], where: str, *args: Any, **named: Any) -> Any:
    try:
        return make(*args, **named)
    except (TypeError, ValueError) as error:
        raise Misconfigured(where, str(error)) from error


def _unreadable(value: object, where: str, due: str) -> NoReturn:
    raise Misconfigured(where, f"takes {due}, not {value!r}")
