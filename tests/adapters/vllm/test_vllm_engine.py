"""The life of VLLMModel's engine: it starts, dies, is closed, is started again, and leaves nothing behind.

A tiny random Llama, because to start an engine takes long enough. The tests of one engine's life come in its order.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("vllm") is None:
    pytest.skip("vLLM runs in an environment of its own: make test-vllm", allow_module_level=True)

import psutil
import tiny_llama
import torch
import transformers
from safetensors.torch import save_file

from modelport import Event, Failed, TextDelta, as_request, blocking
from modelport.adapters.vllm.model import VLLMModel
from modelport.adapters.vllm.sampling import Loras

pytestmark = pytest.mark.filterwarnings("ignore")

SMALL = {"kv_cache_memory_bytes": 1 << 26, "dtype": "float32"}
HI = "Hi"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama whose heads are as large as vLLM wants them on a CPU."""
    place = tmp_path_factory.mktemp("vllm") / "llama"
    words = tiny_llama.tokenizer()
    words.save_pretrained(place)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        initializer_range=0.3,
        eos_token_id=words.eos_token_id,
        bos_token_id=None,
        pad_token_id=None,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> Iterator[VLLMModel]:
    others.update(psutil.Process().children(recursive=True))
    settings = {**SMALL, "enable_lora": True, "max_lora_rank": 8}
    made = VLLMModel(str(folder), model_kwargs=settings, max_tokens=8, temperature=0)
    yield made
    made.close()


others: set[psutil.Process] = set()
"""Those of engines that other tests have started."""


def processes(name: str, of: int | None = None) -> list[psutil.Process]:
    """The engine's processes of this name below a process, this one if none is given."""
    found = []
    for process in set(psutil.Process(of).children(recursive=True)) - others:
        try:
            if process.name().startswith(f"VLLM::{name}") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


async def listen(model: VLLMModel, heard: list[Event], **options: Any) -> None:
    async for event in model.stream(as_request(HI, ignore_eos=True, **options)):
        heard.append(event)  # noqa: PERF401 (it is looked at meanwhile)


async def streams(model: VLLMModel, then: Any) -> list[list[Event]]:
    """Two streams, both begun when `then()` is done, to their ends."""
    heard: list[list[Event]] = [[], []]
    tasks = [asyncio.create_task(listen(model, each, max_tokens=4000)) for each in heard]
    while not all(heard):  # noqa: ASYNC110 (they are listened to elsewhere)
        await asyncio.sleep(0.005)
    await then()
    await asyncio.gather(*tasks)
    return heard


def ends(heard: list[Event], kind: str, words: str) -> bool:
    """Whether a stream failed like this, with what it had shown as its partial answer."""
    *shown, last = heard
    assert isinstance(last, Failed), last
    text = "".join(event.text for event in shown if isinstance(event, TextDelta))
    assert last.partial is not None
    assert last.partial.content == text != ""
    assert words in last.error.message
    return last.error.kind == kind


def test_a_lora_changes_the_answer_and_only_where_it_is_asked_for(
    model: VLLMModel, folder: Path, tmp_path: Path
) -> None:
    write_lora(folder, tmp_path / "lora")
    plain = model(HI).content
    tuned = model(HI, lora_request=str(tmp_path / "lora")).content
    assert tuned != plain
    assert model(HI).content == plain
    assert model(HI, lora_request=str(tmp_path / "lora")).content == tuned


def test_an_adapter_in_a_folder_is_not_taken_for_one_that_the_user_has_numbered(tmp_path: Path) -> None:
    from vllm.lora.request import LoRARequest

    (tmp_path / "adapter_config.json").write_text("{}")
    asked: list[LoRARequest] = []

    class Llm:
        async def add_lora(self, request: LoRARequest) -> None:
            asked.append(request)

    async def main() -> None:
        loras = Loras()
        for lora in (LoRARequest("mine", 1, "/mine"), str(tmp_path), tmp_path):
            await loras.loaded(Llm(), lora)

    asyncio.run(main())
    assert [request.lora_path for request in asked] == ["/mine", str(tmp_path)]
    assert len({request.lora_int_id for request in asked}) == 2


def write_lora(base: Path, place: Path) -> None:
    """An adapter for the tiny Llama, loud enough to be heard, as PEFT writes one."""
    torch.manual_seed(1)
    place.mkdir()
    weights = {}
    for layer in range(2):
        for name in ("q_proj", "o_proj"):
            key = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            weights[f"{key}.lora_A.weight"] = torch.randn(8, 64)
            weights[f"{key}.lora_B.weight"] = torch.randn(64, 8)
    save_file(weights, place / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["q_proj", "o_proj"], "bias": "none"}
    (place / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": str(base)}))


def test_an_adapter_that_can_t_be_read_is_an_error_and_the_engine_lives(model: VLLMModel, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (engine,) = processes("EngineCor")
    kind, _, message = failure(model, lora_request=str(tmp_path))
    assert kind == "invalid_request"
    assert str(tmp_path) in message
    assert model(HI).content
    assert processes("EngineCor") == [engine]


@pytest.mark.parametrize("name", ["EngineCor", "Worker"])
def test_an_engine_that_dies_is_a_server_error_and_the_next_call_starts_it_again(model: VLLMModel, name: str) -> None:
    expected = model(HI)
    (victim,) = processes(name)

    async def kill() -> None:
        os.kill(victim.pid, signal.SIGKILL)

    heard = asyncio.run(streams(model, kill))
    assert all(ends(each, "server", "the engine died") for each in heard)
    assert model(HI) == expected
    assert not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE
    assert len(processes(name)) == 1


def test_closing_frees_the_device_and_fails_what_runs(model: VLLMModel) -> None:
    heard = asyncio.run(streams(model, model.aclose))
    assert all(ends(each, "interrupted", "closed") for each in heard)
    assert processes("") == []
    model.close()  # once more is nothing


def test_the_next_call_starts_it_again_and_may_be_cancelled_meanwhile(model: VLLMModel) -> None:
    async def main() -> bool:
        calling = asyncio.create_task(model.generate(as_request(HI)))
        await asyncio.sleep(0.05)
        calling.cancel()
        (outcome,) = await asyncio.gather(calling, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError)
        return model._runtime._engines.engine().started.done()

    assert asyncio.run(main()) is False
    assert model(HI).content  # the engine has started for whoever calls next
    assert len(processes("Worker")) == 1


SCRIPT = """
import os
import sys

from modelport.adapters.vllm.model import VLLMModel

print("top level")
model = VLLMModel(sys.argv[1], model_kwargs={settings}, max_tokens=4, temperature=0)
said = model("Hi").content
child = os.fork()
if not child:
    sys.exit(0 if not model._runtime._engines._engine.known() else 1)
assert os.waitpid(child, 0)[1] == 0
assert model("Hi").content == said
print("said", len(said) > 0, flush=True)
"""


def test_a_script_needs_no_guard_and_leaves_nothing_behind(folder: Path, tmp_path: Path) -> None:
    """No process, no file, no usage count; and a child that was forked from it doesn't end its engine."""
    home = tmp_path / "home"
    home.mkdir()
    temporary = Path(tempfile.mkdtemp(dir="/tmp"))  # vLLM's sockets have paths of 107 characters at most
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("{settings}", repr(SMALL)))
    dropped = ("XDG_", "HF_", "VLLM_", "DO_NOT_TRACK")
    own = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    own |= {"HOME": str(home), "TMPDIR": str(temporary)}
    command = [sys.executable, str(script), str(folder)]
    begun = subprocess.Popen(command, env=own, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen: set[int] = set()
    while begun.poll() is None:
        try:
            seen |= {process.pid for process in processes("", begun.pid)}
            begun.wait(0.5)
        except (subprocess.TimeoutExpired, psutil.NoSuchProcess):
            continue
    said, complaints = begun.communicate(timeout=60)
    assert (begun.returncode, said) == (0, "top level\nsaid True\n"), complaints
    assert "Traceback" not in complaints
    assert seen
    assert [pid for pid in seen if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"] == []
    assert not list(temporary.glob("modelport-vllm-*"))
    assert not list(home.rglob("usage_stats.json"))
    shutil.rmtree(temporary)


def test_a_program_that_ends_while_the_engine_starts_kills_it(folder: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED.replace("{settings}", repr(SMALL)))
    begun = subprocess.Popen([sys.executable, str(script), str(folder)], stderr=subprocess.PIPE, text=True)
    while not (seen := processes("", begun.pid)):
        with pytest.raises(subprocess.TimeoutExpired):
            begun.wait(0.2)
    begun.send_signal(signal.SIGINT)
    start = time.monotonic()
    _, complaints = begun.communicate(timeout=60)
    assert time.monotonic() - start < 30
    assert "KeyboardInterrupt" in complaints
    assert not [process for process in seen if process.is_running() and process.status() != "zombie"]


INTERRUPTED = """
import signal
import sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a program in the background wouldn't have

from modelport.adapters.vllm.model import VLLMModel

VLLMModel(sys.argv[1], model_kwargs={settings})("Hi")
"""


def failure(model: VLLMModel, **options: Any) -> tuple[str, str, str]:
    """The kind, how much it concerns, and the words of what a call fails with."""
    error = blocking(model).generate(as_request(HI, **options)).failure()
    return error.kind, error.scope, error.message


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"kv_cache_memory_bytes": 1 << 14}, "overloaded", "No available memory"),
        ({"kv_cache_memory_bytes": 1 << 50}, "overloaded", "memory"),
        ({"flavour": 3}, "invalid_request", "flavour"),
        ({"max_model_len": 999_999_999}, "invalid_request", "max_model_len"),
    ],
    ids=["a cache too small for the context", "more memory than there is", "no such argument", "a wrong argument"],
)
def test_an_engine_that_can_t_start_says_why(folder: Path, settings: dict[str, Any], kind: str, words: str) -> None:
    before = processes("")
    found = failure(VLLMModel(str(folder), model_kwargs={**SMALL, **settings}))
    assert found[:2] == (kind, "model")
    assert words in found[2]
    assert set(processes("")) == set(before)


def test_weights_that_were_half_written_are_not_found(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:10_000])
    kind, scope, message = failure(VLLMModel(str(tmp_path), model_kwargs=SMALL))
    assert (kind, scope) == ("not_found", "model")
    assert "safetensor" in message.lower()


def test_a_folder_that_is_no_model_is_not_found(tmp_path: Path) -> None:
    assert failure(VLLMModel(str(tmp_path)))[0] == "not_found"
    assert failure(VLLMModel(str(tmp_path / "nosuch")))[0] == "not_found"


def test_a_hub_that_can_t_be_reached_is_said_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    begun = time.monotonic()
    kind, _, message = failure(VLLMModel("nobody/nothing"))
    assert (kind, time.monotonic() - begun < 30) == ("connection", True)
    assert "VLLMModel('default')" in message
