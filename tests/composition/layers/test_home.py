"""A path that begins with ~ is in the user's home, for every layer that keeps a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelport import ScriptedModel, compose, with_cache, with_recording, with_replay
from modelport.composition.layers.stores import DiskStore


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the call, beside the home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_cache_is_kept_in_the_home(here: Path, tmp_path: Path) -> None:
    stack = compose(ScriptedModel("Yes."), with_cache("~/answers.db"))
    assert [stack("Is it?").content for _ in range(2)] == ["Yes.", "Yes."]
    DiskStore("~/answers.db").flush()
    assert (tmp_path / "home" / "answers.db").exists()
    assert list(here.iterdir()) == []


def test_a_tape_is_written_and_played_in_the_home(here: Path, tmp_path: Path) -> None:
    compose(ScriptedModel("Yes."), with_recording("~/tape.jsonl"))("Is it?")
    assert (tmp_path / "home" / "tape.jsonl").exists()
    assert compose(ScriptedModel("No."), with_replay("~/tape.jsonl"))("Is it?").content == "Yes."
    assert list(here.iterdir()) == []


def test_a_cache_without_a_name_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"path is a file such as 'answers\.db', not ''"):
        with_cache("")
