"""`MLXModel` with the embedded default's real weights, and with what of them is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from paths import TINY

pytest.importorskip("mlx_lm")

from modelport import ModelFailure
from modelport.adapters.files import gguf, weights
from modelport.adapters.mlx.gguf import convert
from modelport.adapters.mlx.model import MLXModel
from modelport.domain.response_format import JsonSchema

ANSWER = "The capital of France is Paris."
CAPITAL = "What is the capital of France?"
CITY = {"type": "object", "properties": {"city": {"enum": ["Paris", "Rome"]}}, "required": ["city"]}


@pytest.fixture(scope="module")
def model() -> MLXModel:
    return MLXModel("default", max_tokens=12, temperature=0)


def test_it_answers_without_torch_and_reads_the_same_question_once(model: MLXModel) -> None:
    first, second = model(CAPITAL), model(CAPITAL)
    assert (first.content, first.finish_reason) == (ANSWER, "stop")
    assert (second.content, second.finish_reason) == (ANSWER, "stop")
    assert first.usage is not None
    assert second.usage is not None
    assert (first.usage.input_tokens, first.usage.output_tokens) == (37, 8)
    assert second.usage.cached_tokens >= 35


def test_it_keeps_a_form_that_it_would_not_have_by_itself(model: MLXModel) -> None:
    response = model(CAPITAL, response_format=JsonSchema(CITY), max_tokens=30)
    assert json.loads(response.content)["city"] in ("Paris", "Rome")
    assert response.finish_reason == "stop"


def test_the_page_s_own_example_stops_before_its_syllable(model: MLXModel) -> None:
    assert "이" not in model("좋아!", stop_sequences=["이"]).content


def test_a_gguf_file_of_a_llama_is_a_model_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELPORT_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "mine.gguf"
    file.symlink_to(weights.default_gguf())
    assert MLXModel(str(file), max_tokens=3)("Say it.").usage.output_tokens == 3  # type: ignore[union-attr]
    assert [made.name[:9] for made in (tmp_path / "cache").glob("mine-mlx-*/config.json")] == ["config.js"]


def test_a_gguf_file_that_is_cut_off_is_not_converted(tmp_path: Path) -> None:
    with weights.default_gguf().open("rb") as file:
        (tmp_path / "cut.gguf").write_bytes(file.read(3_000_000))
    with pytest.raises(gguf.NotWhole):
        convert(tmp_path / "cut.gguf", tmp_path / "made")
    with pytest.raises(ModelFailure, match=r"not_found.*cut off"):
        MLXModel(str(tmp_path / "cut.gguf"))("?")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("weight", ["rope_freqs.weight", "blk.0.ffn_gate_inp.weight", "blk.0.attn_q.bias"])
def test_a_gguf_file_of_another_llama_than_mlx_lm_s_is_unsupported_and_says_why(weight: str, tmp_path: Path) -> None:
    import mlx.core as mx

    file, about = tmp_path / "other.gguf", {"general.architecture": "llama", "tokenizer.ggml.model": "gpt2"}
    mx.save_gguf(str(file), {"token_embd.weight": mx.zeros((32, 32)), weight: mx.zeros((32,))}, about)
    with pytest.raises(ModelFailure, match=f"unsupported.*{weight}"):
        MLXModel(str(file))("?")


def test_a_folder_of_quantised_weights_is_loaded_as_it_is(tmp_path: Path) -> None:
    import mlx.nn as nn
    import tiny_mlx

    words = tiny_mlx.tokenizer()
    llama = tiny_mlx.model(words)
    nn.quantize(llama, group_size=32, bits=8)
    form = {"group_size": 32, "bits": 8}
    folder = tiny_mlx.folder(tmp_path / "tiny", words, llama, quantization=form)
    whole = MLXModel("whole", model=tiny_mlx.model(words), tokenizer=words, max_tokens=3, temperature=0)
    assert MLXModel(str(folder), max_tokens=3)("안녕").content == whole("안녕").content


def cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def emptied(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def garbled(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"x" * 5000)


def without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


@pytest.mark.parametrize("broken", [cut, emptied, garbled, without_weights, without_config])
def test_a_broken_folder_is_not_found_by_its_path_and_serves_once_it_is_mended(
    broken: Callable[[Path], None], tmp_path: Path
) -> None:
    import tiny_mlx

    words = tiny_mlx.tokenizer()
    folder = tiny_mlx.folder(tmp_path / "tiny", words)
    broken(folder)
    model = MLXModel(str(folder), max_tokens=3)
    with pytest.raises(ModelFailure) as failed:
        model("?")
    assert (failed.value.error.kind, failed.value.error.sent, failed.value.error.scope) == ("not_found", "no", "model")
    assert str(folder) in failed.value.error.message
    tiny_mlx.folder(folder, words)
    assert model("?").usage.output_tokens == 3  # type: ignore[union-attr]


def run(code: str, *arguments: str, **environment: str) -> str:
    """What a program of its own prints."""
    given = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", **environment}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300, env=given)
    assert done.returncode == 0, done.stderr
    return done.stdout


MEMORY = """
import resource, sys
import mlx.core as mx
sys.path.insert(0, sys.argv[1])
import tiny_mlx
from modelport import ModelFailure
from modelport.adapters.mlx.model import MLXModel

words = tiny_mlx.tokenizer()
tiny = MLXModel("tiny", model=tiny_mlx.model(words), tokenizer=words, max_tokens=4)
folder = MLXModel(str(tiny_mlx.folder(__import__("pathlib").Path(sys.argv[2]), words)), max_tokens=4)
said = tiny("hi").content

def ask(model):
    try:
        return model("hi").content == said
    except ModelFailure as failure:
        return failure.error.kind.value, failure.error.sent.value, "out of memory" in failure.error.message

usual = mx.set_memory_limit(1 << 20)
print(ask(tiny), ask(folder))
mx.set_memory_limit(usual)
print(ask(tiny), ask(folder))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), resource.RLIM_INFINITY))
print(ask(tiny))
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(ask(tiny))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of a process are read as Linux tells them")
def test_where_memory_is_short_loading_and_generating_are_refused_and_the_next_call_is_answered(tmp_path: Path) -> None:
    assert run(MEMORY, str(TINY), str(tmp_path / "tiny")).splitlines() == [
        "('overloaded', 'yes', True) ('overloaded', 'no', True)",
        "True True",
        "('overloaded', 'yes', True)",
        "True",
    ]


FORKED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from modelport import ModelFailure
from modelport.adapters.mlx.model import MLXModel

def child(work):
    pid = os.fork()
    if not pid:
        try:
            work()
        except ModelFailure as failure:
            print(failure.error.kind, "spawn" in failure.error.message, flush=True)
        os._exit(0)
    os.waitpid(pid, 0)

untouched = MLXModel(sys.argv[2], max_tokens=3)
child(lambda: print(untouched("hi").usage.output_tokens, flush=True))
used = MLXModel(sys.argv[2], max_tokens=3)
print(used("hi").usage.output_tokens, flush=True)
child(lambda: used("hi"))
child(lambda: untouched("hi"))
print(used("hi").usage.output_tokens)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_is_refused_at_once_where_mlx_ran_before_and_serves_where_it_did_not(tmp_path: Path) -> None:
    import tiny_mlx

    folder = tiny_mlx.folder(tmp_path / "tiny", tiny_mlx.tokenizer())
    said = run(FORKED, str(TINY), str(folder), PYTHONWARNINGS="ignore")
    assert said.splitlines() == ["3", "3", "unsupported True", "unsupported True", "3"]


ENDS = """
import asyncio, sys, threading
sys.path.insert(0, sys.argv[1])
from modelport import TextDelta, as_request
from modelport.adapters.mlx.model import MLXModel

model = MLXModel(sys.argv[2], max_tokens=200)
begun = threading.Event()

async def read():
    async for _ in model.stream(as_request("hi")):
        begun.set()

threading.Thread(target=lambda: asyncio.run(read()), daemon=True).start()
begun.wait(60)
"""


def test_a_program_that_ends_while_it_generates_ends_cleanly(tmp_path: Path) -> None:
    import tiny_mlx

    folder = tiny_mlx.folder(tmp_path / "tiny", tiny_mlx.tokenizer())
    for _ in range(3):
        assert run(ENDS, str(TINY), str(folder)) == ""


FORKED_MEANWHILE = """
import asyncio, os, sys, threading
sys.path.insert(0, sys.argv[1])
from modelport import as_request
from modelport.adapters.mlx import thread as mlx_thread
from modelport.adapters.mlx.model import MLXModel

model = MLXModel(sys.argv[2], max_tokens=200)
begun = threading.Event()
mlx_thread._PATIENCE = 3600.0

async def read():
    async for _ in model.stream(as_request("hi", logits_processors=[wait])):
        pass

def wait(tokens, scores):
    begun.set()
    ended.wait()
    return scores

ended = threading.Event()
threading.Thread(target=lambda: asyncio.run(read()), daemon=True).start()
begun.wait(60)
child = os.fork()
if not child:
    sys.exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))  # before that has ended
ended.set()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_does_not_wait_at_its_end_for_what_its_parent_generates(tmp_path: Path) -> None:
    import tiny_mlx

    folder = tiny_mlx.folder(tmp_path / "tiny", tiny_mlx.tokenizer())
    said = run(FORKED_MEANWHILE, str(TINY), str(folder), PYTHONWARNINGS="ignore")
    assert said == "3\n"


CONTACTS = """
import os, resource, sys
limits = resource.getrlimit(resource.RLIMIT_NOFILE)
told = []
calls = ("socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda name, args: told.append((name, args)) if name in calls else None)
before = dict(os.environ)
from modelport.adapters.mlx.model import MLXModel
assert not {"mlx", "mlx_lm", "transformers"} & set(sys.modules)
assert dict(os.environ) == before
MLXModel(sys.argv[1], max_tokens=3)("?")
assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits
print([entry for entry in told if not (entry[0] == "socket.connect" and isinstance(entry[1][1], str))])
"""


def test_a_local_folder_is_run_without_the_network_and_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    import tiny_mlx

    assert run(CONTACTS, str(tiny_mlx.folder(tmp_path / "tiny", tiny_mlx.tokenizer()))) == "[]\n"


OFFLINE = """
from modelport import ModelFailure
from modelport.adapters.mlx.model import MLXModel
try:
    MLXModel("nobody/nothing")("?")
except ModelFailure as failure:
    print(failure.error.kind, failure.error.sent, "MLXModel('default')" in failure.error.message)
"""


def test_an_offline_hub_is_a_connection_error_that_names_the_default(tmp_path: Path) -> None:
    address = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    assert run(OFFLINE, **address) == "connection no True\n"


MISSING = """
import sys
sys.modules["mlx_lm"] = None
from modelport import ModelFailure
from modelport.adapters.mlx.model import MLXModel
try:
    MLXModel("some/model")("?")
except ModelFailure as failure:
    print(failure.error.kind, "pip install 'modelport[mlx]'" in failure.error.message)
"""


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    assert run(MISSING) == "missing_dependency True\n"
