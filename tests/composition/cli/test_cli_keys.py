"""Keys are kept where only the user may read them, and none is ever printed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from in_process import command

from modelport.composition.cli.files import key_file

KEY = "sk-0123456789abcdef"


def test_a_key_is_kept_under_its_variable_and_for_its_user_alone(kept: Path) -> None:
    done = command("keys", "set", "openai", input=f"{KEY}\n")
    assert (done.exit_code, done.output) == (0, f"OPENAI_API_KEY is kept in {kept / 'keys.json'}\n")
    assert json.loads((kept / "keys.json").read_text("utf-8")) == {"OPENAI_API_KEY": KEY}
    assert (kept / "keys.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in kept.iterdir()] == ["keys.json"]


def test_a_variable_of_any_provider_may_be_named() -> None:
    command("keys", "set", "ANTHROPIC_API_KEY", input=KEY)
    command("keys", "set", "openai", input=KEY)
    assert command("keys").output == command("keys", "list").output == "ANTHROPIC_API_KEY\nOPENAI_API_KEY\n"


def test_a_key_is_forgotten(kept: Path) -> None:
    command("keys", "set", "openai", input=KEY)
    assert command("keys", "remove", "openai").output == "OPENAI_API_KEY is forgotten\n"
    assert command("keys", "list").output == "no keys are kept; modelport keys set NAME keeps one\n"
    assert command("keys", "path").output == f"{kept / 'keys.json'}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [(f'{{"A_KEY": "{KEY}"', "it is no JSON"), (f'["{KEY}"]', "it isn't a JSON object of texts")],
)
def test_a_file_that_can_not_be_read_is_told_without_what_is_in_it(kept: Path, text: str, why: str) -> None:
    kept.mkdir()
    (kept / "keys.json").write_text(text, "utf-8")
    done = command("keys", "list")
    assert done.exit_code == 2
    assert f"{kept / 'keys.json'}: the keys can't be read: {why}" in done.stderr
    assert KEY not in done.output


def test_a_folder_in_its_place_is_told(kept: Path) -> None:
    (kept / "keys.json").mkdir(parents=True)
    assert "the keys can't be read: Is a directory" in command("keys", "list").stderr


def test_what_can_not_be_written_leaves_nothing_behind(kept: Path) -> None:
    with pytest.raises(TypeError):
        key_file.keep_keys({"A_KEY": object()})  # type: ignore[dict-item]
    assert list(kept.iterdir()) == []


def test_a_kept_key_is_used_where_its_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    command("keys", "set", "openai", input=KEY)
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-environment")
    key_file.use_kept_keys()
    assert os.environ["OPENAI_API_KEY"] == "of-the-environment"
    monkeypatch.setenv("OPENAI_API_KEY", "")
    key_file.use_kept_keys()
    assert os.environ["OPENAI_API_KEY"] == KEY


def test_a_kept_key_is_no_finding_of_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "")
    (tmp_path / "modelport.toml").write_text('[models.m]\nadapter = "OpenAIModel"\nmodel_id = "m"\n', "utf-8")
    done = command("plan", "--strict")
    assert (done.exit_code, "unset-variable: OpenAIModel('m')" in done.output) == (1, True)
    command("keys", "set", "openai", input=KEY)
    done = command("plan", "--strict")
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "no findings")
