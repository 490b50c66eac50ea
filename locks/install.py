"""Installs a lock into the environment whose Python runs this: exactly what it names, each file checked by its hash.

    .venv/bin/python locks/install.py locks/dev.txt

Nothing is resolved. PyTorch, which `dev` needs, has builds for a CPU that PyPI doesn't have: one that pip is told of
(PIP_FIND_LINKS) is taken, and else PyPI's, with the libraries that its build for CUDA wants.
"""

import subprocess
import sys
from pathlib import Path


def install(lock: Path) -> None:
    """Install `lock`, and PyTorch where it is needed."""
    _pip(lock)
    if lock.stem == "dev" and not _pip(lock.with_name("torch-cpu.txt"), needed=False):
        print("pip knows no build of PyTorch for a CPU alone: it takes PyPI's", file=sys.stderr)
        _pip(lock.with_name("torch.txt"))
        _pip(lock.with_name("cuda.txt"))


def _pip(lock: Path, *, needed: bool = True) -> bool:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]
    exactly = [*pip, "install", "--no-deps", "--require-hashes", "--requirement", str(lock)]
    return subprocess.run(exactly, check=needed, stderr=None if needed else subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    install(Path(sys.argv[1]))
