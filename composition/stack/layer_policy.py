"""What a policy of this package says of itself: its fields are its layer's arguments, and all else follows from them.

From this one place come its repr, the form in which a configuration holds it, its bounds, and its like in another time.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Protocol, Self

import attrs

from ...domain.machines.bounds import Bounds
from ...domain.model import Model


class Machine(Protocol):
    """What keeps a layer's state, and may be shared by several layers: a limiter, a breaker, a purse, slots."""

    word: ClassVar[str]

    def arguments(self) -> dict[str, Any]:
        """What its class is to be called with to make one like it."""
        ...


MACHINES: Final = ("breaker", "limiter", "purse", "slots")
"""Their words in a configuration."""


def is_machine(value: object) -> bool:
    """Whether it is one of this package."""
    return getattr(type(value), "word", None) in MACHINES


class Rehearsal(Protocol):
    """Another time, in which a stack is played: with other clocks, other chance, and machines of its own."""

    clock: Any
    chance: Any

    def machine(self, machine: Any) -> Any:
        """Another one like this machine, the same for each layer that shares it; what is no machine, as it is."""
        ...

    def model(self, model: Model) -> Model:
        """The model that stands for this one there."""
        ...


_AS = "argument"


def passed_as(argument: str) -> Any:
    """A field that its layer takes under another name."""
    return attrs.field(metadata={_AS: argument})


@attrs.frozen(repr=False)
class LayerPolicy:
    """A policy whose fields are its layer's arguments, by the same names unless `passed_as` says another."""

    plays_model: ClassVar[bool] = False
    """Whether its calls are the physical ones, as it answers in the model's place."""

    enters: ClassVar[bool] = False
    """Whether it enters the calls of the bare model that it stands on into a journal."""

    def arguments(self) -> dict[str, Any]:
        """What its layer was called with, without what is so by default."""
        held = [(field, getattr(self, field.name)) for field in attrs.fields(type(self)) if field.init]
        return {field.metadata.get(_AS, field.name): value for field, value in held if value != field.default}

    def bounds(self, below: Bounds, *others: Bounds) -> Bounds:
        """The most that a call comes to, given that of the model below, and of each other that it brings."""
        del others
        return below

    def rehearsed(self, at: Rehearsal) -> Self | None:
        """The same policy in another time; None for one that is left out there."""
        new: dict[str, Any] = {"clock": at.clock, "chance": at.chance}
        fields = {field.alias: getattr(self, field.name) for field in attrs.fields(type(self)) if field.init}
        changes = {name: new.get(name, at.machine(value)) for name, value in fields.items() if name != "models"}
        if "models" in fields:
            changes["models"] = tuple(at.model(each) for each in fields["models"])
        return attrs.evolve(self, **changes)

    def shown(self) -> dict[str, Any]:
        """What its repr says, by name; where a name is empty, the text alone."""
        return {name: value for name, value in self.arguments().items() if name not in ("clock", "chance")}

    def __repr__(self) -> str:
        said = (f"{name}={value!r}" if name else str(value) for name, value in self.shown().items())
        return f"{type(self).__name__}({', '.join(said)})"
