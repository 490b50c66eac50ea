"""The one walk over a value that is written down: what sorts of values there are, and what each looks like in JSON.

What JSON has no word for is a mapping with one member that names it: `{"omit": true}`, `{"bytes": "..."}`,
`{"float": "nan"}`, and `{"map": [[name, value], ...]}` for a mapping that looks like one of these or whose names aren't
text. A form may put a mark before these words, write some sorts of values in another way, and refuse others.
"""

from __future__ import annotations

import base64
import enum
import math
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final, NoReturn

from ..options.option import Omit

_SORTS: Final[tuple[tuple[str, tuple[type, ...]], ...]] = (
    ("omit", (Omit,)),
    ("text", (str,)),
    ("member", (enum.Enum,)),
    ("plain", (type(None), bool, int)),
    ("number", (float,)),
    ("data", (bytes, bytearray, memoryview)),
    ("mapping", (Mapping,)),
    ("sequence", (list, tuple)),
    ("collection", (set, frozenset)),
    ("other", (object,)),
)
"""The sorts of values: each is written by the method of this name, what is plain as it is."""


@cache
def _sort(cls: type) -> str:
    return next(sort for sort, classes in _SORTS if issubclass(cls, classes))


class Form:
    """How values are written."""

    mark: ClassVar[str] = ""
    """What stands before the words of this form."""

    words: ClassVar[frozenset[str]] = frozenset()
    """The words with their marks: a mapping with one of them alone would be taken for what it names."""

    def write(self, value: Any, where: str) -> Any:
        """The value in this form. Raises ValueError, naming the place, for what has none."""
        cls: Any = type(value)
        sort = _sort(cls)
        return value if sort == "plain" else getattr(self, sort)(value, where)

    def inside(self, name: object) -> Form:
        """The form of what stands under this name in a mapping."""
        return self

    def omit(self, _: object, where: str, /) -> Any:
        """The mark that takes an option away."""
        return {f"{self.mark}omit": True}

    def text(self, text: str, where: str, /) -> Any:
        """A text, or an enumeration's member that is one: what is sent."""
        return str.__str__(text)

    def number(self, number: float, where: str, /) -> Any:
        """A number with a fraction, infinity, or what is no number."""
        return number if math.isfinite(number) else {f"{self.mark}float": repr(number)}

    def data(self, data: bytes | bytearray | memoryview, where: str, /) -> Any:
        """Bytes."""
        return {f"{self.mark}bytes": base64.b64encode(data).decode()}

    def mapping(self, mapping: Mapping[Any, Any], where: str, /) -> Any:
        """A mapping by name."""
        return self.named(
            {name: self.inside(name).write(item, f"{where}[{name!r}]") for name, item in mapping.items()}, where
        )

    def named(self, items: dict[Any, Any], where: str) -> Any:
        """A mapping whose items are written already."""
        if all(isinstance(name, str) for name in items) and not (len(items) == 1 and items.keys() <= self.words):
            return items
        return {f"{self.mark}map": [[self.write(name, where), item] for name, item in items.items()]}

    def sequence(self, sequence: Sequence[Any], where: str, /) -> Any:
        """A list or a tuple."""
        return [self.write(item, f"{where}[{at}]") for at, item in enumerate(sequence)]

    def member(self, member: enum.Enum, where: str, /) -> Any:
        """An enumeration's member that is no text."""
        return self.write(member.value, where)

    def collection(self, collection: Collection[Any], where: str, /) -> Any:
        """A set."""
        self.refuse(collection, where)

    def other(self, value: Any, where: str, /) -> Any:
        """What is none of these."""
        self.refuse(value, where)

    def refuse(self, value: object, where: str, /) -> NoReturn:
        """What can't be written is refused, with its place."""
        raise ValueError(f"{where}: {value!r} has no form in JSON")
