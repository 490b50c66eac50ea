"""The site holds every page once, and its reference every public name; `make docs` finds what else is wrong."""

import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from paths import ROOT

DOCS = ROOT / "docs"


def pages(entries: list[Any]) -> Iterator[str]:
    """The pages of the navigation, whatever section they stand in."""
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        else:
            for section in entry.values():
                yield from pages(section)


def test_every_page_stands_in_the_navigation_once():
    site = tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]
    assert sorted(pages(site["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize("package", ["modelport", "modelport.adapters", "modelport.composition", "modelport.domain"])
def test_every_public_name_stands_in_the_reference(package):
    text = "".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))
    shown = {path.rpartition(".")[2] for path in re.findall(r"^::: (\S+)$", text, re.MULTILINE)}
    assert set(import_module(package).__all__) - shown == set(), "write `::: modelport.NAME` into docs/reference"
