"""Nothing phones home: each adapter contacts the endpoint that it was given, and writes to our cache folder alone."""

from __future__ import annotations

import os
from pathlib import Path

import loopback
import pytest
from bedrock_wire import saying as bedrock_saying
from extras import need
from phone_home import Watched, watched

from modelport.adapters.files import cache
from modelport.adapters.files.weights import default_gguf


def test_scripted(tmp_path: Path) -> None:
    """ScriptedModel contacts nobody and writes nothing."""
    did = watched("from modelport import ScriptedModel\nmodel = ScriptedModel('Hi', repeat=True)", tmp_path / "home")
    assert did == Watched(True, [], [], [])


LITELLM = "api_base={url!r}, api_key='none'"
ROUTED = f"dict(model='openai/m', {LITELLM})"
BEHIND_AN_API = {
    "OpenAIModel": ("openai", "base_url={url!r}, api_key='none'"),
    "AzureOpenAIModel": ("openai", "azure_endpoint={url!r}, api_version='1', api_key='none'"),
    "InferenceClientModel": ("huggingface", "base_url={url!r}, token='none'"),
    "AmazonBedrockModel": (
        "bedrock",
        "endpoint_url={url!r}, region_name='us-east-1', aws_access_key_id='a', aws_secret_access_key='b'",
    ),
    "LiteLLMModel": ("litellm", LITELLM),
    "LiteLLMRouterModel": (
        "litellm",
        f"model_list=[dict(model_name='openai/m', litellm_params=dict(model='openai/m', {LITELLM}))]",
    ),
}


@pytest.mark.parametrize("name", BEHIND_AN_API)
def test_a_model_behind_an_api(name: str, tmp_path: Path) -> None:
    """It contacts the server that it was given, whole and streamed, and writes nothing.

    No table of prices, no telemetry, no hub, and no service of the machine's own cloud that gives credentials.
    """
    extra, arguments = BEHIND_AN_API[name]
    need(extra)
    model_id = "openai/m" if name.startswith("LiteLLM") else "m"
    answer = bedrock_saying("Hi") if name == "AmazonBedrockModel" else loopback.saying("Hi")
    with loopback.Loopback(answer) as server:
        given = arguments.format(url=server.url)
        make = f"from modelport.adapters import {name} as M\nmodel = M({model_id!r}, {given})"
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
