"""Questions that an error is asked, and their combinations: `when(kind="server") & ~when(sent="yes")`.

They are values: they compare, print as they are written, and can be sent to another process.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import attrs

from .error import ErrorKind, Fault, ModelError, Scope, Sent


class Question(ABC):
    """Asks an error something; combined with `|`, `&` and `~`."""

    __slots__ = ()

    @abstractmethod
    def __call__(self, error: ModelError) -> bool:
        """Whether it is so."""

    def __or__(self, other: Question) -> Question:
        return AnyOf((self, other)) if isinstance(other, Question) else NotImplemented

    def __and__(self, other: Question) -> Question:
        return AllOf((self, other)) if isinstance(other, Question) else NotImplemented

    def __invert__(self) -> Question:
        return NoneOf(self)


@attrs.frozen(repr=False)
class When(Question):
    """Whether each of these fields of an error, or of what its kind means, has one of the values."""

    fields: tuple[tuple[str, frozenset[Any]], ...]

    def __call__(self, error: ModelError) -> bool:
        """Whether it is so."""
        return all(_value(error, name) in values for name, values in self.fields)

    def __repr__(self) -> str:
        shown = (f"{name}={_shown(values)}" for name, values in self.fields)
        return f"when({', '.join(shown)})"


@attrs.frozen(repr=False)
class AnyOf(Question):
    """Whether one of several is so."""

    questions: tuple[Question, ...]

    def __call__(self, error: ModelError) -> bool:
        """Whether it is so."""
        return any(question(error) for question in self.questions)

    def __repr__(self) -> str:
        return f"({' | '.join(map(repr, self.questions))})"


@attrs.frozen(repr=False)
class AllOf(Question):
    """Whether all of several are so."""

    questions: tuple[Question, ...]

    def __call__(self, error: ModelError) -> bool:
        """Whether it is so."""
        return all(question(error) for question in self.questions)

    def __repr__(self) -> str:
        return f"({' & '.join(map(repr, self.questions))})"


@attrs.frozen(repr=False)
class NoneOf(Question):
    """Whether another isn't so."""

    question: Question

    def __call__(self, error: ModelError) -> bool:
        """Whether it is so."""
        return not self.question(error)

    def __repr__(self) -> str:
        return f"~{self.question!r}"


_ENUMS = {"kind": ErrorKind, "fault": Fault, "scope": Scope, "sent": Sent}
_PLAIN = {"status": int, "code": str, "provider": str, "retry": bool, "fall_back": bool}  # the others are enums
_OF_MEANING = frozenset({"fault", "retry", "fall_back", "breaks_circuit"})


def when(
    *,
    kind: ErrorKind | str | Iterable[ErrorKind | str] | None = None,
    sent: Sent | str | Iterable[Sent | str] | None = None,
    scope: Scope | str | Iterable[Scope | str] | None = None,
    fault: Fault | str | Iterable[Fault | str] | None = None,
    status: int | Iterable[int] | None = None,
    code: str | Iterable[str] | None = None,
    provider: str | Iterable[str] | None = None,
    retry: bool | None = None,
    fall_back: bool | None = None,
) -> Question:
    """Asks whether an error has all of these; of several values for one of them, any will do.

    `fault`, `retry` and `fall_back` are what the error's kind means. For `on=` of every layer that has one. Raises
    ValueError for a value that no error has, and TypeError when nothing is asked.

    >>> overload = when(kind="overloaded") | when(status=[502, 503])
    >>> overload(ModelError("server", "bad gateway", status=502))
    True
    >>> ~overload & when(retry=True)
    (~(when(kind='overloaded') | when(status=[502, 503])) & when(retry=True))
    """
    asked = {
        "kind": kind,
        "sent": sent,
        "scope": scope,
        "fault": fault,
        "status": status,
        "code": code,
        "provider": provider,
        "retry": retry,
        "fall_back": fall_back,
    }
    fields = tuple((name, _values(name, value)) for name, value in asked.items() if value is not None)
    if not fields:
        raise TypeError("when: ask something, such as when(kind='server') or when(sent='no')")
    return When(fields)


def _values(name: str, value: Any) -> frozenset[Any]:
    several = value if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    enum = _ENUMS.get(name)
    try:
        values = frozenset(enum(each) for each in several) if enum is not None else frozenset(several)
    except ValueError as error:
        raise ValueError(f"when: {name}: {error}; there are {', '.join(_ENUMS[name])}") from None
    for value in values:
        if not isinstance(value, _PLAIN.get(name, str)):
            raise ValueError(f"when: {name}: {value!r} is no {_PLAIN[name].__name__}, as every {name} of an error is")
    if not values:
        raise ValueError(f"when: {name}: there are no values to compare with; leave it out")
    return values


def _value(error: ModelError, name: str) -> Any:
    return getattr(error.meaning if name in _OF_MEANING else error, name)


def _shown(values: frozenset[Any]) -> str:
    plain = sorted(str(value) if isinstance(value, str) else value for value in values)
    return repr(plain[0] if len(plain) == 1 else plain)
