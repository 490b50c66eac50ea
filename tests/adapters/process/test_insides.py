"""What is leaned on inside of libraries: each still stands in the release that is installed, and is missed aloud."""

from __future__ import annotations

import importlib.util
import linecache
import sys
import tomllib
import warnings
from types import ModuleType, SimpleNamespace

import pytest
from insides import PAGE, SDKS, insides, page, repeated
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from paths import ROOT

from modelport.adapters.process.inside import Gone, Inside, LibraryChanged

COMES_WITH = {"botocore": "boto3", "openvino": "openvino-genai"}  # which pin it to a release of their own
INSIDES = [pytest.param(file, inside, id=f"{file}-{inside.name}") for file in SDKS for inside in insides(file)]


@pytest.mark.filterwarnings("ignore")  # a library may warn of another one while it is imported
@pytest.mark.parametrize(("file", "inside"), INSIDES)
def test_it_stands_in_the_installed_release(file: str, inside: Inside) -> None:
    if importlib.util.find_spec(SDKS[file]) is None:
        pytest.skip(f"{SDKS[file]} isn't installed here")
    assert inside.stands(), f"{inside.package} has no {inside.owner}.{inside.name} any more: {inside.lost}"


@pytest.mark.parametrize("file", SDKS)
def test_each_is_listed_once(file: str) -> None:
    assert repeated(insides(file)) == []


@pytest.mark.parametrize("package", sorted({inside.package for file in SDKS for inside in insides(file)} - {"Python"}))
def test_the_range_of_what_is_leaned_on_ends(package: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    asked = [Requirement(text) for texts in extras.values() for text in texts]
    ranges = [each.specifier for each in asked if canonicalize_name(each.name) == COMES_WITH.get(package, package)]
    assert ranges, f"{package} is in no extra of pyproject.toml"
    assert any(specifier.operator == "<" for each in ranges for specifier in each), f"{package}: no end of its range"


def test_the_page_is_as_the_lists_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "docs/insides.md is stale: python tests/kit/insides.py"


def test_what_is_there_is_given_in_silence() -> None:
    inside = Inside("attrs", "attr", "first", "nothing")
    holder = SimpleNamespace(first=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inside.of(holder) == inside.needed(holder) == 1
        inside.put(holder, 2)
        assert holder.first == 2


def test_what_is_gone_is_said_once_with_the_release_and_what_is_lost() -> None:
    inside = Inside("attrs", "attr:Nobody", "second", "answers are no longer counted")
    said = r"attrs \S+ has no attr:Nobody.second any more: answers are no longer counted"
    holder = SimpleNamespace()
    with pytest.warns(LibraryChanged, match=said):
        assert inside.of(holder, 2) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inside.of(holder, 3) == 3
        inside.put(holder, 3)
    assert vars(holder) == {}
    with pytest.raises(Gone, match=said):
        inside.needed(holder)


def test_a_name_that_nothing_has_does_not_stand() -> None:
    assert not Inside("attrs", "attr._make:Attribute", "_never_there", "nothing").stands()
    assert Inside("attrs", "attr._make:Attribute", "_setattrs", "nothing").stands()


@pytest.mark.parametrize(
    ("source", "stands"),
    [
        ("self._client = made", True),
        ("    _client: Client | None = None", True),
        ("def _client(self):", True),
        ("from a import _client", True),
        ("raise Missing('_client')", True),
        ("return self._client.get(url)", False),
        ("if self._client == other:", False),
        ("self._clients = _client_of(made)", False),
    ],
)
def test_a_name_stands_where_it_is_made_and_not_where_it_is_used(source: str, stands: bool) -> None:
    module = ModuleType("a_library")
    linecache.cache["a_library.py"] = (len(source), None, [f"{source}\n"], "a_library.py")
    module.__file__ = "a_library.py"
    sys.modules["a_library"] = module
    try:
        assert Inside("a-library", "a_library", "_client", "nothing").stands() is stands
    finally:
        del sys.modules["a_library"], linecache.cache["a_library.py"]


@pytest.mark.parametrize("owner", ["attr._make:Attribute", "attr._make:Nobody", "attr.nowhere", "builtins:dict"])
def test_a_check_raises_wherever_it_is_gone_from(owner: str) -> None:
    with pytest.raises(Gone, match=r"has no \S+_never_there any more: nothing"):
        Inside("attrs", owner, "_never_there", "nothing").check()
