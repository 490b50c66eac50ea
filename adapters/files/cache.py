"""The cache folder: what is in it is whole, and made once, however many processes ask and whenever one is killed."""

from __future__ import annotations

import hashlib
import json
import logging
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


_LOG = logging.getLogger("modelport.weights")


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


_SUMS = "sha256.json"
_good: set[tuple[object, ...]] = set()
"""Folders that were read in this process and found as they were made."""


def kept_folder(target: Path, make: Callable[[Path], None]) -> Path:
    """A folder that is made once, and held to the hashes of its files before it is used, once in a process.

    One that was changed, or that lacks a file, is made anew.
    """

    def make_with_sums(path: Path) -> None:
        make(path)
        (path / _SUMS).write_text(json.dumps(_sums(path)), "utf-8")

    made_once(target, make_with_sums)
    if _is_as_made(target):
        return target
    with _locked(target.with_name(f"{target.name}.lock")):
        if not _is_as_made(target):  # another may have made it anew
            _LOG.warning("%s is made anew: it isn't as it was made", target)
            os.replace(target, target.with_name(f"{target.name}.part-changed"))
    return made_once(target, make_with_sums)


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file() and file.name != _SUMS)


def _sums(path: Path) -> dict[str, str]:
    sums = {}
    for file in _files(path):
        with file.open("rb") as opened:
            sums[file.relative_to(path).as_posix()] = hashlib.file_digest(opened, "sha256").hexdigest()
    return sums


def _is_as_made(path: Path) -> bool:
    try:
        due = (path / _SUMS).read_text("utf-8")
        states = [(str(file), file.stat()) for file in _files(path)]
        mark = (due, *((name, state.st_ino, state.st_size, state.st_mtime_ns) for name, state in states))
        if mark not in _good:
            if _sums(path) != json.loads(due):
                return False
            _good.add(mark)
    except (OSError, ValueError):
        return False
    return True


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
