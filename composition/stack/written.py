"""What a model and a layer are made with, as plain JSON values; a secret is named by its environment variable.

What JSON has no word for is a mapping with one member that names it: `{"env": "MY_KEY"}`, `{"omit": true}`,
`{"capabilities": {...}}`, `{"price_per_million": {...}}`, `{"limiter": {...}}` and what else layers share. A
mapping that looks like one of these, or whose names aren't text, is written as `{"map": [[name, value], ...]}`.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Collection, Mapping
from typing import Any, Final, NoReturn

import attrs

from ...adapters.process.secret import NO_SECRETS, Env, is_address_with_secret, variable_of
from ...adapters.process.shared import WORDS, Shared
from ...domain.capability import Capabilities
from ...domain.fields import changed
from ...domain.forms.form import Form
from ...domain.model import Model
from ...domain.price import Price
from ...domain.secrecy import is_secret

VALUES: Final[Mapping[str, type]] = {"capabilities": Capabilities, "price_per_million": Price}
TAGS: Final = frozenset({"env", "map", "omit", *VALUES, *WORDS})
_WORDS: Final[Mapping[type, str]] = {made: word for word, made in VALUES.items()}
_SEVERAL, _OPTIONS = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
_NOTHING: Final = object()
_DECIDES: Final = ("model_id", "server")  # what the rest is by default


@attrs.define
class Writer(Form):
    """Writes the settings of one stack. A state that is shared in it gets a number; `again` writes it so."""

    words = TAGS

    _met: dict[int, int] = attrs.field(factory=dict)
    _numbered: tuple[int, ...] = ()
    _secret: bool = False

    def again(self) -> Writer:
        """A writer that knows what this one has met more than once."""
        return Writer({}, tuple(key for key, times in self._met.items() if times > 1))

    def inside(self, name: object) -> Writer:
        """All under the name of a secret is secret."""
        return attrs.evolve(self, secret=True) if is_secret(name) else self

    def text(self, text: str, where: str) -> Any:
        """The text; a secret is named by its variable. Raises ValueError for one that stands in none."""
        return _text(str.__str__(text), where, self._secret)

    def number(self, number: float, where: str) -> float:
        """The number, if it is finite."""
        return number if math.isfinite(number) else self.refuse(number, where)

    def collection(self, collection: Collection[Any], where: str) -> list[Any]:
        """A set as a list in order."""
        return sorted(self.write(item, where) for item in collection)

    def other(self, value: Any, where: str) -> Any:
        """What an adapter or a layer takes beside plain values."""
        word = _WORDS.get(type(value))
        if word is not None:
            return {word: changed(value)}
        if isinstance(value, Shared):
            return dict((self.shared(value, where),))
        if isinstance(value, Env):
            return {"env": value.name}
        return self.write(os.fspath(value), where) if isinstance(value, os.PathLike) else self.refuse(value, where)

    def shared(self, state: Shared, where: str) -> tuple[str, dict[str, Any]]:
        """Its word, and what it is made of; `shared` is its number, where it stands in the stack more than once."""
        key = id(state)
        self._met[key] = self._met.get(key, 0) + 1
        written = {name: self.write(value, f"{where}: {name}") for name, value in state.changed().items()}
        if key in self._numbered:
            written["shared"] = self._numbered.index(key) + 1
        return state.word, written

    def refuse(self, value: object, where: str) -> NoReturn:
        """What lives in this process alone is refused, with its place."""
        raise ValueError(f"{where}: a configuration can't hold a {type(value).__name__}; leave it out and pass it anew")

    data = member = refuse


def _text(text: str, where: str, secret: bool) -> Any:
    if "://" in text and is_address_with_secret(text):
        raise ValueError(f"{where}: this address has a secret in it, which no configuration may hold")
    if not secret or text.lower() in NO_SECRETS:
        return text
    name = variable_of(text)
    if name is None:
        fix = "pass Env('NAME'), or leave it out and set the environment variable that is read without it"
        raise ValueError(f"{where}: a secret was given as text, and no configuration may hold one; {fix}")
    return {"env": name}


def adapter_written(model: Model, writer: Writer) -> dict[str, Any]:
    """The model's class, and what it is to be called with to make it again, without what it has by default."""
    cls = type(model)
    parameters = inspect.signature(cls).parameters
    values = {name: _attribute(model, name) for name in parameters}
    for name, parameter in parameters.items():
        if values[name] is _NOTHING and _is_needed(parameter) and parameter.kind is not _SEVERAL:
            fix = f"keep what it was given as an attribute {name}, or as _{name}"
            raise ValueError(f"{cls.__name__}: {name}: the model has no such attribute, so it can't be written; {fix}")
    values = {name: value for name, value in values.items() if value is not _NOTHING}  # another spelling isn't kept
    usual = _usual(cls, values)
    written = {
        name: writer.inside(name).write(value, f"{cls.__name__}: {name}")
        for name, value in values.items()
        if (_is_needed(parameters[name]) and value is not None)
        or _differs(value, _attribute(usual, name), parameters[name].default)
    }
    return {"adapter": cls.__name__, **written}


def _attribute(model: object, name: str) -> Any:
    return getattr(model, f"_{name}", getattr(model, name, _NOTHING))  # a property may have the argument's name


def _usual(cls: type, values: Mapping[str, Any]) -> Any:
    """A model with nothing but what must be said: what the rest is by default, the model's name may decide.

    None where one can't be made of so little.
    """
    needed = {p.name: p for p in inspect.signature(cls).parameters.values() if p.name in values and _is_needed(p)}
    several = [item for name, parameter in needed.items() if parameter.kind is _SEVERAL for item in values[name]]
    named = {name: values[name] for name, parameter in needed.items() if parameter.kind is not _SEVERAL}
    try:
        return cls(*several, **named)
    except (TypeError, ValueError):
        return None


def _is_needed(parameter: inspect.Parameter) -> bool:
    required = parameter.default is parameter.empty and parameter.kind is not _OPTIONS
    return required or parameter.name in _DECIDES


def _differs(value: Any, usual: Any, default: Any) -> bool:
    if usual is _NOTHING:
        usual = default
    if usual is None and value in ({}, ()):
        return False  # nothing was given, and is kept as an empty collection
    return value is not usual and bool(value != usual)
