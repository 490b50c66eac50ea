"""A model, or a whole stack, as a dict that JSON can hold: what it is made of, without its secrets.

    {"compose": {"adapter": "OpenAIModel", "model_id": "gpt-4o", "options": {"temperature": 0.2}},
     "layers": [{"layer": "with_rate_limit", "rpm": 60}, {"layer": "with_retry", "attempts": 3}]}

Each member is an argument of the adapter's class or of the layer, left out where it is the default. `from_dict` makes
it again.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from ..domain.model import Model
from ..domain.secrecy import is_secret
from .layers import name_of
from .plain import Writer, is_machine
from .policy import Decorated
from .walk import first_leaf, layers_of

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


def _written(model: Model, writer: Writer) -> dict[str, Any]:
    if not isinstance(model, Decorated):
        return {"adapter": type(model).__name__, **_arguments(model, writer)}
    layers = [_layer(policy, writer) for policy in layers_of(model)]
    return {"compose": _written(first_leaf(model), writer), "layers": layers[::-1]}


def _arguments(model: Model, writer: Writer) -> dict[str, Any]:
    """What the model's class is to be called with to make it again, without what it has by default."""
    cls = type(model)
    parameters = inspect.signature(cls).parameters
    held = {name: _held(model, name) for name in parameters}
    for name, parameter in parameters.items():
        if held[name] is _NOTHING and _is_needed(parameter) and parameter.kind is not _SEVERAL:
            fix = f"keep what it was given as an attribute {name}, or as _{name}"
            raise ValueError(f"{cls.__name__}: {name}: the model has no such attribute, so it can't be written; {fix}")
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
    name = name_of(policy)
    if name is None:
        raise ValueError(f"to_dict: {policy!r} is a layer of your own; put it on what from_dict gives")
    written: dict[str, Any] = {"layer": name}
    for argument, value in policy.arguments().items():
        if argument == "models":
            written[argument] = [_written(model, writer) for model in value]
        elif is_machine(value):
            word, made_of = writer.machine(value, name)
            written |= {argument: {word: made_of}} if "shared" in made_of else made_of
        else:
            written[argument] = writer.write(value, f"{name}: {argument}")
    return written
