"""No test of the command line sees what a user keeps, nor a server that happens to run on this machine."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of what the command line keeps, empty and of this test alone."""
    folder = tmp_path / "config"
    monkeypatch.setenv("MODELPORT_CONFIG", str(folder))
    monkeypatch.setenv("MODELPORT_SERVERS", "")
    monkeypatch.delenv("MODELPORT_MODEL", raising=False)
    return folder
