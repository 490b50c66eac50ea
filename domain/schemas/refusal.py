"""What a dialect of JSON Schema can't say, by its place in the schema."""

from __future__ import annotations

import attrs


@attrs.frozen
class Refusal:
    """`why` the schema can't be said in a dialect, and the `place` of it: `properties.age.minimum`, or empty."""

    dialect: str
    place: str
    why: str
    page: str

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{place}{self.why}; {self.dialect} has no word for it ({self.page})"


class CannotSay(Exception):
    """Raised within a rewriting, at the place that can't be said."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(place, why)
        self.place, self.why = place, why


def inside(place: str, *steps: object) -> str:
    """The place below another.

    >>> inside("properties.tags", "items", "anyOf", 0)
    'properties.tags.items.anyOf.0'
    """
    return ".".join(str(step) for step in (place, *steps) if step != "")
