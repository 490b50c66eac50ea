"""What a docstring says of a function and of its parameters, in the style of Google, Sphinx or NumPy."""

from __future__ import annotations

import re

_GOOGLE = re.compile(r"^(Args|Arguments|Parameters|Params|Attributes|Keyword Args):\s*$")
_NUMPY = re.compile(r"^(Parameters|Attributes)\s*$")
_SPHINX = re.compile(r"^:(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_GOOGLE_ITEM = re.compile(r"^\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)$")
_NUMPY_ITEM = re.compile(r"^\*{0,2}(\w+)(?:\s*:.*)?$")
_OTHER = re.compile(
    r"^(Returns?|Yields?|Raises|Examples?|Notes?|Warnings?|See Also|References):?\s*$"
    r"|^(Returns?|Raises):\s|^:\w+.*:|^>>>"
)
_RULE = re.compile(r"^-{3,}\s*$")


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    r"""The description, and the parameters' descriptions by name.

    >>> read_docstring("Weather of a place.\n\nArgs:\n    city: where, by name")
    ('Weather of a place.', {'city': 'where, by name'})
    """
    lines = text.strip().splitlines()
    summary: list[str] = []
    descriptions: dict[str, list[str]] = {}
    at = 0
    while at < len(lines):
        line = lines[at].strip()
        under = lines[at + 1] if at + 1 < len(lines) else ""
        if sphinx := _SPHINX.match(line):
            at = _collect(lines, at + 1, descriptions.setdefault(sphinx[1], [sphinx[2]]))
        elif _GOOGLE.match(line):
            at = _items(lines, at + 1, _GOOGLE_ITEM, descriptions, _indent(lines[at]) + 1)
        elif _NUMPY.match(line) and _RULE.match(under.strip()):
            at = _items(lines, at + 2, _NUMPY_ITEM, descriptions, _indent(lines[at]))
        elif _OTHER.match(line) or _RULE.match(under.strip()):
            at = _collect(lines, at + 1, [])
        else:
            if not descriptions:
                summary.append(line)
            at += 1
    described = {name: " ".join(filter(None, parts)) for name, parts in descriptions.items()}
    return "\n".join(summary).strip(), {name: words for name, words in described.items() if words}


def _items(lines: list[str], at: int, pattern: re.Pattern[str], descriptions: dict[str, list[str]], least: int) -> int:
    """Reads the items of a section, which stand `least` columns in; gives the line after it."""
    level: int | None = None
    current: list[str] = []
    while at < len(lines):
        line = lines[at]
        if line.strip():
            indent = _indent(line)
            level = indent if level is None else level
            ended = at + 1 < len(lines) and _RULE.match(lines[at + 1].strip())
            if indent < max(least, level) or ended:
                return at
            item = pattern.match(line.strip()) if indent == level else None
            if item is not None:
                current = descriptions.setdefault(item[1], [])
                current += item.groups()[1:]
            else:
                current.append(line.strip())
        at += 1
    return at


def _collect(lines: list[str], at: int, into: list[str]) -> int:
    """Takes the indented lines that go on with a field; gives the line after them."""
    while at < len(lines) and lines[at].strip() and _indent(lines[at]):
        into.append(lines[at].strip())
        at += 1
    return at


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
