"""A model, or a whole stack, as a dict that JSON can hold: what it is made of, without its secrets.

    {"compose": {"adapter": "OpenAIModel", "model_id": "gpt-4o", "options": {"temperature": 0.2}},
     "layers": [{"layer": "with_rate_limit", "rpm": 60}, {"layer": "with_retry", "attempts": 3}]}

Each member is an argument of the adapter's class or of the layer, left out where it is the default. `from_dict` makes
it again.
"""

from __future__ import annotations

from typing import Any

from ...adapters.process.shared import Shared
from ...domain.model import Model
from ..stack.compose import expect_model
from ..stack.policy import Decorated
from ..stack.walk import first_leaf, layers_of
from ..stack.written import Writer, adapter_written
from .layer_names import name_of


def to_dict(model: Model) -> dict[str, Any]:
    """What the model, or the stack, is made of, in values that JSON has.

    A secret is written as the name of its environment variable, `{"env": "MY_KEY"}`. Raises ValueError, naming the
    place and the fix, for a secret that stands in no variable, and for what lives in this process alone: a client that
    was injected, a loaded model, a function.

    >>> from modelport import ScriptedModel, compose, with_retry
    >>> to_dict(compose(ScriptedModel("Hi!"), with_retry(attempts=2)))["layers"]
    [{'layer': 'with_retry', 'attempts': 2}]
    """
    expect_model(model, "to_dict: the argument is")
    writer = Writer()
    _written(model, writer)  # only now is it known which limiters are shared
    return _written(model, writer.again())


def _written(model: Model, writer: Writer) -> dict[str, Any]:
    if not isinstance(model, Decorated):
        return adapter_written(model, writer)
    layers = [_layer(policy, writer) for policy in layers_of(model)]
    return {"compose": _written(first_leaf(model), writer), "layers": layers[::-1]}


def _layer(policy: Any, writer: Writer) -> dict[str, Any]:
    name = name_of(policy)
    if name is None:
        raise ValueError(f"to_dict: {policy!r} is a layer of your own; put it on what from_dict gives")
    written: dict[str, Any] = {"layer": name}
    for argument, value in policy.arguments().items():
        if argument == "models":
            written[argument] = [_written(model, writer) for model in value]
        elif isinstance(value, Shared):
            word, made_of = writer.shared(value, name)
            written |= {argument: {word: made_of}} if "shared" in made_of else made_of
        else:
            written[argument] = writer.write(value, f"{name}: {argument}")
    return written
