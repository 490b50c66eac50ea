"""Nothing phones home: each adapter contacts the endpoint that it was given, and writes to our cache folder alone."""

from __future__ import annotations

import os
from pathlib import Path

import loopback
import pytest
from phone_home import Watched, watched

from modelport.adapters.files import cache
from modelport.adapters.files.weights import default_gguf


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
