"""OpenVINOModel with the real SmolLM2: whatever it says, it says it by the port's laws."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from modelport.adapters.calling import as_request
from modelport.adapters.openvino import OpenVINOModel, translate
from modelport.domain.error import ErrorKind, ModelError
from modelport.domain.event import Event, Failed, Finished, TextDelta
from modelport.domain.option import OMIT
from modelport.domain.response import FinishReason, Response
from modelport.domain.response_format import Grammar, JsonSchema, Regex

pytest.importorskip("openvino_genai")

WHY = "Why is the sky blue?"
KOREAN = "안녕하세요를 한국어로 이야기해 주세요. 이것은 무엇입니까?"


@pytest.fixture(scope="module")
def model() -> OpenVINOModel:
    return OpenVINOModel(max_tokens=40, temperature=0)


def told(model: OpenVINOModel, *args: object, **options: object) -> list[Event]:
    async def collect() -> list[Event]:
        return [event async for event in model.stream(as_request(*args, **options))]  # type: ignore[arg-type]

    return asyncio.run(collect())


def answer(events: list[Event]) -> Response:
    last = events[-1]
    assert isinstance(last, Finished), last
    assert "".join(event.text for event in events[:-1] if isinstance(event, TextDelta)) == last.response.content
    return last.response


def error(model: OpenVINOModel, *args: object, **options: object) -> ModelError:
    (last,) = told(model, *args, **options)
    assert isinstance(last, Failed), last
    return last.error


def test_an_answer_streams_in_many_pieces_and_counts_its_tokens(model: OpenVINOModel) -> None:
    events = told(model, WHY)
    response = answer(events)
    assert len(events) > 20
    assert (response.finish_reason, response.stopped_by) == (FinishReason.LENGTH, None)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (36, 40)


def test_the_whole_answer_is_the_folded_stream(model: OpenVINOModel) -> None:
    assert model(WHY) == answer(told(model, WHY))


def test_an_answer_that_comes_to_its_end_says_so(model: OpenVINOModel) -> None:
    response = model("Say hi", response_format=Regex("[a-z]{3}"))
    assert re.fullmatch("[a-z]{3}", response.content)
    assert (response.finish_reason, response.stopped_by) == (FinishReason.STOP, None)


@pytest.mark.parametrize(
    ("prompt", "stop"),
    [(KOREAN, "이"), (WHY, "ascina"), (WHY, " blue phen"), (WHY, "\n\n"), ("Repeat: 👨‍👩‍👧", "👩")],
    ids=["Korean", "inside a token", "over token borders", "lines", "half of an emoji"],
)
def test_a_stop_never_leaks_whole_or_streamed(model: OpenVINOModel, prompt: str, stop: str) -> None:
    free = model(prompt)
    assert stop in free.content
    whole, streamed = model(prompt, [stop]), answer(told(model, prompt, [stop]))
    assert whole == streamed
    assert whole.content == free.content.partition(stop)[0]
    assert (whole.finish_reason, whole.stopped_by) == (FinishReason.STOP, stop)
    assert whole.usage is not None
    assert whole.usage.output_tokens < 40


def test_a_seed_repeats_what_was_drawn(model: OpenVINOModel) -> None:
    drawn = [model(WHY, temperature=1.0, seed=seed).content for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_call_beats_the_constructor_and_one_of_both_is_left(model: OpenVINOModel) -> None:
    usage = model(WHY, max_new_tokens=3).usage
    assert usage is not None
    assert usage.output_tokens == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flavour": 3}, "flavour"),
        ({"validate": 3}, "validate"),
        ({"repetition_penalty": "x"}, "repetition_penalty='x'"),
        ({"top_p": 2.0, "temperature": 1.0}, "top_p"),
        ({"response_format": Regex("(")}, "parenthesis"),
        ({"assistant_confidence_threshold": 0.4}, "assistant_confidence_threshold"),
        ({"num_beams": 2}, "greedy or multinomial"),
        ({"max_length": 3, "max_tokens": OMIT}, "max_length"),
    ],
)
def test_what_the_runtime_can_t_take_is_an_invalid_request_that_names_it(
    model: OpenVINOModel, options: dict[str, object], words: str
) -> None:
    found = error(model, WHY, **options)
    assert found.kind is ErrorKind.INVALID_REQUEST
    assert words in found.message


def test_a_schema_binds_the_answer(model: OpenVINOModel) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [3, 5]}}, "required": ["n"], "additionalProperties": False}
    read = json.loads(model("A number, in JSON", response_format=JsonSchema(schema)).content)
    assert list(read) == ["n"]
    assert read["n"] in (3, 5)


def test_a_grammar_binds_the_answer_unless_it_is_of_another_syntax(model: OpenVINOModel) -> None:
    assert model(WHY, response_format=Grammar('root ::= "yes" | "no"', "ebnf")).content in ("yes", "no")
    assert error(model, WHY, response_format=Grammar('start: "yes"')).kind is ErrorKind.UNSUPPORTED


def test_a_prompt_longer_than_the_context_is_refused_before_it_is_read(model: OpenVINOModel) -> None:
    found = error(model, "word " * 9000)
    assert found.kind is ErrorKind.CONTEXT_WINDOW
    assert "8192" in found.message


def test_a_picture_is_refused(model: OpenVINOModel) -> None:
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]}
    assert error(model, [message]).kind is ErrorKind.UNSUPPORTED


def test_no_folder_no_weights_and_no_gguf_are_not_found(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"hello")
    for path in (tmp_path / "none", tmp_path, tmp_path / "bad.gguf"):
        found = error(OpenVINOModel(path), WHY)
        assert found.kind is ErrorKind.NOT_FOUND
        assert str(path) in found.message


def test_a_missing_runtime_names_the_command_that_gets_it() -> None:
    found = translate(ModuleNotFoundError("No module named 'openvino_genai'"))
    assert found.kind is ErrorKind.MISSING_DEPENDENCY
    assert "pip install 'modelport[openvino]'" in found.message


def test_what_is_not_in_the_table_is_the_runtime_s_own_failure() -> None:
    assert translate(RuntimeError("out of luck")).kind is ErrorKind.SERVER


def test_a_pipeline_of_the_caller_s_own_serves_too(model: OpenVINOModel) -> None:
    model(WHY, max_tokens=1)
    (loaded,) = model._runtime.loaded.values()
    own = OpenVINOModel("mine", pipeline=loaded.pipeline)
    assert own(WHY, max_tokens=5).model_id == "mine"


def test_calls_at_once_queue_and_all_are_answered(model: OpenVINOModel) -> None:
    alone = model(WHY, max_tokens=8)
    answers: list[Response] = []
    threads = [threading.Thread(target=lambda: answers.append(model(WHY, max_tokens=8))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [alone] * 8


def test_closing_a_stream_stops_generation_at_once(model: OpenVINOModel) -> None:
    async def close_early() -> float:
        stream = model.stream(as_request(WHY, max_tokens=4000, ignore_eos=True))
        assert isinstance(await anext(stream), TextDelta)
        start = time.perf_counter()
        await stream.aclose()
        assert (await model.generate(as_request(WHY, max_tokens=1))).unwrap().content
        return time.perf_counter() - start

    assert asyncio.run(close_early()) < 3


def test_a_cancelled_call_leaves_the_queue_and_one_that_runs_frees_it(model: OpenVINOModel) -> None:
    async def cancel() -> float:
        long = as_request(WHY, max_tokens=4000, ignore_eos=True)
        running, waiting = (asyncio.ensure_future(model.generate(long)) for _ in range(2))
        await asyncio.sleep(0.1)
        start = time.perf_counter()
        for task in (waiting, running):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return time.perf_counter() - start

    assert asyncio.run(cancel()) < 3


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_answers_too() -> None:
    script = """
import os
from modelport.adapters import OpenVINOModel
model = OpenVINOModel(max_tokens=3, temperature=0)
first = model("Hi").content
pid = os.fork()
if not pid:
    os._exit(0 if model("Hi").content == first else 3)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n", done.stderr


def test_the_second_start_reads_the_converted_model(model: OpenVINOModel, tmp_path: Path) -> None:
    from modelport.adapters import cache

    model(WHY, max_tokens=1)
    made = list(cache.folder().glob("*-openvino-*/openvino_model.xml"))
    assert made
    assert not list(made[0].parent.glob("*.gguf"))


@pytest.mark.parametrize("bad", [{"temperature": float("nan")}, {"max_tokens": 0}, {"stop": ["a"]}])
def test_a_bad_option_raises_at_construction(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        OpenVINOModel(**bad)  # type: ignore[arg-type]


def test_its_repr_shows_what_it_was_made_of() -> None:
    assert repr(OpenVINOModel("a.gguf", max_new_tokens=5)) == "OpenVINOModel('a.gguf', max_tokens=5)"
