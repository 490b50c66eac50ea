"""Numbers are checked in one place: what isn't what it must be is refused by its name."""

from __future__ import annotations

import math
from typing import Any

import attrs
import pytest

from modelport.domain.checks import SHARE, SOME_SECONDS, Number, whole


@pytest.mark.parametrize(
    ("number", "legal", "refused"),
    [
        (SHARE, (0.1, 1), (0, 1.1, True, "1", None, math.nan)),
        (SOME_SECONDS, (0.1, 9), (0, -1, math.inf, math.nan, True)),
        (whole(1), (1, 10**30), (0, 1.0, True, "1")),
        (Number("must be 0 or more", least=0), (0, math.inf), (-1, math.nan, False)),
        (Number("must be below 1", below=1), (-math.inf, 0.9), (1, math.nan)),
    ],
    ids=range(5),
)
def test_a_number_lies_within_its_ends(number: Number, legal: tuple[Any, ...], refused: tuple[Any, ...]) -> None:
    for value in legal:
        number.check(value, "x")
    for value in refused:
        with pytest.raises(ValueError, match="^x must be .*, not "):
            number.check(value, "x")


def test_what_is_no_number_of_the_sort_is_a_type_error() -> None:
    most = Number("must be at least 1", "must be a whole number", least=1, whole=True)
    with pytest.raises(TypeError, match="^max must be a whole number, not 1.5$"):
        most.check(1.5, "max")
    with pytest.raises(ValueError, match="^max must be at least 1, not 0$"):
        most.check(0, "max")


def test_a_field_is_refused_by_its_name() -> None:
    @attrs.frozen
    class Pause:
        seconds: float = attrs.field(validator=SOME_SECONDS)

    with pytest.raises(ValueError, match="^seconds must be a number of seconds above 0, not 0$"):
        Pause(0)
