"""Whatever breaks under `TransformersModel` is a typed error, nothing hangs, and the next call works."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

import pytest
from paths import TINY

pytest.importorskip("torch", reason="needs the transformers extra")

import tiny_llama
from returns.result import Failure

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.model import TransformersModel
from modelport.domain.error import ModelError, Sent
from modelport.domain.event import Event, Failed

WORDS = tiny_llama.tokenizer()
LLAMA = tiny_llama.model(WORDS, 20_000)
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 6}


def tiny(**options: Any) -> TransformersModel:
    return TransformersModel("tiny", model=LLAMA, tokenizer=WORDS, **{**GREEDY, **options})


EXPECTED = tiny()("Hello!")

# Writes a model of 3 GB, all zeros and no room on the disk; then has 500 MB of memory more than it needs.
NO_MEMORY = """
import asyncio, json, resource, struct, sys
from pathlib import Path
import tiny_llama, torch, transformers
from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.model import TransformersModel

folder, words = Path(sys.argv[1]), tiny_llama.tokenizer()
words.save_pretrained(folder)
def sized(size):
    own = tiny_llama.model(words, 16384).config.to_dict()
    return transformers.LlamaConfig(**{**own, "intermediate_size": size, "num_hidden_layers": 1})

wide = transformers.LlamaForCausalLM(sized(200_000)).eval()  # 2.4 MB for each token that is read at once
config = sized(8_000_000)
config.save_pretrained(folder)
with torch.device("meta"):
    weights = transformers.LlamaForCausalLM(config).state_dict()
header, end = {"__metadata__": {"format": "pt"}}, 0
for name, tensor in weights.items():
    begin, end = end, end + 4 * tensor.numel()
    header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
written = json.dumps(header).encode()
with (folder / "model.safetensors").open("wb") as file:
    file.write(struct.pack("<Q", len(written)) + written)
    file.truncate(file.tell() + end)

model = TransformersModel("wide", model=wide, tokenizer=words, max_tokens=6, temperature=0)
before = model("Hello!")
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 500_000_000,) * 2)
async def ask(model, question, **options):
    request = as_request(question, **options)
    *_, last = [event async for event in model.stream(request)]
    return (await model.generate(request)).failure(), last.error
alone = {"prompt_lookup_num_tokens": 2}  # a call that doesn't share its passes with others
long = "안" * 3000
for asked, question, options in ((TransformersModel(str(folder)), "?", {}), (model, long, {}), (model, long, alone)):
    error, streamed = asyncio.run(ask(asked, question, **options))
    print(error.kind, error.scope, streamed.kind, model("Hello!") == before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_without_memory_enough_loading_and_generating_are_overloaded_and_the_next_call_works(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_MEMORY, str(tmp_path)]
    environment = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TINY), "PATH": "", "HOME": str(tmp_path)}
    said = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=240)
    assert said.stdout == "overloaded model overloaded True\n" * 3, said.stderr


async def _both(model: TransformersModel, *args: Any) -> tuple[Any, Event]:
    request = as_request(*args)
    return await model.generate(request), [event async for event in model.stream(request)][-1]


def error(model: TransformersModel, *args: Any) -> ModelError:
    """The error of a whole call, which the stream ends with too."""
    result, last = asyncio.run(_both(model, *args))
    assert isinstance(result, Failure)
    assert isinstance(last, Failed)
    assert last.error == result.failure()
    return last.error


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('no') }}",
        "{% if %}",
        "{{ messages[0]['content'] + 1 }}",
        "{{ 1 // 0 }}",
        "{{ nothing.at.all }}",
        "{{ messages | no_such_filter }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{{ ''.__class__.__mro__ }}{{ messages.no() }}",
        "{% include 'a file' %}",
    ],
)
def test_a_template_that_fails_is_an_invalid_request_and_of_this_call_alone(template: str) -> None:
    broken = tiny(apply_chat_template_kwargs={"chat_template": template})
    failed = error(broken, "Hello!")
    assert (failed.kind, failed.sent, failed.scope) == ("invalid_request", Sent.NO, "request")
    assert tiny()("Hello!") == EXPECTED


def test_a_template_that_says_nothing_is_an_invalid_request() -> None:
    failed = error(tiny(apply_chat_template_kwargs={"chat_template": "{# nothing #}"}), "Hello!")
    assert (failed.kind, failed.sent) == ("invalid_request", Sent.NO)


def test_a_conversation_that_outgrows_the_context_is_refused_and_a_shorter_one_is_answered() -> None:
    model = tiny()
    long = [{"role": "user", "content": "안" * 9000}, {"role": "assistant", "content": "안" * 9000}]
    failed = error(model, [*long, {"role": "user", "content": "안"}])
    assert (failed.kind, failed.sent) == ("context_window", Sent.NO)
    assert model("Hello!") == EXPECTED


class Gate:
    """Holds a pass of the model, the one of this number, until it is opened. It is torch's own way to look on."""

    def __init__(self, model: Any, number: int = -1) -> None:
        self.reached, self.open, self.passes = threading.Event(), threading.Event(), 0
        self._number = number
        self._hook = model.register_forward_pre_hook(self._pass)

    def _pass(self, *_: Any) -> None:
        self.passes += 1
        if self.passes == self._number:
            self.reached.set()
            assert self.open.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.open.set()
        self._hook.remove()


@pytest.mark.parametrize("number", [1, 4], ids=["while the prompt is read", "in the middle"])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "streamed"])
def test_a_call_that_is_cancelled_ends_with_the_pass_that_runs(number: int, whole: bool) -> None:
    model = tiny(max_tokens=5000, eos_token_id=[1_000_000])

    async def listen() -> None:
        async for _ in model.stream(as_request("Hello!")):
            pass

    async def main() -> int:
        with Gate(LLAMA, number) as gate:
            task: asyncio.Task[Any] = asyncio.create_task(model.generate(as_request("Hello!")) if whole else listen())
            assert await asyncio.to_thread(gate.reached.wait, 60)
            task.cancel()
            asyncio.get_running_loop().call_later(0.02, gate.open.set)
            with pytest.raises(asyncio.CancelledError):
                await task
            after = gate.passes
            assert await tiny().ask("Hello!") == EXPECTED
            return after

    assert asyncio.run(main()) <= number + 1


@pytest.mark.parametrize("how", ["closed", "thrown away", "cancelled"])
def test_a_hundred_streams_that_are_opened_and_dropped_leave_nothing(how: str) -> None:
    model = tiny(max_tokens=5000, eos_token_id=[1_000_000])
    model("Hello!", max_tokens=1)

    async def drop(number: int) -> None:
        stream = model.stream(as_request(f"{number}"))
        if how == "cancelled":
            asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)  # type: ignore[union-attr]
        await anext(stream)
        if how == "closed":
            await stream.aclose()
        del stream

    async def main() -> None:
        for together in (1, 9, 90):
            await asyncio.gather(*(drop(number) for number in range(together)), return_exceptions=True)
        gc.collect()
        last = await asyncio.wait_for(tiny().generate(as_request("Hello!")), 60)
        assert last.unwrap() == EXPECTED
        last = await asyncio.wait_for(model.generate(as_request("Hello!", max_tokens=6)), 60)
        assert last.unwrap().content == EXPECTED.content

    asyncio.run(main())
    with Gate(LLAMA) as gate:
        assert tiny()("Hello!") == EXPECTED
    assert gate.passes == 6  # and nobody else's


def test_a_pass_that_breaks_fails_its_call_and_not_the_next() -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("the device is gone")

    hook = LLAMA.register_forward_pre_hook(broken)
    try:
        failed = error(tiny(), "Hello!")
    finally:
        hook.remove()
    assert (failed.kind, failed.sent) == ("server", Sent.YES)
    assert "the device is gone" in failed.message
    assert tiny()("Hello!") == EXPECTED


def test_what_to_install_is_said_for_what_is_missing(tmp_path: Path) -> None:
    LLAMA.save_pretrained(tmp_path)
    WORDS.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_bytes())
    config["quantization_config"] = {"quant_method": "compressed-tensors", "format": "int-quantized"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    failed = error(TransformersModel(str(tmp_path)), "Hello!")
    assert (failed.kind, failed.sent) == ("missing_dependency", Sent.NO), failed.message
    assert "pip install compressed-tensors" in failed.message
    assert "modelport[" not in failed.message
