"""Numbers that people pass, checked: what isn't what it must be is refused by its name."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import attrs


@attrs.frozen
class Number:
    """What a number must be: from `least` or above `above`, to `most` or below `below`; `whole` for no fraction.

    `due` completes the sentence that begins with the number's name. With `sort`, which does so as well, a value that is
    no such number at all is a TypeError. True and False are no numbers.
    """

    due: str
    sort: str | None = None
    least: float = attrs.field(default=-math.inf, kw_only=True)
    above: float | None = attrs.field(default=None, kw_only=True)
    most: float = attrs.field(default=math.inf, kw_only=True)
    below: float | None = attrs.field(default=None, kw_only=True)
    whole: bool = attrs.field(default=False, kw_only=True)

    def check(self, value: Any, name: str) -> None:
        """Raises ValueError, or TypeError for what is no such number, where it isn't so.

        >>> SHARE.check(1.5, "with_hedge: share")
        Traceback (most recent call last):
        ValueError: with_hedge: share must be a share above 0 and at most 1, not 1.5
        """
        of_sort = isinstance(value, int if self.whole else (int, float)) and not isinstance(value, bool)
        if not of_sort and self.sort is not None:
            raise TypeError(f"{name} {self.sort}, not {value!r}")
        if not (of_sort and self.holds(value)):
            raise ValueError(f"{name} {self.due}, not {value!r}")

    def holds(self, number: float) -> bool:
        """Whether it lies where it must; what is no number (NaN) lies nowhere."""
        inside = self.least <= number <= self.most
        return inside and (self.above is None or self.above < number) and (self.below is None or number < self.below)

    def __call__(self, _: object, field: attrs.Attribute[Any], value: Any) -> None:
        """The same, as a validator of a field."""
        self.check(value, field.name)


@contextmanager
def named(where: str) -> Iterator[None]:
    """What is refused inside is refused by this place, too: `with_hedge: share must be ...`."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from None


def whole(least: int) -> Number:
    """A whole number from this one on.

    >>> whole(1).check(0, "burst")
    Traceback (most recent call last):
    ValueError: burst must be a whole number of at least 1, not 0
    """
    return Number(f"must be a whole number of at least {least}", least=least, whole=True)


SHARE: Final = Number("must be a share above 0 and at most 1", above=0, most=1)
SOME_SECONDS: Final = Number("must be a number of seconds above 0", above=0, below=math.inf)
