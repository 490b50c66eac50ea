"""OpenVINOModel with the real SmolLM2: whatever it says, it says it by the port's laws."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import openvino_subject
import pytest
from subjects import TEMPLATE, Saying

from modelport.adapters.openvino.errors import translate
from modelport.adapters.openvino.model import OpenVINOModel
from modelport.adapters.openvino.sdk import no_statistics
from modelport.adapters.process.calling import as_request
from modelport.domain.error import ErrorKind, ModelError
from modelport.domain.event import Event, Failed, Finished, ReasoningDelta, TextDelta
from modelport.domain.message import Message, Reasoning, ToolCall, ToolResult
from modelport.domain.options.option import OMIT
from modelport.domain.response import FinishReason, Response
from modelport.domain.response_format import Grammar, JsonObject, JsonSchema, Regex, ResponseFormat
from modelport.domain.tool import Tool

no_statistics()
pytest.importorskip("openvino_genai")

WHY = "Why is the sky blue?"
WEATHER = Tool("weather", "The weather to come.", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "서울"}}\n</tool_call>'
KOREAN = "안녕하세요를 한국어로 이야기해 주세요. 이것은 무엇입니까?"


@pytest.fixture(scope="module")
def model() -> OpenVINOModel:
    return openvino_subject.model(max_tokens=40)


def saying(model: OpenVINOModel, text: str, template: str = TEMPLATE) -> tuple[OpenVINOModel, Saying]:
    """A model that says this text, with the tokenizer of the real one."""
    runtime = Saying(model._runtime.ready().pipeline, text)
    given = {"chat_template": template} if template else {}
    return OpenVINOModel("says", pipeline=runtime, apply_chat_template_kwargs=given, max_tokens=500), runtime


def folder_without(model: OpenVINOModel, place: Path, *files: str) -> Path:
    """The embedded default's folder, without some of its files."""
    from modelport.adapters.files import cache

    model._runtime.ready()
    whole = max(cache.folder().glob("SmolLM2*-openvino-*/openvino_model.xml")).parent
    place.mkdir()
    for file in whole.iterdir():
        if file.name not in files:
            (place / file.name).symlink_to(file)
    return place


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
        ({"extra_body": {"flavour": 3}}, "flavour"),
        ({"extra_body": {"validate": 3}}, "validate"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
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


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (Regex("("), "The parenthesis is not closed"),
        (JsonSchema({"type": "nonsense"}), 'Unsupported type "nonsense"'),
        (JsonSchema({"$ref": "#/nowhere"}), "Cannot find field nowhere"),
        (Grammar("root ::= ", "ebnf"), "Expect element"),
    ],
)
def test_a_form_that_can_t_be_compiled_is_refused_before_a_token_is_and_the_next_call_is_answered(
    model: OpenVINOModel, form: ResponseFormat, words: str
) -> None:
    found = error(model, WHY, response_format=form)
    assert (found.kind, found.sent) == ("invalid_request", "no")
    assert words in found.message
    assert "xgrammar-src" not in found.message
    assert model(WHY, max_tokens=2).content


def test_any_json_object_is_more_than_an_empty_one(model: OpenVINOModel) -> None:
    begun = model("Give me a JSON object with the name Mike.", response_format=JsonObject()).content
    assert re.match(r'\{\s*"', begun)


def test_a_form_holds_though_a_stop_ends_it(model: OpenVINOModel) -> None:
    response = model(WHY, ["c"], response_format=Regex("abcd"))
    assert (response.content, response.stopped_by) == ("ab", "c")


def test_a_call_of_a_tool_is_read_whole_and_streamed(model: OpenVINOModel) -> None:
    says, runtime = saying(model, f"Let me see.\n{CALL}")
    whole, streamed = says(WHY, tools=[WEATHER]), answer(told(says, WHY, tools=[WEATHER]))
    assert whole == streamed
    assert [(call.id, call.name, call.input) for call in whole.tool_calls] == [("call_1", "weather", {"city": "서울"})]
    assert (whole.content, whole.finish_reason) == ("Let me see.\n", FinishReason.TOOL_CALLS)
    assert "The weather to come." in runtime.prompts[0]


def test_a_model_whose_own_template_knows_no_tools_is_told_of_them_by_openvino(model: OpenVINOModel) -> None:
    says, runtime = saying(model, '{"tool_calls": [{"name": "weather", "arguments": {"city": "서울"}}]}', "")
    assert says(WHY, tools=[WEATHER]).tool_calls[0].input == {"city": "서울"}
    assert "The weather to come." in runtime.prompts[0]


def test_a_template_that_leaves_the_tools_out_is_unsupported(model: OpenVINOModel) -> None:
    says, runtime = saying(model, CALL, "whatever you say")
    assert error(says, WHY, tools=[WEATHER]).kind is ErrorKind.UNSUPPORTED
    assert runtime.prompts == []


def test_where_no_tool_may_be_called_none_is_offered_and_what_looks_like_a_call_is_text(model: OpenVINOModel) -> None:
    says, runtime = saying(model, CALL)
    response = says(WHY, tools=[WEATHER], tool_choice="none")
    assert (response.content, response.tool_calls) == (CALL, ())
    assert "The weather to come." not in runtime.prompts[0]


def test_calls_of_before_with_their_results_and_thoughts_are_sent(model: OpenVINOModel) -> None:
    says, runtime = saying(model, CALL)
    asked = ToolCall("call_1", "weather", '{"city": "부산"}')
    said = [Message("assistant", (Reasoning("hm"), asked)), Message("tool", ToolResult("call_1", "sunny"))]
    again = says([Message("user", WHY), *said], tools=[WEATHER]).tool_calls
    assert [call.id for call in again] == ["call_2"]
    sent = '<think>hm</think><call>call_1 {"name": "weather", "arguments": {"city": "부산"}}\n<tool>sunny for call_1\n'
    assert sent.replace("\n", "") in runtime.prompts[0].replace("\n", "")


@pytest.mark.parametrize(
    ("text", "template"),
    [("<think>\nI wonder.\n</think>\n\nBlue.", TEMPLATE), ("I wonder.\n</think>\n\nBlue.", TEMPLATE + "<think>\n")],
    ids=["the model begins a thought", "its template does"],
)
def test_a_thought_is_told_apart_from_the_text(model: OpenVINOModel, text: str, template: str) -> None:
    says, _ = saying(model, text, template)
    events = told(says, WHY)
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.response.reasoning, last.response.content) == ("I wonder.", "Blue.")
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "I wonder."


def test_the_chat_template_is_given_what_else_it_takes(model: OpenVINOModel) -> None:
    _, runtime = saying(model, "Blue.")
    given = {"chat_template": "{{ messages[0]['content'] }} {{ mood }}", "mood": "calm"}
    assert OpenVINOModel("says", pipeline=runtime, apply_chat_template_kwargs=given)("sky").content == "Blue."
    assert runtime.prompts == ["sky calm"]


@pytest.mark.parametrize("template", ["{{ raise_exception('no, please') }}", "{% for %}"])
def test_a_template_that_fails_is_an_invalid_request(model: OpenVINOModel, template: str) -> None:
    says, runtime = saying(model, "Blue.", template)
    found = error(says, WHY)
    assert (found.kind, found.sent, runtime.prompts) == ("invalid_request", "no", [])


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


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        ("openvino_tokenizer.xml", "openvino_tokenizer.xml was not provided"),
        ("openvino_detokenizer.xml", "Detokenizer model has not been provided"),
        ("openvino_model.bin", "bin file"),
    ],
)
def test_a_folder_that_lacks_a_file_is_not_found_and_says_which(
    model: OpenVINOModel, tmp_path: Path, absent: str, words: str
) -> None:
    found = error(OpenVINOModel(folder_without(model, tmp_path / "model", absent)), WHY)
    assert (found.kind, found.scope, found.sent) == ("not_found", "model", "no")
    assert words in found.message
    assert str(tmp_path) in found.message


@pytest.mark.parametrize("broken", ["openvino_model.xml", "openvino_model.bin", "generation_config.json"])
def test_a_folder_with_a_half_written_file_is_not_found_and_no_reason_to_try_again(
    model: OpenVINOModel, tmp_path: Path, broken: str
) -> None:
    folder = folder_without(model, tmp_path / "model", broken)
    (folder / broken).write_text("{")
    found = error(OpenVINOModel(folder), WHY)
    assert (found.kind, found.scope, found.sent) == ("not_found", "model", "no")
    assert str(folder) in found.message


def test_a_tilde_in_a_path_is_the_home_folder() -> None:
    found = error(OpenVINOModel("~/no such model"), WHY)
    assert repr(str(Path.home() / "no such model")) in found.message


@pytest.mark.parametrize(
    ("exception", "phase", "kind"),
    [
        (MemoryError("std::bad_alloc"), "generating", "overloaded"),
        (RuntimeError("[GPU] out of memory"), "loading", "overloaded"),
        (RuntimeError("[CPU] MatMul_46: Failed to allocate 4367584 bytes of memory"), "generating", "overloaded"),
        (RuntimeError("[load_gguf] no such architecture"), "loading", "unsupported"),
        (RuntimeError("out of luck"), "loading", "not_found"),
    ],
)
def test_what_goes_on_says_what_a_failure_of_the_runtime_means(exception: Exception, phase: str, kind: str) -> None:
    assert translate(exception, "m", phase).kind == kind


def test_a_missing_runtime_names_the_command_that_gets_it() -> None:
    found = translate(ModuleNotFoundError("No module named 'openvino_genai'"))
    assert found.kind is ErrorKind.MISSING_DEPENDENCY
    assert "pip install 'modelport[openvino]'" in found.message


def test_what_is_not_in_the_table_is_the_runtime_s_own_failure() -> None:
    assert translate(RuntimeError("out of luck")).kind is ErrorKind.SERVER


def test_a_pipeline_of_the_caller_s_own_serves_too(model: OpenVINOModel) -> None:
    model(WHY, max_tokens=1)
    loaded = model._runtime.ready()
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


def test_closing_a_stream_stops_generation_at_once() -> None:
    counted = openvino_subject.Counted()

    async def close_early() -> int:
        stream = counted.model.stream(as_request(WHY, max_tokens=4000, ignore_eos=True))
        assert isinstance(await anext(stream), TextDelta)
        await stream.aclose()
        shown = counted.tokens
        assert (await counted.model.generate(as_request(WHY, max_tokens=1))).unwrap().content
        return shown

    assert asyncio.run(close_early()) == counted.tokens - 1 < 4000


def test_a_cancelled_call_leaves_the_queue_and_one_that_runs_frees_it() -> None:
    counted = openvino_subject.Counted()

    async def cancel() -> None:
        long = as_request(WHY, max_tokens=4000, ignore_eos=True)
        running, waiting = (asyncio.ensure_future(counted.model.generate(long)) for _ in range(2))
        assert await asyncio.to_thread(counted.begun.wait, 60)
        for task in (waiting, running):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancel())
    assert counted.tokens < 4000


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
    from modelport.adapters.files import cache

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
