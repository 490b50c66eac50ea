"""An application with packages of its own called `domain` and `adapters` works with the installed package."""

from __future__ import annotations

import subprocess
import sys

from paths import ROOT

APPLICATION = ROOT / "examples" / "embedded"


def test_the_applications_own_tests_pass() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=APPLICATION, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout
