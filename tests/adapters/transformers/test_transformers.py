"""`TransformersModel` around a tiny random Llama, and around a runtime that says what it is told."""

from __future__ import annotations

import asyncio
import gc
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import tiny_llama
import torch
from loopback import Loopback
from loopback import error as refusal
from returns.result import Failure

from modelport.adapters.process.calling import as_request
from modelport.adapters.transformers.errors import translate
from modelport.adapters.transformers.model import TransformersModel
from modelport.adapters.transformers.sampling import arguments
from modelport.domain.error import ErrorKind, ModelError, ModelFailure, Sent
from modelport.domain.event import Event, Failed, Finished, TextDelta
from modelport.domain.message import Audio, Message, Reasoning, Text, ToolCall
from modelport.domain.options.option import OMIT
from modelport.domain.response_format import Grammar, JsonObject, JsonSchema, Regex
from modelport.domain.tool import Tool
from modelport.domain.usage import Usage

WORDS = tiny_llama.tokenizer()
LLAMA = tiny_llama.model(WORDS)


def tiny(**options: Any) -> TransformersModel:
    return TransformersModel("tiny", model=LLAMA, tokenizer=WORDS, **options)


def says(text: str, *, whole: bool = False, end: bool = True) -> tuple[TransformersModel, tiny_llama.Says]:
    """A model that says this text, byte by byte or in the tokenizer's own tokens."""
    one_by_one = [WORDS.convert_tokens_to_ids(token) for token in _bytes(text)]
    tokens = WORDS(text)["input_ids"] if whole else one_by_one
    runtime = tiny_llama.Says([*tokens, *([WORDS.eos_token_id] if end else [])])
    return TransformersModel("says", model=runtime, tokenizer=WORDS), runtime


def _bytes(text: str) -> list[str]:
    from tokenizers import pre_tokenizers

    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return list(level.pre_tokenize_str(text)[0][0])


async def events(model: TransformersModel, *args: Any, **options: Any) -> list[Event]:
    return [event async for event in model.stream(as_request(*args, **options))]


def error(model: TransformersModel, *args: Any, **options: Any) -> ModelError:
    """The error of a whole call, which the stream ends with too."""
    result = asyncio.run(model.generate(as_request(*args, **options)))
    assert isinstance(result, Failure)
    last = asyncio.run(events(model, *args, **options))[-1]
    assert isinstance(last, Failed)
    assert last.error == result.failure()
    return last.error


def test_a_random_llama_answers_the_same_whole_and_streamed() -> None:
    model = tiny(max_tokens=40)
    *deltas, last = asyncio.run(events(model, "안녕"))
    assert isinstance(last, Finished)
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == last.response.content
    assert model("안녕") == last.response
    assert len(deltas) > 5


@pytest.mark.parametrize("whole", [False, True])
def test_a_korean_stop_never_leaks(whole: bool) -> None:
    model, runtime = says("안녕하세요 이것은 사과", whole=whole)
    *deltas, last = asyncio.run(events(model, "?", ["이"]))
    assert isinstance(last, Finished)
    assert (last.response.content, last.response.stopped_by) == ("안녕하세요 ", "이")
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "안녕하세요 "
    assert runtime.made < len(runtime.tokens)
    assert last.response.usage is not None
    assert last.response.usage.output_tokens == runtime.made


def test_each_character_is_shown_whole_and_as_soon_as_it_is() -> None:
    model, _ = says("가이 x")
    *deltas, _last = asyncio.run(events(model, "?"))
    assert deltas == [TextDelta("가"), TextDelta("이"), TextDelta(" "), TextDelta("x")]


def test_a_token_that_overshoots_a_stop_shows_only_what_stands_before_it() -> None:
    model, runtime = says("the end", whole=True)
    assert len(runtime.tokens) < len("the end") + 1
    response = model("?", ["nd", "he e"])
    assert (response.content, response.stopped_by) == ("t", "he e")


def test_text_that_only_began_like_a_stop_is_shown_in_the_end() -> None:
    model, _ = says("one EN")
    response = model("?", ["END"])
    assert (response.content, response.stopped_by, response.finish_reason) == ("one EN", None, "stop")


def test_the_finish_reason_is_length_when_the_tokens_run_out() -> None:
    model, _ = says("one two")
    response = model("?", max_tokens=3)
    assert (response.content, response.finish_reason) == ("one", "length")


def test_usage_counts_the_tokens_themselves() -> None:
    model, _ = says("abc")
    prompt = WORDS.apply_chat_template([{"role": "user", "content": "Hello"}], add_generation_prompt=True)["input_ids"]
    assert model("Hello").usage == Usage(len(prompt), 4)


def test_closing_the_stream_stops_generation_before_close_returns() -> None:
    model, runtime = says("x" * 50_000)

    async def main() -> None:
        stream = model.stream(as_request("?", max_tokens=50_000))
        assert await anext(stream) == TextDelta("x")
        await stream.aclose()
        assert runtime.ended.is_set()

    asyncio.run(main())
    assert runtime.made < 50_000


def test_cancelling_a_whole_call_stops_generation_with_the_next_token() -> None:
    reached, go_on = threading.Event(), threading.Event()

    def before(step: int) -> None:
        if step == 3:
            reached.set()
            go_on.wait(30)

    runtime = tiny_llama.Says(WORDS("x" * 100)["input_ids"], before)
    model = TransformersModel("says", model=runtime, tokenizer=WORDS)

    async def main() -> None:
        task = asyncio.create_task(model.generate(as_request("?")))
        await asyncio.to_thread(reached.wait, 30)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert runtime.ended.is_set()

    asyncio.run(main())
    assert runtime.made == 4


def test_a_stream_that_is_thrown_away_stops_too() -> None:
    model, runtime = says("x" * 50_000)

    async def main() -> None:
        stream = model.stream(as_request("?", max_tokens=50_000))
        await anext(stream)
        del stream
        gc.collect()
        await asyncio.to_thread(runtime.ended.wait, 30)

    asyncio.run(main())
    assert runtime.made < 50_000


def test_many_calls_at_once_from_threads_and_loops_give_each_its_own_answer() -> None:
    model = tiny(max_tokens=12)
    prompts = [f"{n} {'안' * n}" for n in range(6)]
    alone = [model(prompt).content for prompt in prompts]
    found: list[list[str]] = []

    async def main() -> None:
        results = await asyncio.gather(*(model.generate(as_request(prompt)) for prompt in prompts))
        found.append([result.unwrap().content for result in results])

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    found.append([model(prompt).content for prompt in prompts])
    for thread in threads:
        thread.join(60)
    assert found == [alone] * 4
    assert len(set(alone)) > 1


def test_a_seed_gives_the_same_answer_at_once_with_others_and_leaves_the_global_generator_alone() -> None:
    model = tiny(max_tokens=20, temperature=1.5, top_p=0.9)
    torch.manual_seed(5)
    before = torch.get_rng_state()

    async def main() -> list[str]:
        seeds = (1, 2, 1, 2, 1)
        results = await asyncio.gather(*(model.generate(as_request("?", seed=seed)) for seed in seeds))
        return [result.unwrap().content for result in results]

    a, b, *rest = asyncio.run(main())
    assert rest == [a, b, a]
    assert a != b
    assert torch.equal(torch.get_rng_state(), before)


def test_a_seeded_draw_is_the_draw_of_generate_itself() -> None:
    model = tiny(max_tokens=20, temperature=0.7, top_k=20, top_p=0.9)
    ids = WORDS.apply_chat_template(
        [{"role": "user", "content": "?"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    torch.manual_seed(3)
    bare = LLAMA.generate(
        **ids, do_sample=True, temperature=0.7, top_k=20, top_p=0.9, max_new_tokens=20, pad_token_id=WORDS.eos_token_id
    )
    text = WORDS.decode(bare[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
    assert model("?", seed=3).content == text.rstrip("\ufffd")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"max_tokens": 5}, {"max_new_tokens": 5}),
        ({"temperature": 0, "top_p": 0.5}, {"do_sample": False}),
        ({"temperature": 0.5}, {"temperature": 0.5, "do_sample": True}),
        ({"top_k": -1}, {"top_k": 0, "do_sample": True}),
        ({"temperature": None, "num_beams": 2}, {"num_beams": 2}),
    ],
)
def test_options_become_the_arguments_of_generate(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert arguments(options) == expected


def test_the_call_beats_the_constructor_and_what_is_in_extra_body_goes_through_untouched() -> None:
    runtime = tiny_llama.Says([WORDS.eos_token_id])
    model = TransformersModel(
        "says", model=runtime, tokenizer=WORDS, max_tokens=7, repetition_penalty=1.2, guidance_scale=1
    )
    model("?", max_new_tokens=9, repetition_penalty=OMIT, extra_body={"bar": [1]})
    called = dict(runtime.called_with)
    assert called.pop("attention_mask").shape[0] == 1
    assert called == {
        "max_new_tokens": 9,
        "guidance_scale": 1,
        "bar": [1],
        "eos_token_id": [WORDS.eos_token_id],
        "pad_token_id": WORDS.eos_token_id,
    }


def test_beams_are_answered_once_the_best_is_known() -> None:
    *deltas, last = asyncio.run(events(tiny(num_beams=3, max_tokens=8), "?"))
    assert isinstance(last, Finished)
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == last.response.content
    assert last.response.content


def test_a_prompt_longer_than_the_context_is_refused_before_generation() -> None:
    failed = error(tiny(), "안" * 300)
    assert (failed.kind, failed.sent) == (ErrorKind.CONTEXT_WINDOW, Sent.NO)
    assert "holds 256" in failed.message


def test_an_answer_ends_where_the_context_does() -> None:
    model = tiny(eos_token_id=[1_000_000])
    response = model("?", max_tokens=10_000)
    assert response.finish_reason == "length"
    assert response.usage is not None
    assert response.usage.total_tokens == 256


def test_an_option_that_generate_refuses_is_an_invalid_request_that_names_it() -> None:
    failed = error(tiny(extra_body={"no_such_option": 1}), "?")
    assert failed.kind is ErrorKind.INVALID_REQUEST
    assert "no_such_option" in failed.message


def test_a_tokenizer_without_a_chat_template_says_so() -> None:
    model = TransformersModel("base", model=LLAMA, tokenizer=tiny_llama.tokenizer(None), max_tokens=3)
    failed = error(model, "?")
    assert (failed.kind, failed.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert "chat template" in failed.message
    given = {"chat_template": tiny_llama.TEMPLATE}
    mended = TransformersModel(
        "base", model=LLAMA, tokenizer=tiny_llama.tokenizer(None), max_tokens=3, apply_chat_template_kwargs=given
    )
    assert mended("?") == TransformersModel("base", model=LLAMA, tokenizer=WORDS, max_tokens=3)("?")


def test_a_template_that_refuses_the_messages_is_an_invalid_request() -> None:
    words = tiny_llama.tokenizer("{{ raise_exception('no system message, please') }}")
    failed = error(TransformersModel("t", model=LLAMA, tokenizer=words), "?")
    assert (failed.kind, failed.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)
    assert "no system message, please" in failed.message


def test_a_runtime_that_breaks_gives_what_had_come() -> None:
    def before(step: int) -> None:
        if step == 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    runtime = tiny_llama.Says(WORDS("abcdef")["input_ids"], before)
    *_, last = asyncio.run(events(TransformersModel("says", model=runtime, tokenizer=WORDS), "?"))
    assert isinstance(last, Failed)
    assert (last.error.kind, last.error.scope, last.error.sent) == ("overloaded", "model", "yes")
    assert last.partial is not None
    assert last.partial.content == "ab"


def test_what_it_cannot_take_is_unsupported_before_anything_is_loaded() -> None:
    failed = error(TransformersModel("/nowhere"), [Message("user", Audio(b"a sound"))])
    assert (failed.kind, failed.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert "audio" in failed.message


@pytest.mark.parametrize("folder", ["empty", "no_weights", "absent"])
def test_a_folder_that_is_no_model_is_not_found_by_its_path(folder: str, tmp_path: Path) -> None:
    place = tmp_path / folder
    if folder != "absent":
        place.mkdir()
    if folder == "no_weights":
        LLAMA.config.save_pretrained(place)
        WORDS.save_pretrained(place)
    failed = error(TransformersModel(str(place)), "?")
    assert (failed.kind, failed.sent, failed.scope) == (ErrorKind.NOT_FOUND, Sent.NO, "model")
    assert str(place) in failed.message


def test_a_folder_is_loaded_once_whatever_asks_at_once(tmp_path: Path) -> None:
    LLAMA.save_pretrained(tmp_path)
    WORDS.save_pretrained(tmp_path)
    model = TransformersModel(str(tmp_path), max_tokens=10, torch_dtype="float32")

    async def main() -> list[str]:
        results = await asyncio.gather(*(model.generate(as_request("안녕")) for _ in range(4)))
        return [result.unwrap().content for result in results]

    assert asyncio.run(main()) == [tiny(max_tokens=10)("안녕").content] * 4
    assert model._runtime.ready().loaded is model._runtime.ready().loaded


CONTACTS = """
import os, sys
told = []
calls = ("socket.connect", "socket.getaddrinfo")
sys.addaudithook(lambda name, args: told.append((name, args)) if name in calls else None)
before = dict(os.environ)
from modelport.adapters.transformers.model import TransformersModel
assert not {"torch", "transformers"} & set(sys.modules)
assert dict(os.environ) == before
TransformersModel(sys.argv[1], max_tokens=3)("?")
told = [entry for entry in told if not (entry[0] == "socket.connect" and isinstance(entry[1][1], str))]
print(told)
"""


def test_a_local_folder_is_run_without_the_network(tmp_path: Path) -> None:
    LLAMA.save_pretrained(tmp_path)
    WORDS.save_pretrained(tmp_path)
    said = subprocess.run([sys.executable, "-c", CONTACTS, str(tmp_path)], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_an_offline_hub_is_a_connection_error(tmp_path: Path) -> None:
    code = """
import sys
from modelport.adapters.transformers.model import TransformersModel
from modelport.domain.error import ModelFailure
try:
    TransformersModel("nobody/nothing")("?")
except ModelFailure as failure:
    print(failure.error.kind, failure.error.sent, "nobody/nothing" in failure.error.message)
"""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PATH": ""}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert said.stdout == "connection no True\n"


def test_a_token_may_be_named_by_its_variable(tmp_path: Path) -> None:
    code = """
import sys
from modelport import Env, ModelFailure
from modelport.adapters import TransformersModel
try:
    TransformersModel("org/name", model_kwargs={"token": Env(sys.argv[1])})("?")
except ModelFailure as failure:
    print(failure.error.kind, failure.error.message)
"""
    with Loopback(refusal(404)) as hub:
        address = {"HF_ENDPOINT": hub.url.removesuffix("/v1"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        environment = {**address, "HF_HOME": str(tmp_path), "PATH": "", "MY_TOKEN": "hf_planted_0123456789"}
        for name in ("NOT_THERE", "MY_TOKEN"):
            command = [sys.executable, "-c", code, name]
            said = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
            if name == "NOT_THERE":
                assert said == "authentication 'org/name': Unset: the environment variable NOT_THERE isn't set\n"
                assert hub.requests == []
        told = {seen.headers["authorization"] for seen in hub.requests if "authorization" in seen.headers}
        assert told == {"Bearer hf_planted_0123456789"}
        assert "hf_planted_0123456789" not in said


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    code = """
import sys
sys.modules["torch"] = None
from modelport.adapters.transformers.model import TransformersModel
from modelport.domain.error import ModelFailure
try:
    TransformersModel("some/model")("?")
except ModelFailure as failure:
    print(failure.error.kind, failure.error.message)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.startswith("missing_dependency")
    assert "pip install 'modelport[transformers]'" in said


@pytest.mark.parametrize(
    ("raised", "phase", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "generating", "overloaded"),
        (MemoryError(), "loading", "overloaded"),
        (ConnectionError("refused"), "loading", "connection"),
        (OSError("nothing there"), "loading", "not_found"),
        (KeyError("?"), "loading", "server"),
        (KeyError("?"), "generating", "server"),
        (TypeError("unexpected"), "generating", "invalid_request"),
        (KeyError("role"), "reading", "invalid_request"),
    ],
)
def test_what_exceptions_mean(raised: Exception, phase: str, kind: str) -> None:
    assert translate(raised, "m", phase).kind == kind


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"model_id": ""}, "model_id"),
        ({"model_id": "m", "model": LLAMA}, "together"),
        ({"model_id": "m", "dtype": "float32", "torch_dtype": "float32"}, "keep dtype"),
        ({"model_id": "m", "temperature": float("nan")}, "temperature"),
        ({"model_id": "m", "stop": ["x"]}, "stop_sequences"),
    ],
)
def test_a_mistake_in_the_constructor_raises_at_once(arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TransformersModel(**arguments)


def test_a_failed_call_raises_the_failure_with_its_error() -> None:
    with pytest.raises(ModelFailure, match="not_found"):
        TransformersModel("/nowhere/at/all")("?")


CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["서울", "Bern"]}, "days": {"type": "integer", "maximum": 9}},
    "required": ["city", "days"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        (Regex("yes|no"), "yes|no"),
        (JsonSchema(CITY), r'\{\s*"city"\s*:\s*"(서울|Bern)"\s*,\s*"days"\s*:\s*-?\d+\s*\}'),
        (Grammar('start: "a"~3 ("b" | "가")'), "aaa(b|가)"),
        (Grammar('root ::= "a" "b"', "gbnf"), "ab"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("options", [{"temperature": 0}, {"seed": 1}], ids=["greedy", "drawn"])
def test_random_weights_keep_a_form_whole_and_streamed(form: Any, pattern: str, options: dict[str, Any]) -> None:
    model = tiny(max_tokens=100, **options)
    whole = model("?", response_format=form)
    last = asyncio.run(events(model, "?", response_format=form))[-1]
    assert isinstance(last, Finished)
    assert re.fullmatch(pattern, whole.content), whole.content
    assert (last.response.content, last.response.finish_reason) == (whole.content, whole.finish_reason)
    assert whole.finish_reason == "stop"


def test_any_object_is_one_as_far_as_it_goes() -> None:
    assert tiny(max_tokens=3)("?", response_format=JsonObject()).content.startswith("{")


def test_a_stop_ends_an_answer_that_has_a_form() -> None:
    response = tiny(max_tokens=50)("?", ["c"], response_format=Regex("abcd"))
    assert (response.content, response.stopped_by) == ("ab", "c")


@pytest.mark.parametrize(
    "form", [Regex("(("), Grammar("start: nothing"), Grammar("root = 1", "gbnf"), JsonSchema({"type": "nonsense"})]
)
def test_a_form_that_can_t_be_compiled_is_refused_before_generation(form: Any) -> None:
    model, runtime = says("yes")
    failed = error(model, "?", response_format=form)
    assert (failed.kind, failed.sent, runtime.made) == (ErrorKind.INVALID_REQUEST, Sent.NO, 0)
    assert "response_format: " in failed.message


def test_a_form_ends_where_only_the_model_knows_how_a_text_ends() -> None:
    words = tiny_llama.tokenizer()
    words.eos_token = None
    response = TransformersModel("tiny", model=LLAMA, tokenizer=words, max_tokens=9)("?", response_format=Regex("ab"))
    assert (response.content, response.finish_reason) == ("ab", "stop")


def test_a_form_is_for_one_answer() -> None:
    failed = error(tiny(max_tokens=5, num_beams=2), "?", response_format=Regex("yes|no"))
    assert failed.kind == ErrorKind.INVALID_REQUEST
    assert "without num_beams" in failed.message


def test_thoughts_come_apart_from_the_text() -> None:
    model, _ = says("<think>\nThe end.</think>\n\nof the end.")
    last = asyncio.run(events(model, "?", ["end."]))[-1]
    assert isinstance(last, Finished)
    assert last.response.message.content == (Reasoning("The end."), Text("of the "))
    assert last.response.stopped_by == "end."


def test_a_call_ends_the_answer_at_the_stop_behind_it() -> None:
    model, runtime = says('<tool_call>{"name": "clock", "arguments": {}}</tool_call>\nObservation: it is ten.')
    response = model("?", ["Observation:"], tools=[Tool("clock", "The time.")])
    assert response.message.content == (ToolCall("call_1", "clock", "{}"),)
    assert (response.finish_reason, response.stopped_by) == ("tool_calls", "Observation:")
    assert runtime.made < len(runtime.tokens)


def test_tools_that_must_not_be_called_are_not_offered() -> None:
    model, runtime = says('{"name": "clock", "arguments": {}}')
    response = model("?", tools=[Tool("clock", "The time.")], tool_choice="none")
    assert response.content == '{"name": "clock", "arguments": {}}'
    assert "clock" not in WORDS.decode(runtime.prompts[0])


def test_a_template_that_knows_no_tools_is_not_asked_about_them() -> None:
    bare = tiny_llama.tokenizer("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    failed = error(TransformersModel("says", model=LLAMA, tokenizer=bare), "?", tools=[Tool("clock")])
    assert (failed.kind, failed.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert "knows no tools" in failed.message
