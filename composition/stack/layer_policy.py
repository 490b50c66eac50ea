"""What a policy of this package says of itself: its fields are its layer's arguments, and all else follows from them.

From this one place come its repr, the form in which a configuration holds it, its bounds, and its like in another time.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Self

import attrs

from ...adapters.process.sealed import Sealed
from ...domain.machines.bounds import Bounds
from ...domain.model import Model


class Rehearsal(Protocol):
    """Another time, in which a stack is played: with other clocks, other chance, and shared states of its own."""

    clock: Any
    chance: Any

    def shared(self, value: Any) -> Any:
        """Another state like this one, the same for each layer that shares it; what can't be shared, as it is."""
        ...

    def model(self, model: Model) -> Model:
        """The model that stands for this one there."""
        ...


_AS = "argument"


def passed_as(argument: str) -> Any:
    """A field that its layer takes under another name."""
    return attrs.field(metadata={_AS: argument})


def brought(default: Any, *, eq: bool = True) -> Any:
    """A field that no argument gives: what the model below has brought, or what was made of the arguments."""
    return attrs.field(default=default, kw_only=True, eq=eq, metadata={_AS: None})


@attrs.frozen(repr=False)
class LayerPolicy(Sealed):
    """A policy whose fields are its layer's arguments, by the same names unless `passed_as` says another."""

    plays_model: ClassVar[bool] = False
    """Whether its calls are the physical ones, as it answers in the model's place."""

    enters: ClassVar[bool] = False
    """Whether it enters the calls of the bare model that it stands on into a journal."""

    def arguments(self) -> dict[str, Any]:
        """What its layer was called with, without what is so by default."""
        named = {field.metadata.get(_AS, field.name): field for field in attrs.fields(type(self)) if field.init}
        values = {name: (getattr(self, field.name), field.default) for name, field in named.items() if name is not None}
        return {name: value for name, (value, default) in values.items() if value != default}

    def bounds(self, below: Bounds, *_: Bounds) -> Bounds:
        """The most that a call comes to, given that of the model below, and of each other that it brings."""
        return below

    def rehearsed(self, at: Rehearsal) -> Self | None:
        """The same policy in another time; None for one that is left out there."""
        new: dict[str, Any] = {"clock": at.clock, "chance": at.chance}
        fields = {field.alias: getattr(self, field.name) for field in attrs.fields(type(self)) if field.init}
        changes = {name: new.get(name, at.shared(value)) for name, value in fields.items() if name != "models"}
        if "models" in fields:
            changes["models"] = tuple(at.model(each) for each in fields["models"])
        return attrs.evolve(self, **changes)

    def shown(self) -> dict[str, Any]:
        """What its repr says, by name; where a name is empty, the text alone."""
        return {name: value for name, value in self.arguments().items() if name not in ("clock", "chance")}

    def __repr__(self) -> str:
        settings = (f"{name}={_written(value)}" if name else str(value) for name, value in self.shown().items())
        return f"{type(self).__name__}({', '.join(settings)})"


def _written(value: Any) -> str:
    """Kinds are shown as they can be given, and in one order."""
    return repr(sorted(map(str, value)) if isinstance(value, frozenset) else value)
