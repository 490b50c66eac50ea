"""The embedded default through `TransformersModel`: converted once and whole, then answering for real."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.model import TransformersModel
from modelport.domain.event import Event, Finished, TextDelta

CONVERT = "from modelport.adapters.files.torch_folder import default_folder as f; p = f(); print(p, p.stat().st_ino)"
# Dies, as if by the out-of-memory killer, when the model is written and the tokenizer is not.
KILLED = """
import os, signal, sys
def die(name, args):
    if name == "open" and ".part-" in str(args[0]) and "tokenizer" in os.path.basename(str(args[0])):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
"""
SAY = "안녕하세요 이것은 사과입니다 안녕하세요 이것은 사과입니다 안녕하세요"


def _process(code: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="session")
def cached(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, list[str]]:
    """A cache folder after one converter was killed halfway and two more ran at once."""
    folder = tmp_path_factory.mktemp("cache")
    environment = {**os.environ, "MODELPORT_CACHE": str(folder), "OMP_NUM_THREADS": "1"}
    killed = _process(KILLED + CONVERT, environment)
    killed.communicate(timeout=120)
    left = sorted(item.name.split("part-")[0] for item in folder.iterdir())
    two = [_process(CONVERT, environment) for _ in range(2)]
    said = [process.communicate(timeout=240)[0] for process in two]
    return folder, killed.returncode, [*left, *said]


@pytest.fixture
def model(cached: tuple[Path, int, list[str]], monkeypatch: pytest.MonkeyPatch) -> TransformersModel:
    monkeypatch.setenv("MODELPORT_CACHE", str(cached[0]))
    return _kept.setdefault("model", TransformersModel("default", temperature=0, max_tokens=40))


_kept: dict[str, TransformersModel] = {}


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_converter_that_is_killed_leaves_nothing_and_two_at_once_make_one_folder(
    cached: tuple[Path, int, list[str]],
) -> None:
    folder, status, (part, lock, first, second) = cached
    assert status == -signal.SIGKILL
    assert (part, lock) == ("SmolLM2-135M-Instruct.transformers-5.", "SmolLM2-135M-Instruct.transformers-5.lock")
    assert first == second
    assert sorted(item.name for item in folder.iterdir()) == [lock.removesuffix(".lock"), lock]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        item.name for item in (folder / lock.removesuffix(".lock")).iterdir()
    }


async def events(model: TransformersModel, *args: object, **options: object) -> list[Event]:
    return [event async for event in model.stream(as_request(*args, **options))]  # type: ignore[arg-type]


def test_it_answers_a_question(model: TransformersModel) -> None:
    response = model("What is the capital of France?")
    assert "Paris" in response.content
    assert response.finish_reason == "stop"
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens > 3) == (37, True)


def test_its_stream_comes_to_the_same_token_by_token(model: TransformersModel) -> None:
    *deltas, last = asyncio.run(events(model, "Name three colours.", max_tokens=24))
    assert isinstance(last, Finished)
    assert last.response == model("Name three colours.", max_tokens=24)
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == last.response.content
    assert last.response.usage is not None
    assert len(deltas) >= 0.8 * last.response.usage.output_tokens


def test_a_korean_prompt_stopped_at_i_never_shows_it(model: TransformersModel) -> None:
    free = model(SAY).content
    assert "이" in free
    response = model(SAY, ["이"])
    assert (response.content, response.stopped_by, response.finish_reason) == (free[: free.index("이")], "이", "stop")
    *deltas, last = asyncio.run(events(model, SAY, ["이"]))
    assert isinstance(last, Finished)
    assert last.response == response
    assert "이" not in "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


def test_a_stop_inside_a_token_ends_it_there(model: TransformersModel) -> None:
    free = model("What is the capital of France?").content
    at = free.index("aris")
    response = model("What is the capital of France?", ["ari"])
    assert (response.content, response.stopped_by) == (free[:at], "ari")


def test_it_answers_from_two_event_loops_at_once(model: TransformersModel) -> None:
    found: list[str] = []

    def ask() -> None:
        found.append(asyncio.run(model.generate(as_request("Say hello.", max_tokens=8))).unwrap().content)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == [model("Say hello.", max_tokens=8).content] * 2
