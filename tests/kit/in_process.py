"""The command line within the process of the tests, with scripted models that a modelport.toml names."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from modelport.composition.cli.commands import group


def command(*arguments: str, input: str | bytes | None = None) -> Result:
    """Run it; a mistake of ours is raised."""
    return CliRunner().invoke(group, list(arguments), input=input, prog_name="modelport", catch_exceptions=False)


def scripted(folder: Path, *answers: str, repeat: bool = False) -> None:
    """A modelport.toml whose one model gives these answers."""
    lines = [
        "[models.main]",
        'adapter = "ScriptedModel"',
        f"answers = {json.dumps(answers, ensure_ascii=False)}",
        f"repeat = {str(repeat).lower()}",
    ]
    (folder / "modelport.toml").write_text("\n".join(lines), "utf-8")
