"""A stack written as TOML: read, told before it runs, and each mistake named by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelport import Env, describe
from modelport.composition.config.plan import from_toml
from modelport.composition.config.toml_place import line_of

FILE = """\
model = "main"
needs = ["tools"]  # what will be asked for

[models.big]
adapter = "OpenAIModel"
model_id = "gpt-4o"
api_key = { env = "TEAM_KEY" }
options = { temperature = 0.2, "seed" = 7 }

[models.spare]
adapter = "ScriptedModel"
answers = ["[models.main] = layer = 1"]

[models.main]
compose = "big"
layers = [
    { layer = "with_timeout", attempt = 5 },
    { layer = "with_rate_limit", rpm = 60, max_wait = 10 },
    { layer = "with_retry", attempts = 3, max_wait = 1, cap = 1 },
    { layer = "with_fallback", models = ["spare"] },
]
"""


@pytest.fixture(autouse=True)
def team_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that the file names."""
    monkeypatch.setenv("TEAM_KEY", "sk-of-the-team-0123456789")


def written(folder: Path, text: str = FILE) -> Path:
    path = folder / "modelport.toml"
    path.write_text(text, "utf-8")
    return path


def test_models_stand_on_one_another_by_name(tmp_path: Path) -> None:
    plan = from_toml(written(tmp_path))
    assert plan.name == "main"
    assert describe(plan.model) == (
        "Fallback()\n"
        "├─ Retry(attempts=3, cap=1, max_wait=1)\n"
        "│  └─ RateLimit(60, max_wait=10)\n"
        "│     └─ Timeout(attempt=5)\n"
        "│        └─ OpenAIModel('gpt-4o')\n"
        "└─ ScriptedModel"
    )


def test_a_secret_is_named(tmp_path: Path) -> None:
    big = from_toml(written(tmp_path), "big").model
    assert big._api_key == Env("TEAM_KEY")  # type: ignore[attr-defined]


def test_a_plan_says_what_a_call_can_come_to_and_what_is_odd(tmp_path: Path) -> None:
    odd = FILE.replace("model_id", "capabilities = { capabilities = { tools = false } }\nmodel_id")
    plan = from_toml(written(tmp_path, odd))
    assert str(plan).splitlines()[-3:] == [
        "",
        "at most 4 calls, any number of seconds, 11 places in queues",
        "- lacks-capability: " + str(plan.findings[0]).partition(": ")[2],
    ]
    assert [finding.rule for finding in plan.findings] == ["lacks-capability"]


def test_a_plan_without_findings_says_so(tmp_path: Path) -> None:
    assert str(from_toml(written(tmp_path))).splitlines()[-1] == "no findings"


def test_a_model_that_several_stand_on_is_one(tmp_path: Path) -> None:
    text = (
        '[models.a]\nadapter = "ScriptedModel"\nanswers = ["Hi!"]\n'
        '[models.b]\ncompose = "a"\nlayers = [{ layer = "with_retry" }]\n'
        '[models.c]\ncompose = "a"\nlayers = [{ layer = "with_fallback", models = ["b"] }]\n'
    )
    found: Any = from_toml(written(tmp_path, text), "c").model
    assert found.inner is found.policy.models[0].inner


def test_the_only_model_needs_no_naming(tmp_path: Path) -> None:
    text = '[models.only]\nadapter = "ScriptedModel"\nanswers = ["Hi!"]\n'
    assert from_toml(written(tmp_path, text)).name == "only"


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ('"OpenAIModel"', '"OpenAiModel"', 5, "did you mean 'OpenAIModel'?"),
        ("model_id", "modelid", 6, "'modelid' is none of"),
        ('adapter = "OpenAIModel"', "", 4, "None is none of"),
        ('{ env = "TEAM_KEY" }', '"sk-0123456789"', 7, "a secret stands here as text"),
        ("temperature = 0.2", "timeout = 3", 8, "'timeout' is an argument, not an option"),
        ("attempts = 3", "atempts = 3", 19, "did you mean 'attempts'?"),
        ("attempts = 3", "attempts = 0", 19, "attempts must be at least 1"),
        ("with_rate_limit", "with_ratelimit", 18, "did you mean 'with_rate_limit'?"),
        ('["spare"]', '["spar"]', 20, "'spar' is none of big, spare, main; did you mean 'spare'?"),
        ('["spare"]', '["main"]', 20, "'main' stands on itself"),
        ('compose = "big"', 'compose = "bigg"', 15, "did you mean 'big'?"),
        ('model = "main"', 'model = "mian"', 1, "did you mean 'main'?"),
        ('model = "main"', "", 1, "which of big, spare, main is it? Write model = 'big'"),
        ('needs = ["tools"]', 'needs = ["tool"]', 2, "did you mean 'tools'?"),
        ('needs = ["tools"]', 'needs = "tools"', 2, "takes a list of capabilities"),
        ('needs = ["tools"]', "stack = 1", 2, "'stack' is none of model, models, needs, aliases"),
        (FILE, "", 1, "there are none; write a table for each"),
    ],
)
def test_each_mistake_is_named_by_its_line(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    path = written(tmp_path, FILE.replace(old, new, 1))
    with pytest.raises(ValueError, match=f"modelport.toml:{line}: ") as caught:
        from_toml(path)
    assert says in str(caught.value)


TABLES = """\
[models.main.compose]
adapter = "ScriptedModel"
answers = ["Hi!"]

[[models.main.layers]]
layer = "with_retry"
attempts = 3

[[models.main.layers]]
layer = "with_fallback"

[[models.main.layers.models]]
adapter = "ScriptedModel"
answers = ["Sorry."]
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('answers = ["Hi!"]', 'anwers = ["Hi!"]', 3),
        ("attempts", "atempts", 7),
        ("with_fallback", "with_fall_back", 10),
        ('answers = ["Sorry."]', 'anwers = ["Sorry."]', 14),
    ],
)
def test_layers_may_be_tables_of_their_own(tmp_path: Path, old: str, new: str, line: int) -> None:
    assert describe(from_toml(written(tmp_path, TABLES)).model).startswith("Fallback()")
    with pytest.raises(ValueError, match=f"modelport.toml:{line}: "):
        from_toml(written(tmp_path, TABLES.replace(old, new)))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "modelport.toml"
    path.write_bytes(b'model = "\xff"')
    with pytest.raises(ValueError, match=r"modelport.toml: .*can't decode byte 0xff"):
        from_toml(path)


def test_what_is_no_toml_is_told_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"modelport.toml: .*line 1"):
        from_toml(written(tmp_path, "model = main"))


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\nb = 2\n", "b", 2),
        ("a = 1\n", "nothing", 1),
        ("x = 1\n[a.b]\nc = 1\n", "a.b.c", 3),
        ("[a]\nb = { c = 1,\n d = 2 }\n", "a.b['d']", 3),
        ('[a]\n"odd name" = 1\n', "a['odd name']", 2),
        ("[a]\nb = [\n 1,\n 2,\n [3,\n 4]\n]\n", "a.b[2]", 5),
        ("[a]\nb = [1]\n", "a.b[7]", 2),
        ("[a]\nb = 1\n", "a.b[0]", 2),
        ("[a]\nb = [1\n", "a.b[3]", 2),
        ('[a]\nb = """\nc = 1\n"""\nc = 2\n', "a.c", 5),
        ('x = """\n[a]\n"""\n[a]\nc = 2\n', "a.c", 5),
        ("[[a]]\nb = 1\n[[a]]\nb = 2\n", "a[1].b", 4),
        ("[[a]]\nb = 1\n[[a]]\n[a.c]\nb = 2\n", "a[1].c.b", 5),
        ("[[a]]\nb = 1\n", "a[2].b", 1),
        ("[a]\nb = 1\n[c]\nd = 1\n", "a.d", 1),
        ('[a]\nb = 1\n["c"] # d\nd = 1\n', "a.d", 1),
        ("[a]\nb = [\n  [1, 2],\n]\nd = 1\n", "a.d", 5),
    ],
)
def test_a_place_is_found_by_its_path(text: str, path: str, line: int) -> None:
    assert line_of(text, path) == line


def test_a_key_s_variable_that_is_not_set_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEAM_KEY")
    assert str(from_toml(written(tmp_path))).splitlines()[-1] == (
        "- unset-variable: OpenAIModel('gpt-4o'): the environment variable TEAM_KEY isn't set; "
        "set it, or keep a key for the command line: modelport keys set TEAM_KEY"
    )


ADDRESS = """\
[models.main]
adapter = "OpenAIModel"
model_id = { env = "TEAM_MODEL" }
base_url = { env = "TEAM_SERVER" }
api_key = { env = "TEAM_KEY" }
"""


def test_an_address_and_a_model_s_id_may_stand_in_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_MODEL", "qwen")
    monkeypatch.setenv("TEAM_SERVER", "http://127.0.0.1:9/v1")
    model: Any = from_toml(written(tmp_path, ADDRESS)).model
    assert (model.model_id, model.base_url, model._api_key) == ("qwen", "http://127.0.0.1:9/v1", Env("TEAM_KEY"))


def test_without_its_variable_there_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM_MODEL", "qwen")
    message = "modelport.toml:4: models.main.base_url: the environment variable TEAM_SERVER isn't set; set it, or write"
    with pytest.raises(ValueError, match=message):
        from_toml(written(tmp_path, ADDRESS))


def test_names_for_models_may_stand_beside_them(tmp_path: Path) -> None:
    text = FILE.replace("[models.big]", '[aliases]\nfast = "openai:gpt-4o-mini"\n\n[models.big]')
    assert from_toml(written(tmp_path, text)).name == "main"
