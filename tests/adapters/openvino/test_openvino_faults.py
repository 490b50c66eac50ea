"""Whatever goes wrong with OpenVINOModel is a typed error, nothing hangs, and the next call is answered."""

from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import openvino_subject
import pytest

from modelport.adapters.files import cache, weights
from modelport.adapters.openvino import sdk as openvino_sdk
from modelport.adapters.openvino.model import OpenVINOModel
from modelport.adapters.process.calling import as_request
from modelport.adapters.process.inside import LibraryChanged
from modelport.domain.error import ErrorKind, ModelError, ModelFailure
from modelport.domain.event import TextDelta
from modelport.domain.message import Image, Message
from modelport.domain.response_format import Grammar, Regex

openvino_sdk.no_statistics()
pytest.importorskip("openvino_genai")

HI = "Hi"


@pytest.fixture(scope="module")
def model() -> OpenVINOModel:
    return openvino_subject.model(max_tokens=3)


@pytest.fixture(scope="module")
def folder(model: OpenVINOModel) -> Path:
    """The embedded default's, in OpenVINO's format."""
    model(HI)
    return max(cache.folder().glob("SmolLM2*-openvino-*/openvino_model.xml")).parent


def refusal(model: OpenVINOModel, *args: object, **options: object) -> ModelError:
    with pytest.raises(ModelFailure) as caught:
        model(*args, **options)  # type: ignore[arg-type]
    return caught.value.error


def beside(folder: Path, place: Path, file: str, data: bytes) -> Path:
    """The folder again, but for what is in one file."""
    place.mkdir()
    for each in folder.iterdir():
        if each.name != file:
            (place / each.name).symlink_to(each)
    (place / file).write_bytes(data)
    return place


LIMITED = """
import json, resource
from modelport.adapters.openvino.model import OpenVINOModel
from modelport.domain.error import ModelFailure
import openvino_genai

model = OpenVINOModel({place!r}, max_tokens=3, temperature=0)
if {loaded}:
    model("Hi")
free, hard = resource.getrlimit(resource.RLIMIT_AS)
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + {megabytes} * 2**20, hard))
try:
    told = {{"kind": "none", "text": model({prompt!r}).content}}
except ModelFailure as failure:
    told = {{"kind": failure.error.kind}}
resource.setrlimit(resource.RLIMIT_AS, (free, hard))
print(json.dumps({{**told, "next": model("Hi").content}}), flush=True)
"""


def limited(**values: object) -> Mapping[str, str]:
    command = [sys.executable, "-W", "ignore", "-c", LIMITED.format(**values)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found: Mapping[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of memory is Linux's")
@pytest.mark.parametrize("megabytes", [20, 150, 300])
def test_out_of_memory_while_loading_is_overloaded_and_the_next_call_is_answered(
    model: OpenVINOModel, folder: Path, megabytes: int
) -> None:
    found = limited(place=str(folder), loaded=False, prompt=HI, megabytes=megabytes)
    assert found == {"kind": "overloaded", "next": model(HI).content}


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of memory is Linux's")
@pytest.mark.parametrize("megabytes", [5, 40, 80])
def test_out_of_memory_while_generating_is_overloaded_and_the_next_call_loads_the_model_anew(
    model: OpenVINOModel, folder: Path, megabytes: int
) -> None:
    found = limited(place=str(folder), loaded=True, prompt="word " * 6000, megabytes=megabytes)
    assert found == {"kind": "overloaded", "next": model(HI).content}


@pytest.mark.parametrize("part", [0.0, 0.5, 0.999])
def test_weights_cut_off_in_openvino_s_format_are_not_found(folder: Path, tmp_path: Path, part: float) -> None:
    whole = (folder / "openvino_model.bin").read_bytes()
    place = beside(folder, tmp_path / "model", "openvino_model.bin", whole[: int(len(whole) * part)])
    broken = OpenVINOModel(place, max_tokens=3, temperature=0)
    found = refusal(broken, HI)
    assert (found.kind, found.scope, found.sent) == ("not_found", "model", "no")
    assert str(place) in found.message
    (place / "openvino_model.bin").write_bytes(whole)
    assert broken(HI).content, "mended, it is loaded by the next call"


@pytest.mark.parametrize("part", [0.0001, 0.5, 0.999])
def test_weights_cut_off_in_a_gguf_file_are_not_found(tmp_path: Path, part: float) -> None:
    whole = weights.default_gguf().read_bytes()
    file = tmp_path / "m.gguf"
    file.write_bytes(whole[: int(len(whole) * part)])
    found = refusal(OpenVINOModel(file), HI)
    assert (found.kind, found.scope, found.sent) == ("not_found", "model", "no")
    assert str(file) in found.message


def test_a_model_described_wrongly_is_not_found(folder: Path, tmp_path: Path) -> None:
    place = beside(folder, tmp_path / "model", "openvino_model.xml", b"<net name='x' version='11'></net>")
    assert refusal(OpenVINOModel(place), HI).kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("device", ["GPU", "GPU.3", "NPU", "TOASTER"])
def test_a_device_that_isn_t_here_is_refused_with_those_that_are(folder: Path, device: str) -> None:
    import openvino

    if device.partition(".")[0] in {known.partition(".")[0] for known in openvino.Core().available_devices}:
        pytest.skip(f"there is a {device} here")
    found = refusal(OpenVINOModel(folder, device=device), HI)
    assert (found.kind, found.scope) == ("invalid_request", "model")
    assert f"there is no device {device!r}: OpenVINO finds CPU" in found.message


def test_a_device_that_openvino_chooses_answers(model: OpenVINOModel, folder: Path) -> None:
    assert OpenVINOModel(folder, device="AUTO", max_tokens=3, temperature=0)(HI).content == model(HI).content


def test_after_each_refusal_the_next_call_is_answered(model: OpenVINOModel) -> None:
    usual = model(HI).content
    picture = Message("user", (Image(data=b"\x89PNG", media_type="image/png"),))
    for kind, ask, options in (
        ("unsupported", [picture], {}),
        ("context_window", "word " * 9000, {}),
        ("invalid_request", HI, {"response_format": Regex("(")}),
        ("unsupported", HI, {"response_format": Grammar('start: "a"')}),
        ("invalid_request", HI, {"extra_body": {"flavour": 3}}),
        ("unsupported", HI, {"logprobs": True}),
    ):
        assert refusal(model, ask, **options).kind == kind
        assert model(HI).content == usual


def test_a_template_that_raises_is_an_invalid_request_each_time() -> None:
    template = (
        "{% if messages | length > 1 %}{{ raise_exception('one at a time') }}{% endif %}{{ messages[0].content }}"
    )
    own = openvino_subject.model(max_tokens=3, apply_chat_template_kwargs={"chat_template": template})
    two = [Message("user", "a"), Message("assistant", "b"), Message("user", "c")]
    for _ in range(2):
        found = refusal(own, two)
        assert (found.kind, found.sent) == ("invalid_request", "no")
        assert "one at a time" in found.message
        assert own(HI).content


def test_a_call_cancelled_while_the_prompt_is_read_ends_with_it() -> None:
    counted = openvino_subject.Counted()

    async def cancel() -> None:
        request = as_request("word " * 1500, max_tokens=4000, ignore_eos=True)
        call = asyncio.ensure_future(counted.model.generate(request))
        assert await asyncio.to_thread(counted.begun.wait, 60)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await counted.model.generate(as_request(HI, max_tokens=3))).unwrap().content

    asyncio.run(cancel())
    assert counted.tokens <= 1 + 3, "what is read can't be interrupted, and ends with its first token"


def test_a_call_cancelled_in_the_middle_ends_within_a_token() -> None:
    counted = openvino_subject.Counted()

    async def cancel() -> int:
        stream = counted.model.stream(as_request(HI, max_tokens=4000, ignore_eos=True))
        for _ in range(5):
            await anext(stream)
        call = asyncio.ensure_future(anext(stream))
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await stream.aclose()
        shown = counted.tokens
        assert (await counted.model.generate(as_request(HI, max_tokens=3))).unwrap().content
        return shown

    assert asyncio.run(cancel()) == counted.tokens - 3 < 4000


def test_a_hundred_streams_opened_and_dropped_leave_nothing_behind() -> None:
    counted = openvino_subject.Counted()
    model = counted.model
    usual = model(HI, max_tokens=3).content
    threads = threading.active_count()

    async def drop() -> None:
        streams = [model.stream(as_request(HI, max_tokens=4000, ignore_eos=True)) for _ in range(100)]
        for stream in islice(streams, 0, None, 10):
            assert isinstance(await anext(stream), TextDelta)
            await stream.aclose()
        waiting = [asyncio.ensure_future(anext(stream)) for stream in streams[1::2]]
        await asyncio.sleep(0)  # each has begun
        for call in waiting:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        del streams  # the rest are dropped, unread

    asyncio.run(drop())
    assert model(HI, max_tokens=3).content == usual
    assert counted.tokens < 4000, "each ends when it is dropped"
    assert threading.active_count() <= threads + 1


def test_where_openvino_would_count_its_use_by_something_else_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openvino_sdk.no_statistics()
    importlib.import_module("openvino_genai")
    monkeypatch.setitem(sys.modules, "openvino_telemetry", None)  # another test may have imported it before us
    counts = importlib.import_module(openvino_sdk.STATISTICS.owner)
    monkeypatch.setattr(counts, "tm", SimpleNamespace(__name__="openvino_counting"))
    with pytest.warns(LibraryChanged, match="openvino_telemetry any more: it may write an id and counts of its use"):
        openvino_sdk.check_no_statistics()
