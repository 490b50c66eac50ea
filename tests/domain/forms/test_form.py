"""The one walk over a value that is written down."""

from __future__ import annotations

import enum
from typing import Any

import pytest

from modelport.domain.forms.form import Form
from modelport.domain.message import Role
from modelport.domain.options.option import OMIT


class Level(enum.IntEnum):
    HIGH = 3


class Marked(Form):
    mark = "$"
    words = frozenset({"$omit", "$map"})

    def inside(self, name: object) -> Form:
        return Form() if name == "plain" else self


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ((None, True, 3), [None, True, 3]),
        (Role.USER, "user"),
        (Level.HIGH, 3),
        (OMIT, {"$omit": True}),
        (1.5, 1.5),
        (float("-inf"), {"$float": "-inf"}),
        (bytearray(b"a"), {"$bytes": "YQ=="}),
        (memoryview(b"a"), {"$bytes": "YQ=="}),
        ({"a": (OMIT,)}, {"a": [{"$omit": True}]}),
        ({"plain": {"a": OMIT}}, {"plain": {"a": {"omit": True}}}),
        ({"$omit": 1}, {"$map": [["$omit", 1]]}),
        ({"$omit": 1, "a": 2}, {"$omit": 1, "a": 2}),
        ({1: {}}, {"$map": [[1, {}]]}),
    ],
    ids=lambda value: type(value).__name__ if " at 0x" in repr(value) else repr(value),
)
def test_each_sort_of_value_has_its_form(value: Any, written: Any) -> None:
    assert Marked().write(value, "x") == written
    assert type(Marked().write(value, "x")) is type(written)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [print]}, r"^x\['a'\]\[0\]: <built-in function print> has no form in JSON$"),
        ({1}, r"^x: \{1\} has no form in JSON$"),
    ],
)
def test_what_has_no_form_is_named_by_its_place(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Form().write(value, "x")
