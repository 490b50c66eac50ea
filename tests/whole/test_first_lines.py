"""The first lines that people write, with the slips that they make: each fails at once, and says what to write.

The table is `first_lines.txt`: a line as it is written, and below it what is raised.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import modelport
from modelport import ScriptedModel, compose, with_retry

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
