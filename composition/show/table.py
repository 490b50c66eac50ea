"""A table as HTML, for a notebook; what stands in it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LEFT = 'style="text-align:left"'


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The table with these columns, its cells aligned to the left.

    >>> "a &lt; b" in table(["rule"], [["a < b"]])
    True
    """
    head = _row("th", columns)
    return f"<table><thead>{head}</thead><tbody>{''.join(_row('td', row) for row in rows)}</tbody></table>"


def _row(cell: str, said: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{cell} {_LEFT}>{escape(each)}</{cell}>' for each in said)}</tr>"
