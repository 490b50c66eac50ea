"""Options for every call that passes: the call's own stand over them, and they stand over the model's.

A layer nearer to the call is stronger than one nearer to the model. `OMIT` takes an option away from what is weaker.
"""

from __future__ import annotations

from typing import Any, Unpack

import attrs
from returns.result import Result

from ...domain.error import ModelError
from ...domain.frozen import FrozenDict
from ...domain.model import Model
from ...domain.options.call_options import CallOptions
from ...domain.options.option import canonical, merge
from ...domain.options.option_names import KNOWN
from ...domain.request import Request, with_options
from ...domain.secrecy import shown
from ..stack.compose import LayerOf
from ..stack.layer_maker import makes_layer
from ..stack.layer_policy import LayerPolicy
from ..stack.opened import T
from ..stack.policy import Call, Decorated


@attrs.frozen(repr=False)
class Defaults(LayerPolicy):
    """What `with_defaults` does on each call."""

    options: FrozenDict

    def shown(self) -> dict[str, Any]:
        """The options, without their secrets."""
        return {"": shown(self.options)}

    @property
    def weaker_options(self) -> FrozenDict:
        """What a call's own options stand over; for those who look at a stack before it is called."""
        return self.options

    async def __call__(self, call: Call[T], model: Model, request: Request, /) -> Result[T, ModelError]:
        """The call, with these options where it names none of its own."""
        return await call(model, with_options(request, merge(self.options, request.options)))


@makes_layer
def with_defaults(**options: Unpack[CallOptions]) -> LayerOf[Defaults]:
    """A layer that puts these options under those of every call.

    What the call says stands; where it says nothing, these do; then what the model was made with. `OMIT` takes an
    option away from the model under the layer, and a call's `OMIT` takes away the layer's. Names are as in a call,
    aliases too. Raises ValueError or TypeError, naming the option, for what no call could have.
    """
    policy = Defaults(canonical(options, "with_defaults", known=KNOWN))
    return lambda model: Decorated(model, policy)
