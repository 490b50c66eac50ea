"""Templates are kept, shown, filled in, and come after what is typed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from in_process import command, scripted

from modelport.composition.cli.files.template_files import Template, read_template, write_template


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model that answers."""
    monkeypatch.chdir(tmp_path)
    scripted(tmp_path, "Yes.", repeat=True)
    return tmp_path


def test_what_is_typed_is_kept_and_asked_again(kept: Path) -> None:
    typed = ["Say: $input", "-s", "In $language.", "-m", "main", "-o", "temperature", "0", "--schema", "name"]
    done = command("ask", *typed, "--save", "say")
    assert done.output == f"kept in {kept / 'templates' / 'say.toml'}\n"
    assert read_template("say") == Template("main", "In $language.", "Say: $input", "name", {"temperature": 0})
    assert command("templates").output == "say              In $language.\n"
    assert command("templates", "list").output == command("templates").output
    assert command("templates", "path").output == f"{kept / 'templates'}\n"
    command("log", "on")
    assert command("ask", "Hi", "-t", "say", "-p", "language", "Korean").stdout == "Yes.\n"
    assert "Say: Hi" in command("log", "list").output


def test_there_may_be_none() -> None:
    assert command("templates").output.startswith("there are no templates; modelport ask --system")


@pytest.mark.parametrize(
    ("template", "text", "prompt"),
    [
        (Template(), "Hi", "Hi"),
        (Template(prompt="Sum up: $input"), "Hi", "Sum up: Hi"),
        (Template(prompt="Sum this up."), "Hi", "Sum this up.\n\nHi"),
        (Template(prompt="Tell a joke."), "", "Tell a joke."),
        (Template(prompt="For $$5: ${input}!"), "Hi", "For $5: Hi!"),
    ],
)
def test_a_prompt_is_filled_in(template: Template, text: str, prompt: str) -> None:
    assert template.filled(text, {}).prompt == prompt


def test_a_lone_dollar_is_told() -> None:
    with pytest.raises(ValueError, match=r"a \$ that begins no name in 'It costs 5\$.'; write \$\$ for a dollar"):
        Template(system="It costs 5$.").filled("Hi", {})


def test_what_is_typed_comes_first(here: Path) -> None:
    (here / "t.toml").write_text(
        'model = "zzz"\nsystem = "A"\nschema = "a"\noptions = { seed = 1, top_p = 1 }\n', "utf-8"
    )
    scripted(here, '{"b": "C"}')
    command("log", "on")
    typed = ["-m", "main", "-s", "B", "--schema", "b", "-o", "top_p", "0.5"]
    assert command("ask", "Hi", "-t", "t.toml", *typed).exit_code == 0
    from modelport.composition.cli.files.log_store import last_conversation

    request = last_conversation().request
    assert request.messages[0].text == "B"
    assert dict(request.options) == {"seed": 1, "top_p": 0.5}
    assert list(request.response_format.schema["properties"]) == ["b"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("model = ", "Invalid value"),
        ('sistem = "A"', "'sistem': did you mean 'system'?"),
        ("zzz = 1", "'zzz': a template has model, system, prompt, schema, options"),
        ("system = 1", "system: takes a text, not 1"),
        ('options = "hot"', "options: takes a table, not 'hot'"),
    ],
)
def test_a_template_that_can_not_be_read_is_told(here: Path, text: str, why: str) -> None:
    (here / "t.toml").write_text(text, "utf-8")
    with pytest.raises(ValueError, match="t.toml: ") as caught:
        read_template("t.toml")
    assert why in str(caught.value)


def test_a_template_that_is_wrong_is_told_in_the_list(kept: Path) -> None:
    (kept / "templates").mkdir(parents=True)
    (kept / "templates" / "t.toml").write_text("system = 1", "utf-8")
    assert command("templates").exit_code == 2


def test_every_value_is_written_as_toml_reads_it() -> None:
    options = {"a": 'x"\\\n\x7f🙂', "b": [1, 2.5, True, False], "c": {"d-e": (1,)}}
    path = write_template("t", Template(options=options))
    assert tomllib.loads(path.read_text("utf-8"))["options"] == {**options, "c": {"d-e": [1]}}
    with pytest.raises(ValueError, match="a template can't hold None"):
        write_template("u", Template(options={"a": None}))


def test_a_template_is_written_over_only_where_that_is_said(kept: Path) -> None:
    command("ask", "Say: $input", "--save", "say")
    done = command("ask", "Sing: $input", "--save", "say")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--save say: there is a template of this name already; --force writes over it" in done.stderr
    assert read_template("say").prompt == "Say: $input"
    assert command("ask", "Sing: $input", "--save", "say", "--force").exit_code == 0
    assert read_template("say").prompt == "Sing: $input"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (["It costs 5$."], "the template has a $ that begins no name in 'It costs 5$.'; write $$ for a dollar"),
        (["Hi", "-m", "opnai:m"], "there is no adapter 'opnai'; did you mean 'openai'?"),
        (["Hi", "-o", "temperature", "-1"], "temperature must not be negative"),
        (["Hi", "--schema", '{"type": "objct"}'], "--schema: this is no JSON schema: at $.type: 'objct' is not valid"),
        (["Hi", "-s", "Say $this.", "-t", "t"], "--save: a template can't hold --template; leave it out"),
        (["Hi", "-p", "a", "b"], "--save: a template can't hold --param"),
        (["Hi", "--json"], "--save: a template can't hold --json"),
        (["Hi", "-c"], "--save: a template can't hold --continue"),
        ([], "--save: there is nothing to keep; say a prompt, --system, --model, --schema or options"),
    ],
)
def test_what_could_not_be_asked_is_not_kept(kept: Path, typed: list[str], why: str) -> None:
    done = command("ask", *typed, "--save", "t")
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in done.stderr
    assert not (kept / "templates").exists()


def test_a_template_may_name_a_model_whose_key_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert command("ask", "Hi $name", "-m", "openai:gpt-4o", "--save", "hi").exit_code == 0
    assert read_template("hi").parameters == ("name",)
