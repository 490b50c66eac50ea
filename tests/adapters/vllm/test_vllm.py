"""VLLMModel with the real SmolLM2 on one engine: whatever it says, it says it by the port's laws."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from importlib.util import find_spec
from typing import Any

import pytest

if find_spec("vllm") is None:
    pytest.skip("vLLM runs in an environment of its own: make test-vllm", allow_module_level=True)

import stop_table
import vllm_subject
from subjects import TEMPLATE
from vllm_subject import Around, saying

from modelport import (
    Event,
    Failed,
    Finished,
    Grammar,
    Image,
    JsonObject,
    JsonSchema,
    Message,
    ModelError,
    Reasoning,
    ReasoningDelta,
    Regex,
    Request,
    Response,
    ResponseFormat,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolResult,
    as_request,
    blocking,
)
from modelport.adapters.vllm.model import VLLMModel

# What vLLM and torch warn of when they are imported isn't ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore")

WHY = "Why is the sky blue?"
WEATHER = Tool("weather", "The weather to come.", {"type": "object", "properties": {"city": {"type": "string"}}})
CALL = '<tool_call>\n{"name": "weather", "arguments": {"city": "서울"}}\n</tool_call>'


@pytest.fixture(scope="module")
def model() -> VLLMModel:
    return VLLMModel("default", engine=vllm_subject.model(), max_tokens=40, temperature=0)


async def requests() -> Mapping[str, Any]:
    """The requests that the shared engine has."""
    _, ready = await vllm_subject.model()._runtime.ready()
    found: Mapping[str, Any] = ready.llm.output_processor.request_states
    return found


async def nothing_left() -> None:
    """The engine has no request any more."""
    deadline = asyncio.get_running_loop().time() + 20
    while left := await requests():
        assert asyncio.get_running_loop().time() < deadline, left
        await asyncio.sleep(0.01)


def told(model: VLLMModel, *args: Any, **options: Any) -> list[Event]:
    return list(blocking(model).stream(as_request(*args, **options)))


def answer(events: list[Event]) -> Response:
    last = events[-1]
    assert isinstance(last, Finished), last
    assert "".join(event.text for event in events[:-1] if isinstance(event, TextDelta)) == last.response.content
    return last.response


def error(model: VLLMModel, *args: Any, **options: Any) -> ModelError:
    (last,) = told(model, *args, **options)
    assert isinstance(last, Failed), last
    whole = blocking(model).generate(as_request(*args, **options)).failure()
    assert (whole.kind, whole.message) == (last.error.kind, last.error.message)
    return last.error


def test_an_answer_streams_in_many_pieces_and_counts_its_tokens(model: VLLMModel) -> None:
    events = told(model, WHY)
    response = answer(events)
    assert len(events) > 20
    assert (response.finish_reason, response.stopped_by) == ("length", None)
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (36, 40)


def test_the_whole_answer_is_the_folded_stream(model: VLLMModel) -> None:
    assert model(WHY) == answer(told(model, WHY))


def test_the_call_beats_the_constructor_and_one_of_both_is_left(model: VLLMModel) -> None:
    usage = model(WHY, max_new_tokens=3).usage
    assert usage is not None
    assert usage.output_tokens == 3


def test_without_a_word_of_sampling_the_answer_is_greedy() -> None:
    free = VLLMModel("default", engine=vllm_subject.model(), max_tokens=12)
    assert free(WHY) == free(WHY, temperature=0)


def test_a_seed_repeats_what_was_drawn(model: VLLMModel) -> None:
    drawn = [model(WHY, temperature=1.0, seed=seed).content for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"extra_body": {"flavour": 3}}, "'flavour'"),
        ({"extra_body": {"output_kind": "DELTA"}}, "'output_kind'"),
        ({"extra_body": {"n": 2}}, "'n'"),
        ({"temperature": 5}, "temperature"),
        ({"logit_bias": {"49152000": 1.0}}, "49152000"),
        ({"logprobs": True, "top_logprobs": 500}, "500"),
        ({"lora_request": "/no/such/adapter"}, "/no/such/adapter"),
        ({"lora_request": 3}, "lora_request"),
    ],
)
def test_what_vllm_can_t_take_is_an_invalid_request_that_names_it(
    model: VLLMModel, options: dict[str, Any], words: str
) -> None:
    found = error(model, WHY, **options)
    assert (found.kind, found.sent) == ("invalid_request", "no")
    assert words in found.message


@pytest.mark.parametrize("options", [{"priority": 2**70}, {"extra_args": {"x": object()}}])
def test_what_the_engine_can_t_be_sent_is_an_invalid_request_and_leaves_nothing(
    model: VLLMModel, options: dict[str, Any]
) -> None:
    found = error(model, WHY, **options)
    assert (found.kind, found.sent) == ("invalid_request", "no")
    assert asyncio.run(requests()) == {}


def test_options_that_only_vllm_has_go_through(model: VLLMModel) -> None:
    usual = model(WHY).content
    first = usual.split()[0]
    assert not model(WHY, bad_words=[first]).content.startswith(first)
    assert model(WHY, logit_bias={"504": -100.0}).content != usual  # 504 is "The"
    assert model(WHY, min_tokens=3, max_tokens=3, priority=1).usage.output_tokens == 3


def test_a_schema_binds_the_answer(model: VLLMModel) -> None:
    schema = {"type": "object", "properties": {"n": {"enum": [3, 5]}}, "required": ["n"], "additionalProperties": False}
    read = json.loads(model("A number, in JSON", response_format=JsonSchema(schema)).content)
    assert list(read) == ["n"]
    assert read["n"] in (3, 5)


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        (Regex("[a-z]{3}"), "[a-z]{3}"),
        (Grammar('start: "red" | "blue"', "lark"), "red|blue"),
        (Grammar('root ::= "red" | "blue"', "ebnf"), "red|blue"),
        (Grammar('root ::= "red" | "blue"', "gbnf"), "red|blue"),
        (JsonObject(), r"\{.*"),
    ],
    ids=["regex", "lark", "ebnf", "gbnf", "some object"],
)
def test_every_form_binds_the_answer_whole_and_streamed(model: VLLMModel, form: ResponseFormat, pattern: str) -> None:
    whole = model("Say something.", response_format=form)
    assert re.fullmatch(pattern, whole.content, re.DOTALL)
    assert answer(told(model, "Say something.", response_format=form)) == whole


@pytest.mark.parametrize(
    "form",
    [JsonSchema({"type": "nonsense"}), Regex("[a-z"), Grammar("root ::= nosuch", "ebnf"), Grammar("start: nosuch")],
    ids=["schema", "regex", "ebnf", "lark"],
)
def test_a_form_that_can_t_be_compiled_is_refused_before_generation(model: VLLMModel, form: ResponseFormat) -> None:
    found = error(model, WHY, response_format=form)
    assert (found.kind, found.sent) == ("invalid_request", "no")


def test_a_stop_ends_a_constrained_answer(model: VLLMModel) -> None:
    response = model("Say something.", ["b"], response_format=Regex("aab[a-z]{9}"))
    assert (response.content, response.stopped_by, response.finish_reason) == ("aa", "b", "stop")


def test_logprobs_stand_where_openai_has_them(model: VLLMModel) -> None:
    for response in (
        model(WHY, max_tokens=4, logprobs=True, top_logprobs=2),
        answer(told(model, WHY, max_tokens=4, logprobs=True, top_logprobs=2)),
    ):
        content = response.raw["choices"][0]["logprobs"]["content"]
        assert "".join(entry["token"] for entry in content) == response.content
        assert [len(entry["top_logprobs"]) for entry in content] == [2, 2, 2, 2]
        for entry in content:
            assert entry["logprob"] == entry["top_logprobs"][0]["logprob"] <= 0
            assert bytes(entry["bytes"]).decode() == entry["token"]


def test_logprobs_end_where_a_stop_ends_the_text(model: VLLMModel) -> None:
    case = next(case for case in stop_table.CASES if case.name == "a stop over several tokens")
    response = model(case.messages, case.stops, max_tokens=40, logprobs=True)
    entries = response.raw["choices"][0]["logprobs"]["content"]
    assert [entry["token"] for entry in entries] == ["one", " two"]
    assert [entry["top_logprobs"] for entry in entries] == [[], []]


def test_a_prompt_that_was_read_before_comes_from_the_cache(model: VLLMModel) -> None:
    long = f"{WHY} " * 120
    first, second = model(long, max_tokens=2), model(f"{long} Say.", max_tokens=2)
    assert first.usage is not None
    assert second.usage is not None
    assert first.usage.cached_tokens == 0
    assert second.usage.cached_tokens == 512  # whole blocks of 256


def test_a_prompt_as_long_as_the_context_is_refused(model: VLLMModel) -> None:
    found = error(model, "hi " * 2500)
    assert (found.kind, found.sent) == ("context_window", "no")
    assert "2048" in found.message


def test_an_answer_ends_where_the_context_does(model: VLLMModel) -> None:
    response = model("hi " * 2000, max_tokens=500, ignore_eos=True)
    assert response.finish_reason == "length"
    assert response.usage is not None
    assert response.usage.total_tokens == 2048


def test_an_image_for_a_model_that_reads_text_only_is_unsupported(model: VLLMModel) -> None:
    found = error(model, [Message("user", [Text("What is this?"), Image(b"\x89PNG", media_type="image/png")])])
    assert (found.kind, found.sent) == ("unsupported", "no")


@pytest.mark.parametrize(
    ("template", "kind"),
    [
        ("{{ raise_exception('roles must alternate') }}", "invalid_request"),
        ("{{ nosuch.thing }}", "invalid_request"),
        ("{% if %}", "invalid_request"),
    ],
)
def test_a_template_that_fails_is_an_invalid_request_and_the_next_call_works(template: str, kind: str) -> None:
    broken = VLLMModel(
        "default", engine=vllm_subject.model(), apply_chat_template_kwargs={"chat_template": template}, max_tokens=2
    )
    found = error(broken, WHY)
    assert (found.kind, found.sent) == (kind, "no")
    assert vllm_subject.model()(WHY, max_tokens=2).content


def test_a_template_that_knows_no_tools_is_unsupported(model: VLLMModel) -> None:
    assert error(model, WHY, tools=[WEATHER]).kind == "unsupported"


def test_tools_go_through_the_template_and_calls_are_read() -> None:
    model, runtime = saying(f"Let me see.\n{CALL}")
    events = told(model, WHY, tools=[WEATHER])
    for response in (answer(events), model(WHY, tools=[WEATHER])):
        assert (response.content, response.finish_reason) == ("Let me see.\n", "tool_calls")
        assert [(call.id, call.name, call.input) for call in response.tool_calls] == [
            ("call_1", "weather", {"city": "서울"})
        ]
    assert "The weather to come." in runtime.prompts[0]


def test_a_forbidden_tool_is_not_offered_and_no_call_is_read() -> None:
    model, runtime = saying(CALL)
    assert model(WHY, tools=[WEATHER], tool_choice="none").content == CALL
    assert "The weather" not in runtime.prompts[0]


def test_earlier_calls_and_results_are_in_the_prompt() -> None:
    model, runtime = saying("Sunny.")
    history = [
        Message("user", WHY),
        Message("assistant", [Reasoning("Hm."), ToolCall("call_1", "weather", '{"city":"서울"}')]),
        Message("tool", ToolResult("call_1", "sunny")),
    ]
    assert model(history, tools=[WEATHER]).content == "Sunny."
    assert "<think>Hm.</think>" in runtime.prompts[0]
    assert '<call>call_1 {"name": "weather", "arguments": {"city": "서울"}}' in runtime.prompts[0]
    assert "sunny for call_1" in runtime.prompts[0]


@pytest.mark.parametrize("opened", [False, True], ids=["by the model", "by the template"])
def test_thoughts_come_apart_from_the_text(opened: bool) -> None:
    template = TEMPLATE.replace("<assistant>", "<assistant><think>\n") if opened else TEMPLATE
    model, _ = saying(("" if opened else "<think>\n") + "I think.\n</think>\n\nSeoul.", template)
    events = told(model, WHY)
    for response in (answer(events), model(WHY)):
        assert (response.reasoning, response.content) == ("I think.", "Seoul.")
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "I think."


def test_arguments_for_the_template_go_to_it() -> None:
    runtime = Around(lambda inner: vllm_subject.says(runtime, "ok"))
    given = {"chat_template": "{{ colour }}{{ messages[0]['content'] }}", "colour": "blue"}
    runtime.model(apply_chat_template_kwargs=given)("Hi")
    assert runtime.prompts == ["blueHi"]


def test_sixteen_calls_are_answered_at_once_each_as_alone(model: VLLMModel) -> None:
    cases = [case for case in stop_table.CASES if case.stops][:16]
    running: list[int] = []

    async def one(case: stop_table.Case) -> Response:
        request = as_request(case.messages, case.stops, max_tokens=case.max_tokens, temperature=0)
        seen: list[Event] = []
        async with aclosing(model.stream(request)) as events:
            async for event in events:
                seen.append(event)
                running.append(len(await requests()))
        return answer(seen)

    async def main() -> list[Response]:
        return await asyncio.gather(*(one(case) for case in cases))

    answers = asyncio.run(main())
    assert [(found.content, found.stopped_by) for found in answers] == [(c.content, c.stopped_by) for c in cases]
    assert max(running) > 8  # the first may end before the last has begun


def test_many_loops_threads_and_blocking_calls_share_the_engine(model: VLLMModel) -> None:
    expected = model(WHY, max_tokens=8)
    together = threading.Barrier(4)

    def in_a_loop() -> list[Response]:
        async def main() -> list[Response]:
            found = await asyncio.gather(*(model.generate(as_request(WHY, max_tokens=8)) for _ in range(2)))
            return [*(result.unwrap() for result in found), await asyncio.to_thread(model, WHY, max_tokens=8)]

        together.wait(20)
        return asyncio.run(main())

    def in_a_thread() -> list[Response]:
        together.wait(20)
        return [model(WHY, max_tokens=8)]

    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(work) for work in (in_a_loop, in_a_loop, in_a_thread, in_a_thread)]
        assert [found for job in jobs for found in job.result(60)] == [expected] * 8


async def cancelled(call: Awaitable[object], until: Callable[[], object]) -> None:
    """Cancels the call as soon as that is so, and sees that it was."""
    task = asyncio.ensure_future(call)
    while not until():  # noqa: ASYNC110 (nobody tells of a request that begins)
        await asyncio.sleep(0.001)
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError), outcome


@pytest.mark.parametrize("prompt", [WHY, "hi " * 2000], ids=["in the middle", "in prefill"])
def test_a_cancelled_call_leaves_nothing_in_the_engine(model: VLLMModel, prompt: str) -> None:
    begun: list[Event] = []

    async def listen(request: Request) -> None:
        async for event in model.stream(request):
            begun.append(event)  # noqa: PERF401 (it is looked at meanwhile)

    async def main() -> None:
        request = as_request(prompt, max_tokens=150, ignore_eos=True)
        states = await requests()
        await cancelled(listen(request), lambda: len(begun) >= 3 if prompt == WHY else states)
        await cancelled(model.generate(request), lambda: states)
        await nothing_left()

    asyncio.run(main())
    assert bool(begun) == (prompt == WHY)
    assert model(WHY, max_tokens=3).content


def test_a_hundred_streams_that_are_dropped_leave_nothing_in_the_engine(model: VLLMModel) -> None:
    request = as_request(WHY, max_tokens=200, ignore_eos=True)

    async def drop() -> None:
        async with aclosing(model.stream(request)) as stream:
            assert isinstance(await anext(stream), TextDelta)

    async def main() -> None:
        await asyncio.gather(*(drop() for _ in range(100)))
        await nothing_left()

    asyncio.run(main())
    assert model(WHY, max_tokens=3).content


def test_a_loop_that_ends_with_its_stream_half_read_leaves_nothing_in_the_engine(model: VLLMModel) -> None:
    kept: list[Any] = []

    async def begin() -> None:
        stream = model.stream(as_request(WHY, max_tokens=2000, ignore_eos=True))
        kept.append(stream)
        await anext(stream)

    asyncio.run(begin())
    asyncio.run(nothing_left())


def test_an_option_for_the_engine_and_an_engine_of_another_are_refused_together() -> None:
    with pytest.raises(ValueError, match="model_kwargs start an engine"):
        VLLMModel("default", engine=VLLMModel("default"), model_kwargs={"seed": 1})


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="model_id is a name, a folder or 'default', not ''"):
        VLLMModel("")


def test_its_repr_shows_what_it_was_made_of() -> None:
    assert repr(VLLMModel("some/folder", max_new_tokens=5)) == "VLLMModel('some/folder', max_tokens=5)"
