"""The same stack again, with nothing of what has happened to it: other models at its ends, other clocks, other chance.

Every layer is made anew of its own arguments. What several layers share is shared again; what reads or writes files,
or only tells of calls, is left out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

import attrs

from ..adapters.clock import Chance, Clock
from ..domain.model import Model
from .cache import Cache, with_cache
from .compose import Layer
from .layers import LAYERS
from .log import Log
from .machines import MACHINES
from .policy import Decorated, Direct
from .rate_limit import RateLimit
from .recording import Recording
from .replay import Replay
from .trace import Trace

_LEFT_OUT: Final = (Direct, Log, Recording, Replay, Trace)
_SEVERAL, _OPTIONS = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


class Rebuild:
    """Makes the stack again; `leaf` gives a model for each one that the layers stand on, and one for each alone."""

    def __init__(self, leaf: Callable[[Model], Model], clock: Clock, chance: Chance) -> None:
        self._leaf, self._clock, self._chance = leaf, clock, chance
        self._leaves: dict[int, Model] = {}
        self._machines: dict[int, Any] = {}

    def __call__(self, model: Model) -> Model:
        """The stack. Raises TypeError for a layer that isn't of this package: nobody knows how it is made."""
        if not isinstance(model, Decorated):
            return self._leaves.setdefault(id(model), self._leaf(model))
        inner = self(model.inner)
        policy: Any = model.policy
        if type(policy) in _LEFT_OUT:
            return inner
        make = LAYERS.get(type(policy))
        if make is None:
            raise TypeError(f"{policy!r} is a layer of your own, which can't be made again in another time")
        return self._layer(make, policy)(inner)

    def _layer(self, make: Callable[..., Layer], policy: Any) -> Layer:
        if isinstance(policy, Cache):  # in memory, whatever its store: what is on the disk is of another time
            return with_cache(max_bytes=policy.max_bytes, ttl=policy.ttl, name=policy.name or "", clock=self._clock)
        parameters = inspect.signature(make).parameters
        own = (getattr(policy, field.name) for field in attrs.fields(type(policy)))
        machine = next((held for held in own if type(held) in MACHINES), None)
        if machine is None and isinstance(policy, RateLimit):
            raise TypeError(f"{policy!r} is a limiter of the application, which waits in its own time")
        named: dict[str, Any] = {}
        done: tuple[str, ...] = ()
        if machine is not None:
            first = next(iter(parameters))
            named[first] = self._machine(machine)
            done = (first, *MACHINES[type(machine)].arguments(machine))
        several: list[Model] = []
        for name, parameter in parameters.items():
            if name == "clock":
                named[name] = self._clock
            elif name == "chance":
                named[name] = self._chance
            elif parameter.kind is _SEVERAL:
                several = [self(each) for each in policy.models]
            elif parameter.kind is _OPTIONS:
                named |= getattr(policy, name)
            elif name not in done and hasattr(policy, name):
                named[name] = getattr(policy, name)
        return make(*several, **named)

    def _machine(self, machine: Any) -> Any:
        kind = MACHINES[type(machine)]
        made = self._machines.get(id(machine))
        if made is None:
            arguments = dict(kind.arguments(machine))
            if "clock" in arguments:
                arguments["clock"] = self._clock
            made = self._machines[id(machine)] = kind.make(**arguments)
        return made
