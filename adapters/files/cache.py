"""The cache folder: what is in it is whole, and made once, however many processes ask and whenever one is killed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def folder() -> Path:
    """`MODELPORT_CACHE`, or `modelport` in `XDG_CACHE_HOME` or `~/.cache`; it need not exist."""
    if own := os.environ.get("MODELPORT_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "modelport"


def made_once(target: Path, make: Callable[[Path], None]) -> Path:
    """The target, a file or a folder; where it isn't yet, `make(path)` makes it at a path beside it, and it is moved.

    Others who ask meanwhile, in any process, wait. One that is killed leaves no target, and the next begins anew.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(target.with_name(f"{target.name}.lock")):
        if target.exists():
            return target
        beginning = f"{target.name}.part-"
        for left in target.parent.glob(f"{beginning}*"):  # by one that was killed: whoever holds the lock is alone
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=beginning, dir=target.parent) as scratch:
            made = Path(scratch) / target.name
            make(made)
            os.replace(made, target)
    return target


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The lock is the operating system's, which lets go of it when its holder dies."""
    with path.open("a") as file:
        _take(file.fileno())
        yield  # closing the file lets go


if sys.platform == "win32":

    def _take(file: int) -> None:
        while True:
            try:
                msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
                return
            except OSError:
                time.sleep(0.1)  # this system's waiting lock gives up after ten seconds; a conversion may take longer

else:

    def _take(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)
