"""What is pickled holds no secret: a pickle goes to other processes, machines and files, where others may read it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from ...domain.frozen import FrozenDict, freeze_mapping
from ...domain.secrecy import is_secret
from .secret import NO_SECRETS, Env, is_address_with_secret, variable_of

_FIX: Final = "pass Env('NAME'), or leave it out and set the environment variable that is read without it"


class Sealed:
    """Pickles without secrets: one that was given as text is named by its variable, and refused where it has none.

    `pickle.dumps` raises ValueError then, with the place. A copy in this process keeps what it was given.
    """

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        reduced: Any = super().__reduce_ex__(protocol)
        make, arguments, state, *rest = reduced
        return (make, arguments, _sealed(state, type(self).__name__, False), *rest)

    def __copy__(self) -> Self:
        return self._again(lambda state: state)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._again(lambda state: copy.deepcopy(state, memo))

    def _again(self, change: Callable[[Any], Any]) -> Self:
        reduced: Any = super().__reduce_ex__(4)
        make, arguments, state, *_ = reduced
        again: Self = make(*arguments)
        for name, value in change(state or {}).items():
            object.__setattr__(again, name, value)
        return again


def _sealed(value: Any, where: str, secret: bool) -> Any:
    if isinstance(value, str):
        return _sealed_text(value, where) if secret or "://" in value else value
    if isinstance(value, Mapping):
        new = {
            name: _sealed(item, f"{where}: {str(name).lstrip('_')}", secret or is_secret(str(name).lstrip("_")))
            for name, item in value.items()
        }
        if all(new[name] is item for name, item in value.items()):
            return value
        return freeze_mapping(new) if isinstance(value, FrozenDict) else new
    if type(value) in (list, tuple):
        items = [_sealed(item, where, secret) for item in value]
        return value if all(new is item for new, item in zip(items, value, strict=True)) else type(value)(items)
    return value


def _sealed_text(text: str, where: str) -> str | Env:
    if "://" in text:
        if is_address_with_secret(text):
            raise ValueError(f"{where}: this address has a secret in it, which no pickle may hold")
        return text
    if text.lower() in NO_SECRETS:
        return text
    name = variable_of(text)
    if name is None:
        raise ValueError(f"{where}: a secret was given as text, and no pickle may hold one; {_FIX}")
    return Env(name)
