"""A model's name is a folder, a file or one on the Hub; and a Hub that doesn't answer is said so within seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from hub import COMMIT, repository
from loopback import Answer, Loopback

from modelport.adapters.files import places
from modelport.adapters.files.places import Place
from modelport.domain.error import ErrorKind, ModelError, ModelFailure

constants = pytest.importorskip("huggingface_hub.constants")

NOBODY = "http://127.0.0.1:9"
SILENT = Answer(0, then="stall")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The Hub's own settings, with nothing in its cache, and nobody at its address."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", NOBODY)
    return monkeypatch


def at(hub: pytest.MonkeyPatch, server: Loopback) -> None:
    hub.setattr(constants, "ENDPOINT", server.url.removesuffix("/v1"))


def refusal(name: str, **more: object) -> ModelError:
    with pytest.raises(ModelFailure) as caught:
        places.find(name, "SomeModel", **more)  # type: ignore[arg-type]
    return caught.value.error


def test_a_folder_with_its_mark_is_the_place(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert places.find(str(tmp_path), "SomeModel") == Place(str(tmp_path), True)


def test_a_folder_without_its_mark_is_no_model(tmp_path: Path) -> None:
    found = refusal(str(tmp_path), marks=("a.xml", "b.xml"))
    assert (found.kind, found.scope, found.sent) == ("not_found", "model", "no")
    assert found.message == f"the folder {str(tmp_path)!r} holds no model: it has no a.xml or b.xml"


def test_a_gguf_file_is_a_place_where_files_serve(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"GGUF and more")
    assert places.find(str(tmp_path / "m.gguf"), "SomeModel", files=True) == Place(str(tmp_path / "m.gguf"), True)
    assert refusal(str(tmp_path / "m.gguf")).kind is ErrorKind.NOT_FOUND


def test_another_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"hello")
    assert refusal(str(tmp_path / "m.gguf"), files=True).message.endswith("is neither a model folder nor a GGUF file")


@pytest.mark.parametrize(
    "name", ["/nowhere/at/all", "~/nowhere", "./nowhere", "nowhere/", "..", "no where", "a\\b", "~nosuchuser/m"]
)
def test_what_can_only_be_a_path_is_not_looked_for_on_the_hub(name: str) -> None:
    path = name if name.startswith("~nosuchuser") else str(Path(name).expanduser())
    assert refusal(name).message.startswith((f"there is no model folder {path!r}", f"the folder {path!r} holds no"))


def test_a_folder_with_nothing_but_one_gguf_file_is_that_file(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(b"GGUF and more")
    assert places.find(str(tmp_path), "SomeModel", files=True) == Place(str(file), True)
    (tmp_path / "n.gguf").write_bytes(b"GGUF and more")
    assert "name the one" in refusal(str(tmp_path), files=True).message
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert places.find(str(tmp_path), "SomeModel", files=True) == Place(str(tmp_path), True)


@pytest.mark.parametrize("name", ["nowhere.gguf", "models/nowhere.gguf"])
def test_a_gguf_file_that_isn_t_there_is_not_looked_for_on_the_hub_unless_it_is_in_a_repository(name: str) -> None:
    assert refusal(name, files=True).message == f"there is no model folder and no GGUF file {name!r}"


def test_a_name_on_a_hub_that_answers_is_left_to_the_runtime(hub: pytest.MonkeyPatch) -> None:
    for answer in (Answer(200), Answer(404), Answer(401)):
        with Loopback(answer) as server:
            at(hub, server)
            assert places.find("org/name", "SomeModel") == Place("org/name", False)
            assert [(seen.method, seen.path) for seen in server.requests] == [
                ("HEAD", "/org/name/resolve/main/config.json")
            ]


def test_where_nobody_listens_the_error_comes_at_once_and_names_the_default(hub: pytest.MonkeyPatch) -> None:
    found = refusal("org/name", patience=60.0)
    assert "no answer within" not in found.message
    assert (found.kind, found.scope, found.sent) == ("connection", "model", "no")
    assert found.message.startswith(f"'org/name' is not on this machine, and the Hub at {NOBODY} can't be reached")
    assert found.message.endswith("; SomeModel('default') needs no hub")


@pytest.mark.parametrize(
    ("answer", "words", "patience"),
    [(SILENT, "(no answer within 0.3 s)", 0.3), (Answer(503), "(it answers with status 503)", 60.0)],
    ids=["accepts and never answers", "is out of order"],
)
def test_a_hub_that_is_of_no_use_is_said_so(
    hub: pytest.MonkeyPatch, answer: Answer, words: str, patience: float
) -> None:
    with Loopback(answer) as server:
        at(hub, server)
        assert words in refusal("org/name", patience=patience).message


def test_a_name_that_nobody_knows_is_said_so(hub: pytest.MonkeyPatch) -> None:
    hub.setattr(constants, "ENDPOINT", "http://hub.invalid")
    assert "the Hub at http://hub.invalid can't be reached" in refusal("org/name").message


@pytest.mark.parametrize(
    ("name", "files", "file", "place"),
    [("org/name", False, "config.json", ""), ("org/name/m.gguf", True, "m.gguf", "/m.gguf")],
)
def test_what_was_fetched_before_serves_where_the_hub_can_t_be_reached(
    hub: pytest.MonkeyPatch, tmp_path: Path, name: str, files: bool, file: str, place: str
) -> None:
    cached = tmp_path / "hub/models--org--name"
    kept = cached / "snapshots" / COMMIT
    kept.mkdir(parents=True)
    (kept / file).write_text("{}")
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text(COMMIT)
    assert places.find(name, "SomeModel", files=files) == Place(f"{kept}{place}", True)
    assert refusal(name, files=files, revision="other").kind is ErrorKind.CONNECTION
    with Loopback(Answer(200)) as server:
        at(hub, server)
        assert places.find(name, "SomeModel", files=files, only_local=True).local
        assert server.requests == []


def run(code: str, hub: Loopback | None, tmp_path: Path, **more: str) -> Mapping[str, object]:
    """What the code prints as JSON, in a process of its own with this Hub."""
    where = NOBODY if hub is None else hub.url.removesuffix("/v1")
    own = {"HF_ENDPOINT": where, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "OMP_NUM_THREADS": "1"}
    left = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**left, **own, **more},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found: Mapping[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


FETCH = """
import json
from modelport.adapters.files.places import fetch, find
from modelport.domain.error import ModelFailure
try:
    found = fetch(find({name!r}, "SomeModel", files=True), ("*.json",))
    files = sorted(file.name for file in found.iterdir()) if found.is_dir() else [found.name]
    print(json.dumps({{"files": files}}))
except ModelFailure as failure:
    print(json.dumps({{"kind": failure.error.kind, "message": failure.error.message}}))
"""


def test_what_is_fetched_is_of_the_kinds_wanted(tmp_path: Path) -> None:
    with Loopback(repository("org/name", {"config.json": b"{}", "a.bin": b"a", "m.gguf": b"GGUF"})) as hub:
        assert run(FETCH.format(name="org/name"), hub, tmp_path) == {"files": ["config.json"]}
        assert run(FETCH.format(name="org/name/m.gguf"), hub, tmp_path) == {"files": ["m.gguf"]}
        for name in ("org/other", "org/name/n.gguf"):
            found = run(FETCH.format(name=name), hub, tmp_path)
            assert found["kind"] == "not_found", found
            assert str(found["message"]).startswith(f"{name!r} can't be fetched from the Hub: ")
    for name in ("org/name", "org/name/m.gguf"):
        assert "files" in run(FETCH.format(name=name), None, tmp_path), "fetched before, and the Hub is gone"


ASK = """
import json, time
from importlib import import_module
from modelport.domain.error import ModelFailure
begun = time.perf_counter()
model = getattr(import_module("modelport.adapters"), {model!r})({name!r}, max_tokens=3, temperature=0)
try:
    answer = {{"text": model("Hi").content}}
except ModelFailure as failure:
    answer = {{"kind": failure.error.kind, "message": failure.error.message}}
print(json.dumps({{**answer, "seconds": time.perf_counter() - begun}}))
"""
ALL = [
    ("TransformersModel", "transformers", "torch"),
    ("OpenVINOModel", "openvino", "openvino_genai"),
    ("VLLMModel", "vllm", "vllm"),
    ("MLXModel", "mlx", "mlx_lm"),
]
RUNTIMES = [runtime for runtime in ALL if find_spec(runtime[2]) is not None]


@pytest.mark.parametrize(("model", "module", "_package"), RUNTIMES, ids=[name for name, _, _ in RUNTIMES])
@pytest.mark.parametrize("how", ["nobody listens", "it never answers", "HF_HUB_OFFLINE"])
def test_a_runtime_says_within_seconds_that_the_hub_can_t_be_reached(
    model: str, module: str, _package: str, how: str, tmp_path: Path
) -> None:
    with Loopback(SILENT) as silent:
        code = ASK.format(module=module, model=model, name="org/name")
        offline = {"HF_HUB_OFFLINE": "1"} if how == "HF_HUB_OFFLINE" else {}
        found = run(code, silent if how == "it never answers" else None, tmp_path, **offline)
    assert found["kind"] == "connection"
    assert f"; {model}('default') needs no hub" in str(found["message"])
    assert float(str(found["seconds"])) < 60, "importing the runtime included, which takes most of it"


@pytest.mark.skipif(find_spec("torch") is None, reason="Transformers is not installed here")
def test_a_name_on_the_hub_loads_in_transformers_and_again_without_the_hub(tmp_path: Path) -> None:
    import tiny_llama

    words = tiny_llama.tokenizer()
    words.save_pretrained(tmp_path / "made")
    tiny_llama.model(words).save_pretrained(tmp_path / "made")
    code = ASK.format(module="transformers", model="TransformersModel", name="org/tiny")
    with Loopback(repository("org/tiny", {file.name: file for file in (tmp_path / "made").iterdir()})) as hub:
        first = run(code, hub, tmp_path)
    assert isinstance(first["text"], str)
    assert run(code, None, tmp_path)["text"] == first["text"]


@pytest.mark.skipif(find_spec("openvino_genai") is None, reason="OpenVINO GenAI is not installed here")
def test_a_repository_in_openvino_s_format_loads_and_again_without_the_hub(tmp_path: Path) -> None:
    from modelport.adapters.files import cache
    from modelport.adapters.openvino.model import OpenVINOModel

    text = OpenVINOModel(max_tokens=3, temperature=0)("Hi").content
    folder = max(cache.folder().glob("SmolLM2*-openvino-*/openvino_model.xml")).parent
    files = {file.name: file for file in folder.iterdir() if file.is_file()}
    code = ASK.format(module="openvino", model="OpenVINOModel", name="org/name-ov")
    with Loopback(repository("org/name-ov", {**files, "pytorch_model.bin": b"another runtime's"})) as hub:
        assert run(code, hub, tmp_path)["text"] == text
        assert not [seen for seen in hub.requests if seen.path.endswith("pytorch_model.bin")]
        assert run(code.replace("name-ov", "other"), hub, tmp_path)["kind"] == "not_found"
    assert run(code, None, tmp_path)["text"] == text


@pytest.mark.skipif(find_spec("openvino_genai") is None, reason="OpenVINO GenAI is not installed here")
def test_a_repository_in_another_format_is_not_openvino_s(tmp_path: Path) -> None:
    code = ASK.format(module="openvino", model="OpenVINOModel", name="org/name")
    with Loopback(repository("org/name", {"config.json": b"{}", "model.safetensors": b"..."})) as hub:
        found = run(code, hub, tmp_path)
    assert found["kind"] == "not_found"
    assert "the repository 'org/name' has no openvino_model.xml" in str(found["message"])
