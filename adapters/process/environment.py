"""Variables of the environment that are read at each call, as they are then.

Where most of them aren't set, `os.environ.get` takes longer than the rest of what is decided by them: it raises and
catches an error for each. So they are looked up where `os.environ` keeps them.
"""

from __future__ import annotations

import os
from typing import Any, Final

from .inside import Inside

_HELD: Final = Inside("Python", "os:_Environ", "_data", "each call takes a little longer")
INSIDES: Final[tuple[Inside, ...]] = (_HELD,)


class Variables:
    """The variables of these names, in this order."""

    __slots__ = ("_keys", "_names")

    def __init__(self, *names: str) -> None:
        self._names, self._keys = names, tuple(map(os.environ.encodekey, names))

    def read(self) -> tuple[str | None, ...]:
        """The text of each as it is now; None for one that isn't set."""
        environment = os.environ
        held: Any = getattr(environment, _HELD.name, None)
        if held is None:
            return tuple(map(environment.get, self._names))
        found = tuple(map(held.get, self._keys))
        if found.count(None) == len(found):
            return found
        return tuple([None if each is None else environment.decodevalue(each) for each in found])
