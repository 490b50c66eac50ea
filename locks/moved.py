"""Prints what moved from one folder of locks to another, and which tests failed with it: the table of `make latest`.

python locks/moved.py OLD NEW REPORTS     REPORTS holds pytest's reports in JUnit's form
"""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def moved(old: Path, new: Path) -> list[tuple[str, str, str, str]]:
    """The lock, the dependency, and its versions before and after; "-" where it isn't in one of them."""
    rows = []
    for lock in sorted(new.glob("*.txt")):
        before, after = _versions(old / lock.name), _versions(lock)
        names = sorted(before.keys() | after.keys())
        both = ((lock.stem, name, before.get(name, "-"), after.get(name, "-")) for name in names)
        rows += [row for row in both if row[2] != row[3]]
    return rows


def failed(reports: Path) -> list[tuple[str, str, str]]:
    """The target, the test and the first line of what it said."""
    rows = []
    for report in sorted(reports.glob("*.xml")):
        for case in ET.parse(report).iter("testcase"):
            for outcome in (*case.findall("failure"), *case.findall("error")):
                said = (outcome.get("message") or "").strip().splitlines() or [""]
                rows.append((report.stem, f"{case.get('classname')}::{case.get('name')}", said[0][:100]))
    return rows


def _versions(lock: Path) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for name, version in _PIN.findall(lock.read_text() if lock.exists() else ""):
        found.setdefault(name, []).append(version)
    return {name: " or ".join(versions) for name, versions in found.items()}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
        for row in (head, ("---",) * len(head), *rows)
    )


def told(old: Path, new: Path, reports: Path) -> tuple[str, bool]:
    """The tables of what moved and of what fails, and whether all went well."""
    changes, wrong = moved(old, new), failed(reports)
    ran = sorted(each.stem for each in reports.glob("*.xml"))
    parts = [_table(("lock", "dependency", "locked", "newest"), changes) if changes else "Nothing has moved."]
    if wrong:
        parts.append(_table(("target", "test", "what it said"), wrong))
    parts.append(f"{len(wrong)} tests fail in {', '.join(ran)}." if ran else "No target has run to its end.")
    return "\n\n".join(parts), bool(ran) and not wrong


if __name__ == "__main__":
    text, well = told(*map(Path, sys.argv[1:]))
    print(text)
    sys.exit(not well)
