"""Which errors a policy acts on: a set of kinds, or a question asked of the error."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...domain.error import ErrorKind, KindName, ModelError

ErrorFilter = frozenset[ErrorKind] | Callable[[ModelError], bool]
"""Kinds of error, or a function that says whether an error passes."""

OnErrors = ErrorKind | KindName | Iterable[ErrorKind | KindName] | Callable[[ModelError], bool]
"""What people pass as `on=`."""


def as_error_filter(on: OnErrors, where: str) -> ErrorFilter:
    """What people pass as `on=`. Raises ValueError with the legal kinds for an unknown or empty one."""
    if callable(on):
        return on
    if not isinstance(on, Iterable):
        raise TypeError(f"{where}: takes kinds of error or a function of the error, not {on!r}")
    named = (on,) if isinstance(on, str) else tuple(on)
    try:
        kinds = frozenset(ErrorKind(kind) for kind in named)
    except ValueError as error:
        raise ValueError(f"{where}: {error}; the kinds are {', '.join(ErrorKind)}") from None
    if not kinds:
        raise ValueError(f"{where}: an empty set acts on nothing; leave the layer out")
    return kinds


def passes(error_filter: ErrorFilter, error: ModelError) -> bool:
    """Whether the policy acts on this error."""
    return error.kind in error_filter if isinstance(error_filter, frozenset) else bool(error_filter(error))
