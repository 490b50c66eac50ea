"""How a stack is put together: layers over a model, from the model outwards."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import count
from typing import Any, Final, Literal, overload

from ...domain.model import Model
from ..show.diagram import diagram
from .policy import Decorated, Direct, P, is_unseen
from .walk import below, name_of, tree

Layer = Callable[[Model], Model]
"""Makes a better model of another one."""

MAKER: Final = "makes_layer"
"""The mark of a function that makes a layer, such as `with_retry`."""


LayerOf = Callable[[Model], Decorated[P]]
"""A layer that is known to put this policy over the model."""


@overload
def compose(model: Decorated[P]) -> Decorated[P]: ...
@overload
def compose(model: Model, *layers: *tuple[*tuple[Layer, ...], LayerOf[P]]) -> Decorated[P]: ...
@overload
def compose(model: Model, *layers: Layer) -> Decorated: ...
def compose(model: Model, *layers: object) -> Decorated:
    """The model under these layers, the first of them nearest to it.

    The result is a frozen value that has the port's members, can be called, and prints its nesting; its `policy` is
    that of the last layer. Raises TypeError,
    naming the place, for what is no model or no layer.

    >>> from modelport import ScriptedModel, with_retry
    >>> stack = compose(ScriptedModel("Hello!"), with_retry())
    >>> stack("Hi").text, stack.policy.attempts
    ('Hello!', 4)
    """
    expect_model(model, "compose: the first argument is")
    places = enumerate(layers, 1)
    stack = reduce(_apply, places, model)
    return stack if isinstance(stack, Decorated) else Decorated(stack, Direct())


def _apply(model: Model, place: tuple[int, Any]) -> Model:
    number, layer = place
    name = getattr(layer, "__name__", repr(layer))
    where = f"compose: layer {number} ({name})"
    if not callable(layer) or isinstance(layer, Model) and not isinstance(layer, type):
        raise TypeError(f"{where} is not a layer; a second model goes into with_fallback(...)")
    if hasattr(layer, MAKER):
        raise TypeError(f"{where} makes the layer: its parentheses are missing: {name}(...)")
    try:
        better = layer(model)
    except TypeError as error:
        error.add_note(f"{where} was called with the model; does it want its own arguments first: {name}(...)?")
        raise
    if not isinstance(better, Model) and callable(better):
        raise TypeError(f"{where} gave another function, not a model; call it first: {name}(...)")
    return expect_model(better, where + " gave")


def expect_model(value: object, what: str) -> Model:
    """The value, which is a model. Raises TypeError, with the fix, for what is none."""
    if isinstance(value, type) or not isinstance(value, Model):
        fix = "; from_function(...) makes one of it" if hasattr(value, "generate") or inspect.isroutine(value) else ""
        needs = "it needs capabilities, generate(...) and stream(...)"
        layer = getattr(value, "__qualname__", "").partition(".")[0]
        if layer.startswith("with_"):
            needs, fix = "a layer comes after the model", f": compose(model, {layer}(...))"
        raise TypeError(f"{what} {value!r}, which is not a model: {needs}{fix}")
    return value


def describe(model: Model, form: Literal["text", "mermaid", "svg"] = "text") -> str:
    """The stack as text, outermost first: a line for each policy, each candidate and each model.

    As `mermaid` it is a diagram that documentation pages draw, as `svg` a picture. Raises ValueError for another form.

    >>> from modelport import ScriptedModel, with_retry
    >>> print(describe(compose(ScriptedModel("Hello!"), with_retry(attempts=2))))
    Retry(attempts=2)
    └─ ScriptedModel
    """
    if form not in ("text", "mermaid", "svg"):
        raise ValueError(f"describe: form is 'text', 'mermaid' or 'svg', not {form!r}")
    expect_model(model, "describe: the argument is")
    if form == "svg":
        return diagram(tree(model), alone=True)
    return "\n".join(_lines(model) if form == "text" else ("flowchart TD", *_nodes(model, count())))


def _nodes(model: Model, numbers: Iterator[int]) -> Iterator[str]:
    """The lines of a diagram; the first of them is of the model itself."""
    if is_unseen(model):
        yield from _nodes(model.inner, numbers)
        return
    name = f"n{next(numbers)}"
    label = repr(model.policy) if isinstance(model, Decorated) else name_of(model)
    left, right = ("[", "]") if isinstance(model, Decorated) else ("([", "])")
    yield f'    {name}{left}"{label.replace(chr(34), "#quot;")}"{right}'
    for number, inner in enumerate(below(model)):
        first, *others = _nodes(inner, numbers)
        arrow = "-->" if number == 0 else "-. then .->"
        yield f"    {name} {arrow} {first.strip()}"
        yield from others


def _lines(model: Model) -> Iterator[str]:
    if not isinstance(model, Decorated):
        yield name_of(model)
        return
    if is_unseen(model):
        yield from _lines(model.inner)
        return
    yield repr(model.policy)
    under = below(model)
    for number, inner in enumerate(under, 1):
        last = number == len(under)
        first, *others = _lines(inner)
        yield ("└─ " if last else "├─ ") + first
        yield from (("   " if last else "│  ") + line for line in others)
