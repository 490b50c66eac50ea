"""Nothing phones home: each adapter contacts the endpoint that it was given, and writes to our cache folder alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import attrs
import loopback
import pytest

from modelport.adapters.files import cache
from modelport.adapters.files.weights import default_gguf

WATCHED = """
import json
import sys

contacts, names = [], []


def watch(event, details):
    if event == "socket.connect":
        contacts.append(str(details[1]))
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        names.append(str(details[0] if event != "socket.sendto" else details[1]))


sys.addaudithook(watch)
import modelport
import modelport.adapters
from modelport import as_request, blocking

{make}
request = as_request("Why is the sky blue?", max_tokens=3)
whole = blocking(model).generate(request)
last = list(blocking(model).stream(request))[-1]
print(json.dumps([str(whole), str(last), contacts, names]))
"""


@attrs.frozen
class Watched:
    """What a process did: its answers, the addresses it contacted, the names it looked up, the files it left behind."""

    answered: bool
    contacts: list[str]
    names: list[str]
    written: list[str]


def watched(make: str, home: Path, **environment: str) -> Watched:
    """Make a model in a fresh process with a home of its own, call it whole and streamed, and say what that did."""
    work, temporary = home / "work", home / "tmp"
    for folder in (home, work, temporary):
        folder.mkdir()
    dropped = ("XDG_", "HF_", "MODELPORT_", "DO_NOT_TRACK", "PYTHON", "TRANSFORMERS_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    own |= {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    own |= {"PYTHONDONTWRITEBYTECODE": "1", **environment}
    command = [sys.executable, "-c", WATCHED.replace("{make}", make)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=own, cwd=work, timeout=240)
    assert done.returncode == 0, done.stderr
    whole, last, contacts, names = json.loads(done.stdout.splitlines()[-1])
    files = sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())
    return Watched(whole.startswith("<Success") and last.startswith("Finished"), contacts, names, files)


def test_scripted(tmp_path: Path) -> None:
    """ScriptedModel contacts nobody and writes nothing."""
    did = watched("from modelport import ScriptedModel\nmodel = ScriptedModel('Hi', repeat=True)", tmp_path / "home")
    assert did == Watched(True, [], [], [])


@pytest.mark.needs("openai")
def test_openai(tmp_path: Path) -> None:
    """OpenAIModel contacts the server that it was given, and writes nothing."""
    with loopback.Loopback(loopback.saying("Hi")) as server:
        make = (
            f"from modelport.adapters import OpenAIModel as M\nmodel = M('m', base_url={server.url!r}, api_key='none')"
        )
        did = watched(make, tmp_path / "home")
        assert did.answered
        assert set(did.contacts) == {str(("127.0.0.1", server.port))}
        assert set(did.names) <= {"127.0.0.1"}
        assert did.written == []


@pytest.mark.needs("openvino")
def test_openvino(tmp_path: Path) -> None:
    """OpenVINOModel contacts nobody, and writes the converted weights to the cache folder, and nothing else."""
    make = f"from modelport.adapters import OpenVINOModel\nmodel = OpenVINOModel({str(default_gguf())!r})"
    did = watched(make, tmp_path / "home")
    assert (did.answered, did.contacts, did.names) == (True, [], [])
    assert _elsewhere(did) == []
    assert [path for path in did.written if path.endswith("openvino_model.xml")]


@pytest.mark.needs("transformers")
def test_transformers(tmp_path: Path) -> None:
    """TransformersModel with the embedded default contacts nobody, and writes to the cache folder alone."""
    make = "from modelport.adapters import TransformersModel\nmodel = TransformersModel('default')"
    did = watched(make, tmp_path / "home", MODELPORT_CACHE=str(cache.folder()))
    assert (did.answered, did.contacts, did.names) == (True, [], [])
    assert _elsewhere(did) == []


def test_importing(tmp_path: Path) -> None:
    """Importing everything that is public contacts nobody and writes nothing."""
    make = "from modelport import *\nfrom modelport.adapters import *\nmodel = ScriptedModel('Hi', repeat=True)"
    assert watched(make, tmp_path / "home") == Watched(True, [], [], [])


def _elsewhere(did: Watched) -> list[str]:
    """What it wrote outside of the cache folder."""
    ours = os.path.join(".cache", "modelport") + os.sep
    return [path for path in did.written if not path.startswith(ours)]
