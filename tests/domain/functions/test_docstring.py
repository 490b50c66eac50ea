"""What docstrings say."""

import pytest

from modelport.domain.functions.docstring import read_docstring


@pytest.mark.parametrize(
    ("text", "summary", "said"),
    [
        ("", "", {}),
        ("Only words:\nand more.", "Only words:\nand more.", {}),
        (
            "S.\n\n:param x: the x\n    and on\n:param int y: the y\n:type x: int\n:returns: it\n    all",
            "S.",
            {"x": "the x and on", "y": "the y"},
        ),
        (
            (
                "S.\n\nParameters\n----------\nx : int\n"
                "    the x\n\n    and on\ny\n    the y\n\nReturns\n-------\nint\n    it"
            ),
            "S.",
            {"x": "the x and on", "y": "the y"},
        ),
        ("S.\n\nParameters\n----------\nx : int\n    the x\nReturns\n-------\nint", "S.", {"x": "the x"}),
        (
            (
                "S.\n\nArgs:\n    x: the x: really\n      no: not one\n"
                "    *y (int, optional): the y\n\n    z:\n        the z\n\nMore."
            ),
            "S.",
            {"x": "the x: really no: not one", "y": "the y", "z": "the z"},
        ),
        ("S.\n\nReturns: it\n\nArgs:\n    x: the x\n    y:", "S.", {"x": "the x"}),
        ("S.\n\nRaises:\n    ValueError: never\n\nExample:\n    >>> f()", "S.", {}),
        ("S.\n\nArgs:", "S.", {}),
    ],
)
def test_docstrings(text: str, summary: str, said: dict[str, str]) -> None:
    """The description ends where the sections begin, whatever their style."""
    assert read_docstring(text) == (summary, said)
