"""What was written of a model or a layer, read back. A secret stands in it as the name of its variable only."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NoReturn

import attrs

from ...adapters.process.secret import NO_SECRETS, Env
from ...domain.options.option import OMIT
from ...domain.secrecy import is_secret
from ..stack.written import TAGS, VALUES


class Misconfigured(ValueError):
    """What stands in a configuration can't be read; `where` is its place, and `name` the member there that is wrong."""

    def __init__(self, where: str, message: str, name: str | None = None) -> None:
        super().__init__(f"{where}: {message}")
        self.where, self.message, self.name = where, message, name


@attrs.define
class SettingsReader:
    """Reads the settings of one stack."""

    _shared: Mapping[str, type]
    _made: dict[tuple[str, int], tuple[dict[str, Any], Any]] = attrs.field(factory=dict)

    def read(self, value: Any, where: str, *, secret: bool = False) -> Any:
        """The value that was written. Raises `Misconfigured` for what can't be read, and for a secret."""
        if isinstance(value, list):
            return [self.read(item, f"{where}[{at}]", secret=secret) for at, item in enumerate(value)]
        if isinstance(value, str) and secret and value.lower() not in NO_SECRETS:
            raise Misconfigured(where, "a secret stands here as text; write the name of its variable: {'env': 'NAME'}")
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1 and value.keys() <= TAGS:
            (tag, inner), *_ = value.items()
            at = f"{where}.{tag}"
            if tag == "map":
                return self._map(inner, at, secret)
            if tag in VALUES:
                return _made(VALUES[tag], at, **_members(inner, at))
            return self._read_shared(tag, inner, at) if tag in self._shared else getattr(self, f"_{tag}")(inner, at)
        return {
            name: self.read(item, f"{where}[{name!r}]", secret=secret or is_secret(name))
            for name, item in value.items()
        }

    def _env(self, name: Any, where: str) -> Env:
        env: Env = _made(Env, where, name)
        return env

    def _omit(self, value: Any, where: str) -> Any:
        return OMIT if value is True else _unreadable(value, where, "true")

    def _map(self, items: Any, where: str, secret: bool) -> dict[Any, Any]:
        if not isinstance(items, list) or not all(map(_is_pair, items)):
            _unreadable(items, where, "a list of pairs, of a name and a value each")
        return {name: self.read(item, f"{where}[{name!r}]", secret=secret or is_secret(name)) for name, item in items}

    def _read_shared(self, word: str, fields: Any, where: str) -> Any:
        arguments = _members(fields, where)
        number = arguments.pop("shared", None)
        if not isinstance(number, int | None):
            _unreadable(number, f"{where}.shared", "a number")
        if number is None:
            return _made(self._shared[word], where, **arguments)
        if (word, number) not in self._made:
            self._made[word, number] = arguments, _made(self._shared[word], where, **arguments)
        first, state = self._made[word, number]
        if arguments not in ({}, first):
            raise Misconfigured(
                where, f"the {word} that is shared as {number} is made of {first!r} before; write the same"
            )
        return state


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
