"""The same stack again, with nothing of what has happened to it: other models at its ends, other clocks, other chance.

Every policy is made anew of its own settings. What several layers share is shared again; what reads or writes files, or
only tells of calls, is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...adapters.process.clock import Chance, Clock
from ...adapters.process.shared import Shared
from ...domain.model import Model
from ..stack.policy import Decorated, Direct


class Rehearsed:
    """Makes the stack again; `leaf` gives a model for each one that the layers stand on, and one for each alone."""

    def __init__(self, leaf: Callable[[Model], Model], clock: Clock, chance: Chance) -> None:
        self.clock, self.chance = clock, chance
        self._leaf = leaf
        self._leaves: dict[int, Model] = {}
        self._shared: dict[int, Any] = {}

    def model(self, model: Model) -> Model:
        """The stack. Raises TypeError for a layer that isn't of this package: nobody knows how it is made."""
        if not isinstance(model, Decorated):
            return self._leaves.setdefault(id(model), self._leaf(model))
        policy: Any = model.policy
        inner = self.model(model.inner)
        if type(policy) is Direct:
            return inner
        if not hasattr(policy, "rehearsed"):
            raise TypeError(f"{policy!r} is a layer of your own, which can't be made again in another time")
        new = policy.rehearsed(self)
        return inner if new is None else Decorated(inner, new, self.clock, model.declared)

    def shared(self, value: Any) -> Any:
        """A state like this one, the same for all that share it; what can't be shared, as it is."""
        if not isinstance(value, Shared):
            return value
        if id(value) not in self._shared:
            arguments = value.arguments()
            clock = {"clock": self.clock} if "clock" in arguments else {}
            self._shared[id(value)] = type(value)(**{**arguments, **clock})
        return self._shared[id(value)]
