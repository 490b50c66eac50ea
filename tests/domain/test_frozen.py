"""Frozen JSON values."""

import copy
import json
import pickle
from typing import Any

import pytest
from domain_values import json_values, objects
from hypothesis import given

from modelport.domain.frozen import EMPTY, FrozenDict, freeze, freeze_mapping, thaw


@given(json_values)
def test_thaw_undoes_freeze(value: Any) -> None:
    """What is frozen and thawed is what it was, and freezing changed nothing."""
    before = copy.deepcopy(value)
    frozen = freeze(value)
    assert thaw(frozen) == before == value
    assert hash(frozen) == hash(freeze(before))


@given(objects)
def test_a_frozen_dict_is_a_dict(value: dict[str, Any]) -> None:
    """It is written by JSON libraries as a plain dict is, and survives pickle and copy."""
    frozen = freeze_mapping(value)
    assert json.loads(json.dumps(frozen)) == thaw(frozen)
    assert pickle.loads(pickle.dumps(frozen)) == frozen
    assert type(pickle.loads(pickle.dumps(frozen))) is FrozenDict
    assert copy.copy(frozen) is frozen
    assert copy.deepcopy(frozen) is frozen


def test_thaw_gives_fresh_containers() -> None:
    """The receiver may change what it is given."""
    frozen = freeze({"a": [{"b": 1}]})
    thawed = thaw(frozen)
    thawed["a"][0]["b"] = 2
    assert frozen == {"a": ({"b": 1},)}


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.__setitem__("a", 2),
        lambda d: d.__delitem__("a"),
        lambda d: d.__ior__({"a": 2}),
        lambda d: d.update(a=2),
        lambda d: d.pop("a"),
        lambda d: d.popitem(),
        lambda d: d.clear(),
        lambda d: d.setdefault("b", 2),
    ],
)
def test_nothing_changes_it(change: Any) -> None:
    """Every method that would change it says how to make a new one."""
    frozen = FrozenDict(a=1)
    with pytest.raises(TypeError, match="this mapping is frozen; build a new one"):
        change(frozen)
    assert frozen == {"a": 1}


def test_other_values_pass_through() -> None:
    """What is neither mapping nor list is left as it is, both ways; an empty mapping is always the same one."""
    value = object()
    assert freeze(value) is value
    assert thaw(value) is value
    assert freeze_mapping({}) is EMPTY
