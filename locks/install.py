"""Installs a lock into the environment whose Python runs this: exactly what it names, each file checked by its hash.

    .venv/bin/python locks/install.py locks/dev.txt

Nothing is resolved. PyTorch's build for CUDA, which PyPI has for Linux, wants libraries that its build for a CPU does
not: these have a lock of their own, `cuda.txt`, which is installed only where that build is.
"""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path


def install(lock: Path) -> None:
    """Install `lock`, and what PyTorch's build for CUDA needs if that is the one that came."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--no-input"]
    exactly = [*pip, "install", "--no-deps", "--require-hashes", "--requirement"]
    subprocess.run([*exactly, lock], check=True)
    has_torch = re.search(r"^torch==", lock.read_text(), re.MULTILINE)
    if has_torch and any(re.match("nvidia|cuda", each) for each in metadata.requires("torch") or ()):
        subprocess.run([*exactly, lock.with_name("cuda.txt")], check=True)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
