"""The documents say what the code says: tables, defaults, links and diagrams."""

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from paths import ROOT

from modelport import with_fallback, with_rate_limit, with_retry
from modelport.domain import error

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LAYERS = {"retry": with_retry, "rate_limit": with_rate_limit, "fallback": with_fallback}


def anchors(page: Path) -> set[str]:
    """The addresses of a page's headings, as Markdown hosts write them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def rows(text: str) -> list[list[str]]:
    """The cells of every line of every table."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_the_table_of_kinds_is_the_domains_own():
    shown = re.search(r"<!-- kinds.*?-->\n(.*?)\n<!-- /kinds -->", (DOCS / "concepts.md").read_text("utf-8"), re.DOTALL)
    assert shown
    assert shown[1] == error.table()


def between(page: str, mark: str) -> str:
    """What stands between two marks of a page."""
    shown = re.search(rf"<!-- {mark} -->\n(.*?)\n<!-- /{mark} -->", (DOCS / page).read_text("utf-8"), re.DOTALL)
    assert shown, f"{page} has no marks of {mark}"
    return shown[1]


def test_the_house_has_the_folders_that_there_are():
    wings = ("domain", "adapters", "composition")
    there = [folder for wing in wings for folder in [ROOT / wing, *sorted((ROOT / wing).iterdir())] if folder.is_dir()]
    shown = [cells[0].strip("`/") for cells in rows(between("architecture.md", "house"))[2:]]
    assert shown == [folder.relative_to(ROOT).as_posix() for folder in there if folder.name != "__pycache__"]


def test_the_contracts_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    names = [contract["name"] for contract in project["tool"]["importlinter"]["contracts"]]
    assert between("architecture.md", "contracts").splitlines() == [f"- {name}" for name in names]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{page.name}: {target}"
        assert not anchor or anchor in anchors(other), f"{page.name}: {target}"


@pytest.mark.parametrize("name", LAYERS)
def test_the_table_of_defaults_is_the_signature(name):
    text = (DOCS / "layers" / f"{name}.md").read_text("utf-8")
    shown = {cells[0].strip("`"): cells[1].strip("`") for cells in rows(text) if cells[0].startswith("`")}
    parameters = inspect.signature(LAYERS[name]).parameters.values()
    assert list(shown) == [parameter.name for parameter in parameters]
    for parameter in parameters:
        if isinstance(parameter.default, (int, float)) or parameter.default is None:
            assert shown[parameter.name] == repr(parameter.default), parameter.name
        elif parameter.default is parameter.empty:
            assert shown[parameter.name] in ("required", "one or more"), parameter.name


def test_every_page_is_reachable_from_the_index():
    seen, todo = set(), [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        if page in seen:
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)#\s]+\.md)", page.read_text("utf-8"))
        todo += [(page.parent / link).resolve() for link in links if not link.startswith("http")]
    assert {page.resolve() for page in PAGES} <= {page.resolve() for page in seen}


@pytest.mark.needs("cli")
def test_the_table_of_the_command_lines_options_is_its_own():
    shown = {cells[0].strip("`") for cells in rows((DOCS / "command-line.md").read_text("utf-8"))}
    command = [sys.executable, "-m", "modelport", "ask", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert {name for name in shown if re.match("--[a-z]", name)} == set(re.findall(r"--[a-z-]+", told)) - {"--help"}
