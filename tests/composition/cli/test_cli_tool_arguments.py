"""What JSON can't say is made of what it does say, as a function's annotations name it; the rest stays as it is."""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, TypedDict
from uuid import UUID

import attrs
import pydantic
import pytest

from modelport import ToolCall
from modelport.composition.cli.inputs.tool_arguments import as_annotated
from modelport.composition.cli.inputs.tool_calls import called


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Dog:
    name: str
    born: date
    friends: list[Dog]


@attrs.frozen
class Point:
    x: float


class Row(TypedDict):
    at: date


class Read(pydantic.BaseModel):
    at: date


Day = NewType("Day", date)
DAY = date(2026, 2, 1)


def taking(hint: Any) -> Any:
    """A function of one argument with this annotation."""

    def function(it: Any) -> None: ...

    function.__annotations__ = {"it": hint, "return": None}
    return function


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (str, "5", "5"),
        (bool, True, True),
        (int, 5.0, 5),
        (float, 5, 5.0),
        (Decimal, 0.1, Decimal("0.1")),
        (date, "2026-02-01", DAY),
        (datetime, "2026-02-01T10:00:00Z", datetime(2026, 2, 1, 10, tzinfo=UTC)),
        (time, "10:00", time(10)),
        (UUID, "00000000-0000-0000-0000-000000000001", UUID(int=1)),
        (Path, "a/b", Path("a/b")),
        (Colour, "red", Colour.RED),
        (Literal["a"], "a", "a"),
        (Any, {"a": [1]}, {"a": [1]}),
        (object, "a", "a"),
        (Day, "2026-02-01", DAY),
        (Annotated[date, "a day"], "2026-02-01", DAY),
        (list, [1, "a"], [1, "a"]),
        (Sequence[date], ["2026-02-01"], [DAY]),
        (set[int], [1, 1], {1}),
        (frozenset[int], [1], frozenset({1})),
        (tuple, [1, "a"], (1, "a")),
        (tuple[date, int], ["2026-02-01", 1], (DAY, 1)),
        (tuple[date, ...], ["2026-02-01"], (DAY,)),
        (dict, {"a": 1}, {"a": 1}),
        (Mapping[str, date], {"a": "2026-02-01"}, {"a": DAY}),
        (Dog, {"name": "Rex", "born": "2026-02-01", "friends": []}, Dog("Rex", DAY, [])),
        (Point, {"x": 1}, Point(1.0)),
        (Row, {"at": "2026-02-01"}, {"at": DAY}),
        (Read, {"at": "2026-02-01"}, Read(at=DAY)),
        (date | None, None, None),
        (None | date, "2026-02-01", DAY),
        (int | str, "5", "5"),
        (float | bool, True, True),
        (typing.Optional[list[date]], ["2026-02-01"], [DAY]),  # noqa: UP045  # as older code writes it
        (date | list[date], ["2026-02-01"], [DAY]),
        (Dog | Point, {"x": 1}, Point(1.0)),
    ],
)
def test_a_value_is_read_as_its_annotation_names_it(hint: Any, value: Any, expected: Any) -> None:
    assert as_annotated(taking(hint), {"it": value}) == {"it": expected}
    read = as_annotated(taking(hint), {"it": value})["it"]
    assert type(read) is type(expected)


@pytest.mark.parametrize(
    ("hint", "value", "why"),
    [
        (date, "tomorrow", "at $.it: Invalid isoformat string: 'tomorrow'"),
        (int | None, "5", "at $.it: '5' is none of int, float; '5' is none of dict"),
        (Point, {"x": 1, "y": 2}, "at $.it: Point.__init__() got an unexpected keyword argument 'y'"),
    ],
)
def test_a_value_that_can_not_be_read_is_told_with_its_place(hint: Any, value: Any, why: str) -> None:
    with pytest.raises(ValueError, match="at ") as caught:
        as_annotated(taking(hint), {"it": value})
    assert str(caught.value) == why


def test_the_model_is_told_what_could_not_be_read() -> None:
    def on(day: date) -> str:
        return f"{day:%A}"

    on.__annotations__["day"] = date
    assert called(ToolCall("1", "on", {"day": "2026-02-01"}), {"on": on}).text == "Sunday"
    wrong = called(ToolCall("2", "on", {"day": "tomorrow"}), {"on": on})
    assert (wrong.text, wrong.is_error) == ("ValueError: at $.day: Invalid isoformat string: 'tomorrow'", True)
