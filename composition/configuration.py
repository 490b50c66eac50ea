"""A model, or a whole stack, as a dict that JSON can hold, and back: what it is made of, without its secrets.

    {"compose": {"adapter": "OpenAIModel", "model_id": "gpt-4o", "options": {"temperature": 0.2}},
     "layers": [{"layer": "with_rate_limit", "rpm": 60}, {"layer": "with_retry", "attempts": 3}]}

Each member is an argument of the adapter's class or of the layer, left out where it is the default. Nothing is made of
a dict but adapters and layers of this package, and the classes that the caller names.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from .. import adapters
from ..domain.model import Model
from ..domain.secrecy import is_secret
from .budget import Budget, with_budget
from .cache import Cache, with_cache
from .chaos import Chaos, with_chaos
from .check import Check, with_check
from .circuit_breaker import CircuitBreaker, with_circuit_breaker
from .compose import Layer, compose
from .concurrency import Concurrency, with_concurrency
from .defaults import Defaults, with_defaults
from .fallback import Fallback, with_fallback
from .machines import MACHINES
from .plain import Reader, Writer
from .policy import Decorated, Direct
from .rate_limit import RateLimit, with_rate_limit
from .recording import Recording, with_recording
from .replay import Replay, with_replay
from .retry import Retry, with_retry
from .route import Route, with_route
from .timeout import Timeout, with_timeout

_LAYERS: Final[Mapping[type, Callable[..., Layer]]] = {
    Budget: with_budget,
    Cache: with_cache,
    Chaos: with_chaos,
    Check: with_check,
    CircuitBreaker: with_circuit_breaker,
    Concurrency: with_concurrency,
    Defaults: with_defaults,
    Fallback: with_fallback,
    RateLimit: with_rate_limit,
    Recording: with_recording,
    Replay: with_replay,
    Retry: with_retry,
    Route: with_route,
    Timeout: with_timeout,
}
_SEVERAL, _OPTIONS = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
_NOTHING: Final = object()


def to_dict(model: Model) -> dict[str, Any]:
    """What the model, or the stack, is made of, in values that JSON has.

    A secret is written as the name of its environment variable, `{"env": "MY_KEY"}`. Raises ValueError, naming the
    place and the fix, for a secret that stands in no variable, and for what lives in this process alone: a client that
    was injected, a loaded model, a function.

    >>> from modelport import ScriptedModel, compose, with_retry
    >>> to_dict(compose(ScriptedModel("Hi!"), with_retry(attempts=2)))["layers"]
    [{'layer': 'with_retry', 'attempts': 2}]
    """
    writer = Writer()
    _written(model, writer)  # only now is it known which limiters are shared
    return _written(model, writer.again())


def from_dict(data: Mapping[str, Any], *, models: Iterable[type] = ()) -> Model:
    """The model, or the stack, that `to_dict` wrote; `models` are the caller's own classes that may stand in it.

    Read only what you would run: a configuration says which address a key is sent to. Raises ValueError, naming the
    place, for what it can't read.
    """
    return _Source({cls.__name__: cls for cls in models}).model(data, "from_dict")


def _written(model: Model, writer: Writer) -> dict[str, Any]:
    if not isinstance(model, Decorated):
        return {"adapter": type(model).__name__, **_arguments(model, writer)}
    layers: list[dict[str, Any]] = []
    inner: Model = model
    while isinstance(inner, Decorated):
        if type(inner.policy) is not Direct:
            layers.append(_layer(inner.policy, writer))
        inner = inner.inner
    return {"compose": _written(inner, writer), "layers": layers[::-1]}


def _arguments(model: Model, writer: Writer) -> dict[str, Any]:
    """What the model's class is to be called with to make it again, without what it has by default."""
    cls = type(model)
    parameters = inspect.signature(cls).parameters
    held = {name: _held(model, name) for name in parameters}
    held = {name: value for name, value in held.items() if value is not _NOTHING}  # another spelling isn't kept
    usual = _usual(cls, held)
    return {
        name: writer.write(value, f"{cls.__name__}: {name}", secret=is_secret(name))
        for name, value in held.items()
        if (_is_needed(parameters[name]) and value is not None)
        or _differs(value, _held(usual, name), parameters[name].default)
    }


def _held(model: object, name: str) -> Any:
    return getattr(model, f"_{name}", getattr(model, name, _NOTHING))  # a property may have the argument's name


def _usual(cls: type, held: Mapping[str, Any]) -> Any:
    """A model with nothing but what must be said: what the rest is by default, the model's name may decide.

    None where one can't be made of so little.
    """
    needed = {p.name: p for p in inspect.signature(cls).parameters.values() if p.name in held and _is_needed(p)}
    several = [item for name, parameter in needed.items() if parameter.kind is _SEVERAL for item in held[name]]
    named = {name: held[name] for name, parameter in needed.items() if parameter.kind is not _SEVERAL}
    try:
        return cls(*several, **named)
    except (TypeError, ValueError):
        return None


def _is_needed(parameter: inspect.Parameter) -> bool:
    required = parameter.default is parameter.empty and parameter.kind is not _OPTIONS
    return required or parameter.name == "model_id"


def _differs(value: Any, usual: Any, default: Any) -> bool:
    if usual is _NOTHING:
        usual = default
    if usual is None and value in ({}, ()):
        return False  # nothing was given, and is kept as an empty collection
    return value is not usual and bool(value != usual)


def _layer(policy: Any, writer: Writer) -> dict[str, Any]:
    make = _LAYERS.get(type(policy))
    if make is None:
        raise ValueError(f"to_dict: {policy!r} is a layer of your own; put it on what from_dict gives")
    where = make.__name__
    out: dict[str, Any] = {"layer": where}
    parameters = inspect.signature(make).parameters
    machine = next((held for held in _values(policy) if type(held) in MACHINES), None)
    if machine is not None:
        kind = MACHINES[type(machine)]
        written = writer.machine(machine, where)
        out |= {next(iter(parameters)): {kind.word: written}} if "shared" in written else written
    done = () if machine is None else (next(iter(parameters)), *MACHINES[type(machine)].arguments(machine))
    for name, parameter in parameters.items():
        if name in done:
            continue
        value = getattr(policy, "limiter" if name == "rpm" else name, parameter.default)
        if parameter.kind is _SEVERAL:
            out[name] = [_written(model, writer) for model in value]
        elif _differs(value, parameter.default, None):
            out[name] = writer.write(value, f"{where}: {name}")
    return out


def _values(policy: Any) -> Iterator[Any]:
    return (getattr(policy, field.name) for field in attrs.fields(type(policy)))


class _Source:
    """Makes models and layers of what was written."""

    def __init__(self, own: Mapping[str, type]) -> None:
        self._own = own
        self._reader = Reader()

    def model(self, data: Any, where: str) -> Model:
        """An adapter, or a stack."""
        if isinstance(data, Mapping) and "compose" in data:
            _expect(data, ("compose", "layers"), where)
            inner = self.model(data["compose"], f"{where}.compose")
            layers = _of(list, data.get("layers", []), f"{where}.layers")
            return compose(inner, *(self._layer(each, f"{where}.layers[{at}]") for at, each in enumerate(layers)))
        found = dict(_of(Mapping, data, where))
        name = found.pop("adapter", None)
        cls = self._own.get(name) if isinstance(name, str) else None
        model: Model = self._called(cls or _adapter(name, f"{where}.adapter", self._own), found, where)
        return model

    def _layer(self, data: Any, where: str) -> Layer:
        found = dict(_of(Mapping, data, where))
        name = found.pop("layer", None)
        makers = {make.__name__: make for make in _LAYERS.values()}
        if name not in makers:
            raise ValueError(f"{where}.layer: {_unknown(name, makers)}")
        layer: Layer = self._called(makers[name], found, where)
        return layer

    def _called(self, make: Callable[..., Any], data: Mapping[str, Any], where: str) -> Any:
        parameters = inspect.signature(make).parameters
        _expect(data, tuple(parameters), where)
        several: list[Any] = []
        named: dict[str, Any] = {}
        for name, value in data.items():
            at = f"{where}.{name}"
            if name == "models":
                several += [self.model(each, f"{at}[{number}]") for number, each in enumerate(_of(list, value, at))]
            elif parameters[name].kind is _SEVERAL:
                several += self._reader.read(_of(list, value, at), at)
            elif parameters[name].kind is _OPTIONS:
                _of(Mapping, value, at)
                _no_argument(value, parameters, at)
                named |= self._reader.read(value, at)
            else:
                named[name] = self._reader.read(value, at)
        try:
            return make(*several, **named)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from error


def _adapter(name: object, where: str, own: Mapping[str, type]) -> type:
    names = [each for each in adapters.__all__ if each.endswith("Model")]
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"{where}: {_unknown(name, [*names, *own])}")
    cls: type = getattr(adapters, name)
    return cls


def _unknown(name: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"{name!r} is none of {', '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else "")


def _expect(data: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    for name in data:
        if name not in names:
            raise ValueError(f"{where}: {_unknown(name, names)}")


def _no_argument(options: Mapping[str, Any], parameters: Mapping[str, Any], where: str) -> None:
    for name in options:
        if name in parameters:
            raise ValueError(f"{where}: {name!r} is an argument, not an option; write it beside 'options'")


def _of(kind: type, value: Any, where: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{where}: takes a {'list' if kind is list else 'dict'}, not {value!r}")
    return value
