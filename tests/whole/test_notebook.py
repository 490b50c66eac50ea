"""The notebook of the first steps runs in a real kernel, and shows what it says."""

from __future__ import annotations

import os
from typing import Any

import pytest
from paths import ROOT

pytest.importorskip("nbclient", reason="nbclient isn't installed here: pip install nbclient ipykernel")
pytest.importorskip("ipykernel", reason="ipykernel isn't installed here: pip install nbclient ipykernel")

NOTEBOOK = ROOT / "examples" / "first-steps.ipynb"


@pytest.fixture(scope="module", name="shown")
def _shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What each cell of code shows, by its first line and by the media type."""
    import nbformat
    from nbclient import NotebookClient

    home = str(tmp_path_factory.mktemp("kernel"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    strict = nbformat.v4.new_code_cell("import warnings\nwarnings.filterwarnings('error', message='a blocking call')")
    notebook.cells.insert(0, strict)
    client = NotebookClient(notebook, kernel_name="python3", timeout=300)
    client.execute(cwd=home, env={**os.environ, "IPYTHONDIR": home, "JUPYTER_RUNTIME_DIR": home})
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {cell.source.partition("\n")[0]: dict(map(_said, cell.outputs)) for cell in cells}


def _said(output: Any) -> tuple[str, str]:
    kind = next((kind for kind in ("text/markdown", "text/html") if kind in output.get("data", ())), "text")
    return kind, output["data"][kind] if "data" in output else output["text"]


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        (
            'model("Why is the sky blue?", max_tokens=40)',
            "text/markdown",
            "**blue light** more than red.\n\n*small · 0.00 s · 12 + 13 tokens*",
        ),
        ('response = await model.ask("Why is the sky blue?", temperature=0.2)', "text", "The sky is blue because"),
        ('stack("Why is the sky blue?")', "text/markdown", "3 attempts: overloaded, overloaded, answered*"),
        ("bounds(stack)", "text/markdown", "| physical calls | 3 |"),
        ("print(describe(stack))", "text", "└─ ScriptedModel('small')"),
    ],
)
def test_a_cell_shows_what_it_says(shown: dict[str, dict[str, str]], cell: str, kind: str, said: str) -> None:
    assert said in shown[cell][kind]


def test_a_stack_and_a_comparison_are_pictures(shown: dict[str, dict[str, str]]) -> None:
    drawn = [outputs["text/html"] for outputs in shown.values() if "<svg " in outputs.get("text/html", "")]
    assert ["RateLimit" in each for each in drawn] == [True, False]
    assert "with a fallback" in drawn[1]
