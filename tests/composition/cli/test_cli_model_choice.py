"""Which model is asked: the named one, else the variable's, the folder's, the user's, the embedded default."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import command, scripted

from modelport.composition.cli.files.settings import Settings, config_folder, settings
from modelport.composition.cli.local_servers import places, servers
from modelport.composition.cli.model_choice import Choice, choose

FOLDER = Settings(Path("modelport.toml"), "fast", {"fast": "openai:small", "deep": "fast"})
USER = Settings(Path("user.toml"), "openai:large", {"fast": "openai:other", "slow": "openai:slow"})


def chosen(word: str | None, variable: str | None, *files: Settings) -> tuple[str, str | None]:
    choice = choose(word, variable, files)
    return choice.name, choice.by


@pytest.mark.parametrize(
    ("word", "variable", "files", "name", "by"),
    [
        ("openai:m", "openai:n", (FOLDER, USER), "openai:m", "the command"),
        (None, "openai:n", (FOLDER, USER), "openai:n", "MODELPORT_MODEL"),
        (None, None, (FOLDER, USER), "openai:small", "modelport.toml"),
        (None, "", (USER,), "openai:large", "user.toml"),
        (None, None, (), "openvino:default", None),
        ("deep", None, (FOLDER, USER), "openai:small", "the command"),
        ("slow", None, (FOLDER, USER), "openai:slow", "the command"),
        ("fast", None, (USER,), "openai:other", "the command"),
    ],
)
def test_the_first_that_names_one_is_taken(
    word: str | None, variable: str | None, files: tuple[Settings, ...], name: str, by: str | None
) -> None:
    assert chosen(word, variable, *files) == (name, by)


@pytest.mark.parametrize(
    ("variable", "why"),
    [
        ("gpt-4o", "MODELPORT_MODEL: 'gpt-4o' names no adapter; did you mean 'openai:gpt-4o'?"),
        (None, "modelport.toml: 'fsat' is no model of a modelport.toml and no alias; did you mean 'fast'?"),
    ],
)
def test_a_name_that_stands_for_nothing_is_told_with_its_place(variable: str | None, why: str) -> None:
    misspelt = Settings(Path("modelport.toml"), "fsat", {"fast": "openai:small"})
    with pytest.raises(ValueError, match="'") as caught:
        choose(None, variable, (misspelt,))
    assert str(caught.value) == why


def test_a_stack_of_the_folder_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scripted(tmp_path, "Hi!")
    done = command("ask", "Hello", "-m", "main", "-u")
    assert (done.exit_code, done.stdout) == (0, "Hi!\n")
    assert done.stderr.startswith("(")
    assert done.stderr.endswith(" s; 1 attempt: answered)\n")


def test_the_folder_s_choice_is_told_and_the_user_s_is_not(
    tmp_path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kept.mkdir()
    scripted(kept, "Mine.")
    user = kept / "modelport.toml"
    user.write_text(f'model = "main"\n{user.read_text("utf-8")}', "utf-8")
    done = command("ask", "Hello")
    assert (done.stdout, done.stderr) == ("Mine.\n", "")
    scripted(tmp_path, "Ours.")
    folder = tmp_path / "modelport.toml"
    folder.write_text(f'model = "main"\n{folder.read_text("utf-8")}', "utf-8")
    done = command("ask", "Hello")
    assert (done.stdout, done.stderr) == ("Ours.\n", f"(main answers, as modelport.toml in {tmp_path} says)\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("model = ", "Invalid value"),
        ("model = 3", "model: takes the name of a model, not 3"),
        ("aliases = 3", "aliases: takes names of models"),
        ("[aliases]\nfast = 3", "aliases: takes names of models"),
        ("models = 3", "models: takes a table for each model"),
    ],
)
def test_a_file_that_can_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "modelport.toml").write_text(text, "utf-8")
    with pytest.raises(ValueError, match="modelport.toml: ") as caught:
        settings()
    assert why in str(caught.value)


def test_the_user_s_folder_follows_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MODELPORT_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/somewhere")
    assert config_folder() == Path("/somewhere/modelport")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert config_folder() == Path.home() / ".config" / "modelport"


def test_only_the_embedded_default_is_a_demonstration() -> None:
    assert choose(None, None, ()).is_demonstration
    assert not choose("transformers:default", None, ()).is_demonstration
    assert isinstance(choose("openai:m", None, ()), Choice)


def test_servers_are_looked_for_where_they_are_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert places() == ()
    monkeypatch.setenv("MODELPORT_SERVERS", "http://127.0.0.1:1/v1, ,http://127.0.0.1:2/v1")
    assert places() == ("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
    monkeypatch.delenv("MODELPORT_SERVERS")
    assert places()[0] == "http://127.0.0.1:11434/v1"
    assert all(place.startswith("http://127.0.0.1:") for place in places())


def test_no_server_is_no_thread() -> None:
    assert servers(()) == []
