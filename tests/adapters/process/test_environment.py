"""Variables of the environment are read as they are at the time."""

from __future__ import annotations

import os

import pytest

from modelport.adapters.process.environment import Variables

ONE_AND_OTHER = Variables("MODELPORT_ONE", "MODELPORT_OTHER")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELPORT_ONE", raising=False)
    monkeypatch.delenv("MODELPORT_OTHER", raising=False)


def test_what_is_not_set_is_none() -> None:
    assert ONE_AND_OTHER.read() == (None, None)


def test_a_variable_is_read_anew_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_OTHER", "ä")
    assert ONE_AND_OTHER.read() == (None, "ä")
    monkeypatch.setenv("MODELPORT_OTHER", "")
    monkeypatch.setenv("MODELPORT_ONE", "1")
    assert ONE_AND_OTHER.read() == ("1", "")


def test_another_environment_is_asked_as_every_mapping_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"MODELPORT_ONE": "1"})
    assert ONE_AND_OTHER.read() == ("1", None)
