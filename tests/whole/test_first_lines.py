"""The first lines that people write, with the slips that they make: each fails at once, and says what to write.

The table is `first_lines.txt`: a line as it is written, and below it what is raised.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import modelport
from modelport import ModelError, ScriptedModel, compose, with_retry

DEPLOYMENTS = [{"model_name": "m", "litellm_params": {"model": "openai/m"}}]
FAKE = ScriptedModel("Hi!", repeat=True)


def toml(text: str) -> object:
    """The plan in a file of this text."""
    path = Path("modelport.toml")
    path.write_text(text, "utf-8")
    return modelport.from_toml(path)


NAMES = {
    **{name: getattr(modelport, name) for name in modelport.__all__},
    **{name: getattr(modelport.adapters, name) for name in modelport.adapters.__all__},
    "D": DEPLOYMENTS,
    "fake": FAKE,
    "pickle": pickle,
    "stack": compose(FAKE, with_retry()),
    "toml": toml,
}
TABLE = (Path(__file__).parent / "first_lines.txt").read_text("utf-8")
ROWS = [tuple(row.strip().split("\n")) for row in TABLE.split(">>> ") if row]


@pytest.mark.parametrize(("line", "said"), ROWS, ids=[line for line, _ in ROWS])
def test_a_slip_is_told_at_once(line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = len(FAKE.requests)
    with pytest.raises((TypeError, ValueError)) as refused:
        eval(line, {**NAMES})
    assert f"{type(refused.value).__name__}: {refused.value}" == said
    assert len(FAKE.requests) == before


def test_an_adapter_that_is_imported_from_the_wrong_place_says_where_it_is() -> None:
    with pytest.raises(ImportError) as refused:
        exec("from modelport import OpenAIModel", {})
    assert str(refused.value) == ("OpenAIModel is in modelport.adapters: from modelport.adapters import OpenAIModel")
    assert not hasattr(modelport, "OpenAIModle")


def test_a_layer_in_place_of_the_model_is_told_where_layers_go() -> None:
    with pytest.raises(TypeError, match=r"a layer comes after the model: compose\(model, with_retry\(\.\.\.\)\)$"):
        compose(with_retry(), FAKE)


def test_an_error_says_when_it_may_be_tried_again() -> None:
    error = ModelError("overloaded", "busy", retry_after=7.5)
    assert str(error) == (
        "overloaded: busy [wait a little and try again: with_retry(); it may be tried again after 7.5 s]"
    )
