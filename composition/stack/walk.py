"""What stands below what in a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs

from ...domain.frozen import EMPTY, FrozenDict
from ...domain.model import Model
from ...domain.options.option import merge
from ..show.diagram import Node
from .policy import Decorated, is_unseen


def below(model: Model) -> tuple[Model, ...]:
    """The model under a layer, and those that the layer brings; none below one that isn't under a layer."""
    return (model.inner, *getattr(model.policy, "models", ())) if isinstance(model, Decorated) else ()


def tree(model: Model) -> Node:
    """The stack as a tree of boxes: a policy's name and settings, over the models that it may ask."""
    if is_unseen(model):
        return tree(model.inner)
    whole = repr(model.policy) if isinstance(model, Decorated) else name_of(model)
    name, bracket, settings = whole.partition("(")
    closed = bracket and settings.endswith(")")
    said = (name, settings[:-1]) if closed else (whole, "")
    return Node(*said, tuple(map(tree, below(model))))


def name_of(model: Model) -> str:
    """The class of a model, and its id where it has one."""
    model_id = getattr(model, "model_id", None)
    return f"{type(model).__name__}({model_id!r})" if model_id else type(model).__name__


def layers_of(model: Model) -> Iterator[Any]:
    """The policies over the model at the bottom, from the outermost, without those that only make its ledger."""
    while isinstance(model, Decorated):
        if not is_unseen(model):
            yield model.policy
        model = model.inner


def leaves(model: Model) -> Iterator[Model]:
    """Every model in a stack that may answer, from the left."""
    under = below(model)
    if not under:
        yield model
    for each in under:
        yield from leaves(each)


def in_effect(model: Model) -> Iterator[tuple[Model, FrozenDict]]:
    """Every model in a stack that may answer, and its options under those of a call: its own, under its layers'."""
    if not isinstance(model, Decorated):
        own = getattr(model, "options", EMPTY)
        yield model, own if isinstance(own, FrozenDict) else EMPTY  # what isn't ours may mean something else by it
        return
    of_layer = getattr(model.policy, "weaker_options", EMPTY)
    for each in below(model):
        for leaf, options in in_effect(each):
            yield leaf, merge(options, of_layer)


def weaker_options(model: Model) -> tuple[FrozenDict, ...]:
    """The options under those of a call, each time that they differ between the models that may answer."""
    every = [options for _, options in in_effect(model)]
    return tuple(options for at, options in enumerate(every) if options not in every[:at])


def first_leaf(model: Model) -> Model:
    """The model at the bottom, which is asked first unless a layer decides otherwise."""
    while isinstance(model, Decorated):
        model = model.inner
    return model


def model_id_of(model: Model) -> str | None:
    """The id of the model at the bottom."""
    return getattr(first_leaf(model), "model_id", None)


def with_each(model: Decorated, change: Callable[[Model], Model]) -> Decorated:
    """The same layer over what `change` makes of each model below it; itself, where that is the same."""
    policy: Any = model.policy
    inner, brought = change(model.inner), getattr(policy, "models", ())
    changed = tuple(map(change, brought))
    if any(new is not old for new, old in zip(changed, brought, strict=True)):
        policy = attrs.evolve(policy, models=changed)
    return model if inner is model.inner and policy is model.policy else attrs.evolve(model, inner=inner, policy=policy)
