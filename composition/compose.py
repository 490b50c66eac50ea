"""How a stack is put together: layers over a model, from the model outwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

from ..domain.model import Model
from .policy import Decorated, Direct

Layer = Callable[[Model], Model]
"""Makes a better model of another one."""


def compose(model: Model, *layers: Layer) -> Decorated:
    """The model under these layers, the first of them nearest to it.

    The result is a frozen value that has the port's members, can be called, and prints its nesting. Raises TypeError,
    naming the place, for what is no model or no layer.

    >>> from modelport import ScriptedModel, with_retry
    >>> compose(ScriptedModel("Hello!"), with_retry())("Hi").content
    'Hello!'
    """
    _expect_model(model, "compose: the first argument")
    places = enumerate(layers, 1)
    stack = reduce(_apply, places, model)
    return stack if isinstance(stack, Decorated) else Decorated(stack, Direct())


def _apply(model: Model, place: tuple[int, Layer]) -> Model:
    number, layer = place
    name = getattr(layer, "__name__", repr(layer))
    where = f"compose: layer {number} ({name})"
    if not callable(layer) or isinstance(layer, Model) and not isinstance(layer, type):
        raise TypeError(f"{where} is not a layer; a second model goes into with_fallback(...)")
    try:
        better = layer(model)
    except TypeError as error:
        error.add_note(f"{where} was called with the model; does it want its own arguments first: {name}(...)?")
        raise
    if not isinstance(better, Model) and callable(better):
        raise TypeError(f"{where} gave another function, not a model; call it first: {name}(...)")
    _expect_model(better, where + " gave")
    return better


def _expect_model(value: object, what: str) -> None:
    if isinstance(value, type) or not isinstance(value, Model):
        raise TypeError(f"{what} {value!r}, which is not a model: it needs capabilities, generate(...) and stream(...)")


def describe(model: Model) -> str:
    """The stack as text, outermost first: a line for each policy, each candidate and each model.

    >>> from modelport import ScriptedModel, with_retry
    >>> print(describe(compose(ScriptedModel("Hello!"), with_retry(attempts=2))))
    Retry(attempts=2)
    └─ ScriptedModel
    """
    return "\n".join(_lines(model))


def _lines(model: Model) -> Iterator[str]:
    if not isinstance(model, Decorated):
        yield _name(model)
        return
    if isinstance(model.policy, Direct):
        yield from _lines(model.inner)
        return
    yield repr(model.policy)
    below = (model.inner, *getattr(model.policy, "models", ()))
    for number, inner in enumerate(below, 1):
        last = number == len(below)
        first, *others = _lines(inner)
        yield ("└─ " if last else "├─ ") + first
        yield from (("   " if last else "│  ") + line for line in others)


def _name(model: Any) -> str:
    model_id = getattr(model, "model_id", None)
    return f"{type(model).__name__}({model_id!r})" if model_id else type(model).__name__
