"""Options, and how levels of them meet."""

import copy
import math
import pickle
from typing import Any

import pytest
from domain_values import json_values
from hypothesis import given
from hypothesis import strategies as st

from modelport.domain.frozen import FrozenDict
from modelport.domain.options.option import ALIASES, OMIT, canonical, merge, resolve

levels = st.dictionaries(st.sampled_from(["a", "b", "seed", "x-y"]), json_values | st.just(OMIT), max_size=4)


@given(levels, levels, levels)
def test_merge_is_associative(a: dict[str, Any], b: dict[str, Any], c: dict[str, Any]) -> None:
    """It is one whether the weaker or the stronger two meet first."""
    a.pop("seed", None)
    assert merge(merge(a, b | {"seed": 1}), c | {"seed": OMIT}) == merge(a, merge(b | {"seed": 1}, c | {"seed": OMIT}))


@given(levels.map(lambda level: {name: value for name, value in level.items() if name != "seed"}))
def test_the_empty_mapping_changes_nothing(level: dict[str, Any]) -> None:
    """The empty mapping is the identity of merge, on both sides."""
    assert merge({}, level) == canonical(level) == merge(level, {})
    assert canonical(canonical(level)) is canonical(level) or canonical(canonical(level)) == canonical(level)


@given(levels, levels)
def test_merge_changes_neither_side(a: dict[str, Any], b: dict[str, Any]) -> None:
    """Neither mapping is changed, and the stronger one's values stand."""
    a.pop("seed", None), b.pop("seed", None)
    before = copy.deepcopy((a, b))
    merged = merge(a, b)
    assert (a, b) == before
    assert {name: merged[name] for name in b} == canonical(b)


@pytest.mark.parametrize(
    ("constructor", "call", "sent"),
    [
        ({"temperature": 0.2}, {"temperature": 0.9}, {"temperature": 0.9}),
        ({"temperature": 0.2}, {"temperature": OMIT}, {}),
        ({"temperature": OMIT}, {"temperature": 0.9}, {"temperature": 0.9}),
        ({"temperature": OMIT}, {}, {}),
        ({"temperature": 0.2}, {"temperature": None}, {"temperature": None}),
        ({"max_new_tokens": 5}, {"max_completion_tokens": 7}, {"max_tokens": 7}),
        ({"max_tokens": 5}, {"max_new_tokens": OMIT}, {}),
        ({}, {}, {}),
    ],
)
def test_the_call_beats_the_constructor(
    constructor: dict[str, Any], call: dict[str, Any], sent: dict[str, Any]
) -> None:
    """What is sent is the call's word, else the constructor's; OMIT takes an option away, None is a value."""
    assert resolve(constructor, call) == sent


def test_omit_holds_against_every_weaker_level() -> None:
    """An OMIT between two levels takes away what is below it, and yields to what is above."""
    assert resolve({"a": 1}, {"a": OMIT}, {}) == {}
    assert resolve({"a": 1}, {"a": OMIT}, {"a": 2}) == {"a": 2}


def test_resolve_compares_by_identity() -> None:
    """A value whose == is no boolean (an array) is left alone."""

    class Array:
        def __eq__(self, other: object) -> bool:
            raise ValueError("the truth value of an array is ambiguous")

        __hash__ = None  # type: ignore[assignment]

    array = Array()
    assert resolve({"bias": array, "a": OMIT})["bias"] is array


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_omit_stays_itself(copied: Any) -> None:
    """OMIT is one object, wherever it has been, alone and in a level."""
    assert copied(OMIT) is OMIT
    assert copied(canonical({"a": OMIT}))["a"] is OMIT
    assert type(copied(canonical({"a": 1}))) is type(canonical({"a": 1}))
    assert repr(OMIT) == "OMIT"


@pytest.mark.parametrize(("alias", "name"), sorted(ALIASES.items()))
def test_every_alias_is_read(alias: str, name: str) -> None:
    """An option's other spelling is kept under the canonical name, and both at one level are an error."""
    assert canonical({alias: 1}) == {name: 1}
    with pytest.raises(ValueError, match="two spellings of one option"):
        canonical({name: 1, alias: 1})


def test_what_the_core_does_not_know_passes_untouched() -> None:
    """An unknown option is kept as it is, frozen."""
    level = canonical({"reasoning": {50256: [-100]}, "extra": object})
    assert level == {"reasoning": {50256: (-100,)}, "extra": object}
    assert type(level["reasoning"]) is FrozenDict


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"temperature": math.nan}, ValueError, "options: temperature must be a finite number, not nan"),
        ({"top_p": math.inf}, ValueError, "finite"),
        ({"unknown": math.nan}, ValueError, "options: unknown must be a finite number"),
        ({"extra": {"a": [1, math.nan]}}, ValueError, r"extra\['a'\]\[1\] must be a finite number"),
        ({"extra": {"a": "\ud800"}}, ValueError, r"extra\['a'\].*half a character"),
        ({"temperature": -1}, ValueError, "must not be negative"),
        ({"temperature": "hot"}, TypeError, "must be a number"),
        ({"temperature": True}, TypeError, "must be a number"),
        ({"max_tokens": 0}, ValueError, "must be at least 1"),
        ({"max_tokens": 1.5}, TypeError, "must be a whole number"),
        ({"max_tokens": True}, TypeError, "must be a whole number"),
        ({"top_k": -2}, ValueError, "must be at least -1"),
        ({"stop": ["x"]}, ValueError, "'stop' is not an option; use stop_sequences"),
        ({"stop_sequences": ["x"]}, ValueError, "of the call"),
        ({"response_format": {}}, ValueError, "'response_format' is not an option"),
        ({"stream": True}, ValueError, "stream member"),
        ({3: 1}, TypeError, "an option's name is a string, not 3"),
        ([("a", 1)], TypeError, "options come as a dict by name"),
    ],
)
def test_bad_options(options: Any, error: type[Exception], words: str) -> None:
    """An option that can't be meant is an error that names it."""
    with pytest.raises(error, match=words):
        canonical(options)


@pytest.mark.parametrize("value", [None, OMIT, 0, 0.0, 2])
def test_good_numbers(value: Any) -> None:
    """Zero, None and OMIT are legal temperatures."""
    assert canonical({"temperature": value, "top_k": -1, "max_tokens": OMIT})["temperature"] == value
