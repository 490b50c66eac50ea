"""A frozen JSON value: mappings and lists that nobody can change, fit to be hashed and shared.

`freeze` turns dicts into `FrozenDict` and lists into tuples, all the way down; `thaw` turns them back into what an
SDK expects. Anything else passes through both untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn


class FrozenDict(dict[str, Any]):
    """A dict that can't be changed, and so can be hashed and shared.

    It stays a dict, so that it equals a plain one and every JSON library can write it.

    >>> FrozenDict(a=1) == {"a": 1}
    True
    """

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("this mapping is frozen; build a new one: FrozenDict({**old, 'name': value})")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = _refuse
    setdefault = update = _refuse  # pyright: ignore[reportAssignmentType]

    # A dict says that it has no hash, because it can be changed; this one can't.
    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, _: object) -> FrozenDict:
        return self

    def __reduce__(self) -> tuple[type[FrozenDict], tuple[dict[str, Any]]]:
        return (FrozenDict, (dict(self),))


EMPTY = FrozenDict()


def freeze(value: Any) -> Any:
    """The same value with every dict and list in it frozen."""
    if isinstance(value, Mapping):
        return freeze_mapping(value)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return tuple(freeze(item) for item in value)
    return value


def freeze_mapping(value: Mapping[str, Any]) -> FrozenDict:
    """The same mapping, frozen all the way down."""
    if not value:
        return EMPTY
    return FrozenDict({key: freeze(item) for key, item in value.items()})


def thaw(value: Any) -> Any:
    """The same value with plain dicts and lists again: fresh ones, which the receiver may change."""
    if isinstance(value, Mapping):
        return {key: thaw(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [thaw(item) for item in value]
    return value
