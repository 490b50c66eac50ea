"""What is leaned on inside of libraries: each still stands in the release that is installed, and is missed aloud."""

import warnings
from types import SimpleNamespace

import pytest

from modelport.adapters.inside import Inside, LibraryChanged

SDKS = {}
INSIDES = []


def test_what_is_there_is_given_in_silence():
    inside = Inside("attrs", "attr", "first", "nothing")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inside.of(SimpleNamespace(first=1)) == 1


def test_what_is_gone_is_said_once_with_the_release_and_what_is_lost():
    inside = Inside("attrs", "attr:Nobody", "second", "answers are no longer counted")
    with pytest.warns(
        LibraryChanged, match=r"attrs \S+ has no attr:Nobody.second any more: answers are no longer counted"
    ):
        assert inside.of(SimpleNamespace(), 2) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inside.of(SimpleNamespace(), 3) == 3


def test_a_name_that_nothing_has_does_not_stand():
    assert not Inside("attrs", "attr._make:Attribute", "_never_there", "nothing").stands()
    assert Inside("attrs", "attr._make:Attribute", "_setattrs", "nothing").stands()
