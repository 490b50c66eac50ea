"""`TransformersModel` and the files that it reads: folders, GGUF files, and those that are broken."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the transformers extra")

import tiny_gguf
import tiny_llama
import tiny_llava
import torch
import transformers
from hub import COMMIT, repository
from loopback import Answer, Loopback, Seen
from returns.result import Failure

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.model import TransformersModel
from modelport.domain.error import ModelError, Sent

WORDS = tiny_llama.tokenizer()
LLAMA = tiny_llama.model(WORDS)
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 12}
EXPECTED = TransformersModel("tiny", model=LLAMA, tokenizer=WORDS, **GREEDY)("안녕")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MODELPORT_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model as a folder, and as a GGUF file."""
    folder = tmp_path_factory.mktemp("written")
    LLAMA.save_pretrained(folder / "model")
    WORDS.save_pretrained(folder / "model")
    return folder / "model", tiny_gguf.write(folder / "tiny.gguf", LLAMA, WORDS)


@pytest.fixture
def folder(written: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(written[0], tmp_path / "model"))


@pytest.fixture
def file(written: tuple[Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(written[1], tmp_path / "tiny.gguf"))


def error(model: TransformersModel) -> ModelError:
    result = asyncio.run(model.generate(as_request("안녕")))
    assert isinstance(result, Failure)
    return result.failure()


def test_a_gguf_file_answers_as_the_model_in_it_and_is_converted_once(file: Path, cache: Path) -> None:
    model = TransformersModel(str(file), dtype="float32", **GREEDY)
    assert (model("안녕").message, model("안녕").usage) == (EXPECTED.message, EXPECTED.usage)
    (made,) = [item for item in cache.iterdir() if item.is_dir()]
    assert made.name.startswith("tiny-transformers-")
    written = (made / "model.safetensors").stat().st_mtime_ns
    assert TransformersModel(str(file), dtype="float32", **GREEDY)("안녕").message == EXPECTED.message
    assert (made / "model.safetensors").stat().st_mtime_ns == written


def test_a_folder_may_hold_a_gguf_file_with_or_without_a_configuration(file: Path, folder: Path) -> None:
    alone = file.parent / "alone"
    alone.mkdir()
    shutil.copy(file, alone)
    assert TransformersModel(str(alone), dtype="float32", **GREEDY)("안녕").message == EXPECTED.message
    shutil.copy(folder / "config.json", alone)
    assert TransformersModel(str(alone), dtype="float32", **GREEDY)("안녕").message == EXPECTED.message


def test_the_weights_of_a_folder_come_before_a_gguf_file_in_it(file: Path, folder: Path, cache: Path) -> None:
    shutil.copy(file, folder)
    assert TransformersModel(str(folder), **GREEDY)("안녕").message == EXPECTED.message
    assert not cache.exists()


def test_of_two_gguf_files_the_one_is_named(file: Path) -> None:
    other = file.with_name("a.gguf")
    shutil.copy(file, other)
    failed = error(TransformersModel(str(file.parent), dtype="float32", **GREEDY))
    assert (failed.kind, failed.sent) == ("not_found", Sent.NO)
    assert f"holds a.gguf, tiny.gguf; name the one: {str(other)!r}" in failed.message
    named = TransformersModel(str(file.parent), dtype="float32", model_kwargs={"gguf_file": "tiny.gguf"}, **GREEDY)
    assert named("안녕").message == EXPECTED.message


def test_without_a_dtype_a_gguf_file_is_read_in_bfloat16(file: Path) -> None:
    model = TransformersModel(str(file), **GREEDY)
    assert model("안녕").content
    assert model._runtime.ready().loaded.model.dtype == torch.bfloat16


@pytest.mark.parametrize("left", [0, 3, 100, 0.5, -1])
def test_a_gguf_file_that_is_cut_off_is_not_found_until_it_is_whole(file: Path, left: float) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * left) if 0 < left < 1 else int(left)])
    model = TransformersModel(str(file), dtype="float32", **GREEDY)
    failed = error(model)
    assert (failed.kind, failed.sent, failed.scope) == ("not_found", Sent.NO, "model")
    assert str(file) in failed.message
    file.write_bytes(whole)
    assert model("안녕").message == EXPECTED.message


ASK = """
import sys
from modelport import Image, Message, Text
from modelport.adapters import TransformersModel

gguf = dict(temperature=0, max_tokens=12, dtype="float32")
print(TransformersModel("org/tiny/tiny.gguf", **gguf)("안녕").content.encode())
print(TransformersModel("org/tiny", model_kwargs={"gguf_file": "tiny.gguf"}, **gguf)("안녕").content.encode())
for at in (1, 2):
    asked = [Message("user", [Image(open(sys.argv[at], "rb").read()), Text("?")])]
    print(TransformersModel("org/llava", temperature=0, max_tokens=12)(asked).content.encode())
"""


def test_files_and_models_that_see_come_from_the_hub_and_stay(file: Path, tmp_path: Path) -> None:
    pictures = [tmp_path / "red.png", tmp_path / "blue.png"]
    pictures[0].write_bytes(tiny_llava.picture(red=255))
    pictures[1].write_bytes(tiny_llava.picture(blue=255))
    processor, seeing = tiny_llava.processor(), tmp_path / "llava"
    tiny_llava.model(processor).save_pretrained(seeing)
    processor.save_pretrained(seeing)
    files, gguf = repository("org/llava", {item.name: item for item in seeing.iterdir()}), {"tiny.gguf": file}

    def both(seen: Seen) -> Answer:
        if "additional_chat_templates" in seen.path:  # a folder that isn't there
            return Answer(404, {"x-error-code": "EntryNotFound", "x-repo-commit": COMMIT})
        return files(seen) if "llava" in seen.path else repository("org/tiny", gguf)(seen)

    environment = {"HF_HOME": str(tmp_path / "hf"), "MODELPORT_CACHE": str(tmp_path / "cache"), "PATH": ""}
    environment |= {"HF_HUB_DISABLE_XET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ASK, *map(str, pictures)]

    def ask() -> str:
        said = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        return said.stdout

    with Loopback(both) as hub:
        environment["HF_ENDPOINT"] = hub.url.removesuffix("/v1")
        first = ask()
    again, told = ask(), first.splitlines()
    assert told[:2] == [repr(EXPECTED.content.encode())] * 2
    assert told[2] != told[3]
    assert again == first  # though the Hub is gone


def _cut(name: str, left: float) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * left)])

    return cut


def _written(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


def _as_bin(data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(data)

    return write


BROKEN: dict[str, Callable[[Path], object]] = {
    "no weights at all": lambda folder: (folder / "model.safetensors").unlink(),
    "empty weights": _cut("model.safetensors", 0),
    "weights cut off in the header": _cut("model.safetensors", 0.001),
    "weights cut off in the middle": _cut("model.safetensors", 0.5),
    "weights that are none": _written("model.safetensors", b"\x00" * 4096),
    "a page of text for weights": _written("model.safetensors", b"<html>" * 999),
    "weights of another sort that are none": _as_bin(b"nothing"),
    "empty weights of another sort": _as_bin(b""),
    "an empty configuration": _cut("config.json", 0),
    "a configuration cut off": _cut("config.json", 0.5),
    "a configuration of no model": _written("config.json", b"{}"),
    "a tokenizer cut off": _cut("tokenizer.json", 0.5),
    "an empty tokenizer": _cut("tokenizer.json", 0),
    "an index to shards that aren't there": lambda folder: (
        _written(
            "model.safetensors.index.json", b'{"metadata": {}, "weight_map": {"lm_head.weight": "a.safetensors"}}'
        )(folder),
        (folder / "model.safetensors").unlink(),
    ),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_folder_is_not_found_until_it_is_whole(broken: Callable[[Path], object], folder: Path) -> None:
    kept = Path(shutil.copytree(folder, folder.with_name("kept")))
    broken(folder)
    model = TransformersModel(str(folder), **GREEDY)
    failed = error(model)
    assert (failed.kind, failed.sent, failed.scope) == ("not_found", Sent.NO, "model"), failed.message
    assert str(folder) in failed.message
    shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    assert model("안녕").message == EXPECTED.message


def test_weights_of_another_shape_are_not_taken_for_the_models(folder: Path) -> None:
    other = transformers.LlamaConfig.from_pretrained(folder, hidden_size=64)
    other.save_pretrained(folder)
    failed = error(TransformersModel(str(folder), **GREEDY))
    assert (failed.kind, failed.sent, failed.scope) == ("not_found", Sent.NO, "model"), failed.message


@pytest.mark.parametrize(("dtype", "expected"), [("bfloat16", torch.bfloat16), (torch.float16, torch.float16)])
@pytest.mark.parametrize("spelled", ["dtype", "torch_dtype"])
def test_a_dtype_is_that_of_the_weights(folder: Path, spelled: str, dtype: Any, expected: Any) -> None:
    model = TransformersModel(str(folder), max_tokens=3, **{spelled: dtype})
    assert model("안녕").content
    assert model._runtime.ready().loaded.model.dtype == expected


@pytest.mark.parametrize(
    "wrong", [{"dtype": "no such type"}, {"device_map": "nowhere"}, {"model_kwargs": {"attn_implementation": "none"}}]
)
def test_an_argument_that_has_no_such_value_is_an_invalid_request(folder: Path, wrong: dict[str, Any]) -> None:
    failed = error(TransformersModel(str(folder), **wrong))
    assert (failed.kind, failed.sent, failed.scope) == ("invalid_request", Sent.NO, "model"), failed.message


def test_more_arguments_reach_from_pretrained(folder: Path) -> None:
    kwargs = {"attn_implementation": "eager", "max_position_embeddings": 99}
    model = TransformersModel(str(folder), device_map="cpu", model_kwargs=kwargs, **GREEDY)
    assert model("안녕").message == EXPECTED.message
    loaded = model._runtime.ready().loaded.model
    assert (loaded.config._attn_implementation, loaded.config.max_position_embeddings) == ("eager", 99)


def _in_eight_bits(folder: Path, block: int = 16) -> None:
    from safetensors.torch import load_file, save_file

    written: dict[str, torch.Tensor] = {}
    for name, weights in load_file(folder / "model.safetensors").items():
        written[name] = weights
        if "proj" in name:
            rows, columns = weights.shape
            blocks = weights.reshape(rows // block, block, columns // block, block)
            scale = blocks.abs().amax((1, 3)) / 448
            small = (blocks / scale[:, None, :, None]).reshape(rows, columns)
            written |= {name: small.to(torch.float8_e4m3fn), f"{name}_scale_inv": scale}
    save_file(written, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_bytes())
    config["quantization_config"] = {
        "quant_method": "fp8",
        "activation_scheme": "dynamic",
        "weight_block_size": [block, block],
        "modules_to_not_convert": ["lm_head"],
    }
    (folder / "config.json").write_text(json.dumps(config))


def test_a_quantised_folder_is_loaded_as_it_says(folder: Path) -> None:
    _in_eight_bits(folder)
    model = TransformersModel(str(folder), dtype="float32", **GREEDY)
    assert model("안녕").content
    found, original = (each.model.layers[0].mlp.up_proj.weight for each in (model._runtime.ready().loaded.model, LLAMA))
    assert not torch.equal(found, original)
    if found.dtype is torch.float32:  # without a GPU it is made whole again
        assert torch.allclose(found, original, rtol=0.08, atol=1e-3)


CODE = """
import transformers
class Config(transformers.LlamaConfig):
    model_type = "theirs"
class Theirs(transformers.LlamaForCausalLM):
    config_class = Config
"""


def test_code_that_comes_with_a_model_runs_only_where_it_is_trusted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    config = json.loads((folder / "config.json").read_bytes())
    config |= {"model_type": "theirs", "architectures": ["Theirs"]}
    config["auto_map"] = {"AutoConfig": "theirs.Config", "AutoModelForCausalLM": "theirs.Theirs"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "theirs.py").write_text(CODE)
    failed = error(TransformersModel(str(folder), **GREEDY))
    assert (failed.kind, failed.sent) == ("permission", Sent.NO), failed.message
    assert "trust_remote_code" in failed.message
    trusting = TransformersModel(str(folder), trust_remote_code=True, **GREEDY)
    assert trusting("안녕").message == EXPECTED.message
    assert type(trusting._runtime.ready().loaded.model).__name__ == "Theirs"
