"""A model, or a whole stack, made of the dict that `to_dict` wrote, or that somebody wrote by hand.

Nothing is made of a dict but adapters and layers of this package, and the classes that the caller names. A secret
stands in it as the name of its environment variable, and not otherwise.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from ... import adapters
from ...adapters.process.limiter import Limiter
from ...adapters.process.secret import Env, Unset
from ...domain.frozen import EMPTY
from ...domain.model import Model
from ...domain.options import misnamed
from ...domain.options.option import ALIASES
from ...domain.options.option_names import KNOWN
from ...domain.secrecy import is_secret
from ..layers.budget import Purse
from ..layers.circuit_breaker import Breaker
from ..layers.concurrency import Slots
from ..stack.compose import Layer, compose
from ..stack.layer_maker import argument_meant
from .layer_names import NAMES, maker
from .reader import Misconfigured, SettingsReader

_SEVERAL, _OPTIONS = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def from_dict(data: Mapping[str, Any], *, models: Iterable[type] = ()) -> Model:
    """The model, or the stack, that `to_dict` wrote; `models` are the caller's own classes that may stand in it.

    Read only what you would run: a configuration says which address a key is sent to. Raises ValueError
    (`Misconfigured`), naming the place, for what it can't read.
    """
    return Source({cls.__name__: cls for cls in models}).model(data, "from_dict")


class Source:
    """Makes models and layers of what was written; each model of `named` may be said by its name, and is made once."""

    def __init__(self, own: Mapping[str, type] = EMPTY, named: Mapping[str, Any] = EMPTY, where: str = "") -> None:
        self._own, self._named, self._where = own, named, where
        self._made: dict[str, Model | None] = {}
        self._reader = SettingsReader({cls.word: cls for cls in (Breaker, Limiter, Purse, Slots)})

    def model(self, data: Any, where: str) -> Model:
        """An adapter, a stack, or the name of one."""
        if isinstance(data, str) and self._named:
            return self.of_name(data, where)
        if isinstance(data, Mapping) and "compose" in data:
            _expect(data, ("compose", "layers"), where)
            inner = self.model(data["compose"], f"{where}.compose")
            layers = _of(list, data.get("layers", []), f"{where}.layers")
            return compose(inner, *(self._layer(each, f"{where}.layers[{at}]") for at, each in enumerate(layers)))
        arguments = dict(_of(Mapping, data, where))
        cls = self._class(arguments.pop("adapter", None), f"{where}.adapter")
        model: Model = self._called(cls, arguments, where)
        return model

    def of_name(self, name: str, where: str) -> Model:
        """The model of this name; it is one model, wherever it is named."""
        if name not in self._named:
            raise Misconfigured(where, unknown(name, self._named))
        if name not in self._made:
            self._made[name] = None
            self._made[name] = self.model(self._named[name], f"{self._where}{name}")
        made = self._made[name]
        if made is None:
            raise Misconfigured(where, f"{name!r} stands on itself")
        return made

    def _class(self, name: Any, where: str) -> type:
        known = [each for each in dir(adapters) if each.endswith("Model")]
        if isinstance(name, str) and name in self._own:
            return self._own[name]
        if name not in known:
            raise Misconfigured(where, unknown(name, [*known, *self._own]))
        cls: type = getattr(adapters, name)
        return cls

    def _layer(self, data: Any, where: str) -> Layer:
        arguments = dict(_of(Mapping, data, where))
        name = arguments.pop("layer", None)
        if not isinstance(name, str) or name not in NAMES:
            raise Misconfigured(f"{where}.layer", unknown(name, NAMES))
        layer: Layer = self._called(maker(name), arguments, where)
        return layer

    def _called(self, make: Callable[..., Any], data: Mapping[str, Any], where: str) -> Any:
        parameters = inspect.signature(make).parameters
        for name in data:
            if name not in parameters:
                raise Misconfigured(where, _no_such_argument(name, parameters), name)
        several: list[Any] = []
        named: dict[str, Any] = {}
        for name, value in data.items():
            at = f"{where}.{name}"
            if name == "models":
                several += [self.model(each, f"{at}[{number}]") for number, each in enumerate(_of(list, value, at))]
            elif parameters[name].kind is _SEVERAL:
                several += self._reader.read(_of(list, value, at), at)
            elif parameters[name].kind is _OPTIONS:
                _no_argument(_of(Mapping, value, at), parameters, at)
                named |= self._reader.read(value, at)
            else:
                named[name] = _text_of(self._reader.read(value, at, secret=is_secret(name)), name, at)
        try:
            return make(*several, **named)
        except (TypeError, ValueError) as error:
            raise Misconfigured(where, str(error)) from error


def unknown(name: object, known: Iterable[str], meant: str | None = None) -> str:
    """What to say of a name that is none of these, with the one that is meant, or the nearest of them."""
    near = [meant] if meant is not None else difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"{name!r} is none of {', '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else "")


def _text_of(value: Any, name: str, where: str) -> Any:
    """An address, a model's id and the like may stand in a variable, too, which is read now; a key's is read later."""
    if not isinstance(value, Env) or is_secret(name):
        return value
    try:
        return value.read()
    except Unset as error:
        raise Misconfigured(where, f"{error}; set it, or write the value itself") from error


def _no_such_argument(name: str, parameters: Collection[str]) -> str:
    if "options" in parameters and ALIASES.get(name, name) in KNOWN:
        return f"{name!r} is an option; write it in 'options'"
    return unknown(name, parameters, misnamed.argument_meant(name, parameters) or argument_meant(name, parameters))


def _expect(data: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    for name in data:
        if name not in names:
            raise Misconfigured(where, unknown(name, names), name)


def _no_argument(options: Mapping[str, Any], parameters: Mapping[str, Any], where: str) -> None:
    for name in options:
        if name in parameters:
            raise Misconfigured(where, f"{name!r} is an argument, not an option; write it beside 'options'", name)


def _of(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind):
        raise Misconfigured(where, f"takes a {'list' if kind is list else 'dict'}, not {value!r}")
    return value
