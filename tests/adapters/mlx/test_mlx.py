"""`MLXModel` around a tiny random Llama, and around one that says what it is told."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

pytest.importorskip("mlx_lm")

import tiny_mlx
from returns.result import Failure

from modelport.adapters.mlx.line import Generation, Line
from modelport.adapters.mlx.model import MLXModel
from modelport.adapters.process.calling import as_request
from modelport.domain.error import ErrorKind, ModelError, Sent
from modelport.domain.event import Event, Failed, Finished, TextDelta
from modelport.domain.message import Image, Message, Reasoning, Text, ToolCall
from modelport.domain.options.option import OMIT
from modelport.domain.response_format import Grammar, JsonObject, JsonSchema, Regex
from modelport.domain.tool import Tool
from modelport.domain.usage import Usage

WORDS = tiny_mlx.tokenizer()
LLAMA = tiny_mlx.model(WORDS)
ENDLESS = {str(WORDS.eos_token_id): -100}


def tiny(**options: Any) -> MLXModel:
    return MLXModel("tiny", model=LLAMA, tokenizer=WORDS, prompt_cache_bytes=0, **options)


def read(prompt: Any = "?", **given: Any) -> int:
    """How many tokens this prompt has."""
    messages = [{"role": "user", "content": prompt}]
    return len(WORDS.apply_chat_template(messages, add_generation_prompt=True, return_dict=False, **given))


def says(text: str, prompt: int | None = None, *, whole: bool = False) -> tuple[MLXModel, tiny_mlx.Says]:
    """A model that says this text after `?`, byte by byte or in the tokenizer's own tokens."""
    one_by_one = [WORDS.convert_tokens_to_ids(token) for token in _bytes(text)]
    tokens = WORDS(text)["input_ids"] if whole else one_by_one
    runtime = tiny_mlx.Says(WORDS, [*tokens, WORDS.eos_token_id], read() if prompt is None else prompt)
    return MLXModel("says", model=runtime, tokenizer=WORDS, prompt_cache_bytes=0), runtime


def _bytes(text: str) -> list[str]:
    from tokenizers import pre_tokenizers

    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return [character for piece, _ in level.pre_tokenize_str(text) for character in piece]


async def events(model: MLXModel, *args: Any, **options: Any) -> list[Event]:
    return [event async for event in model.stream(as_request(*args, **options))]


def error(model: MLXModel, *args: Any, **options: Any) -> ModelError:
    """The error of a whole call, which the stream ends with too."""
    result = asyncio.run(model.generate(as_request(*args, **options)))
    assert isinstance(result, Failure), result
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


def test_the_greedy_text_is_that_of_stream_generate() -> None:
    from mlx_lm import stream_generate
    from mlx_lm.tokenizer_utils import TokenizerWrapper

    ids = WORDS.apply_chat_template([{"role": "user", "content": "안녕"}], add_generation_prompt=True)["input_ids"]
    bare = [one.token for one in stream_generate(LLAMA, TokenizerWrapper(WORDS), ids, max_tokens=40)]
    assert tiny(max_tokens=40)("안녕").content == WORDS.decode(bare, skip_special_tokens=True).rstrip("\ufffd")


@pytest.mark.parametrize("whole", [False, True])
def test_a_korean_stop_never_leaks(whole: bool) -> None:
    model, runtime = says("안녕하세요 이것은 사과", whole=whole)
    *deltas, last = asyncio.run(events(model, "?", ["이"]))
    assert isinstance(last, Finished)
    assert (last.response.content, last.response.stopped_by) == ("안녕하세요 ", "이")
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "안녕하세요 "
    assert last.response.usage is not None
    assert runtime.made <= last.response.usage.output_tokens + 1  # mlx-lm computes one step ahead
    assert runtime.made < len(runtime.told)


def test_each_character_is_shown_whole_and_as_soon_as_it_is() -> None:
    model, _ = says("가이 x")
    *deltas, _last = asyncio.run(events(model, "?"))
    assert deltas == [TextDelta("가"), TextDelta("이"), TextDelta(" "), TextDelta("x")]


def test_a_token_that_overshoots_a_stop_shows_only_what_stands_before_it() -> None:
    model, runtime = says("the end", whole=True)
    assert len(runtime.told) < len("the end") + 1
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
    model, _ = says("abc", read("Hello"))
    assert model("Hello").usage == Usage(read("Hello"), 4)


def test_a_model_that_ends_at_once_says_nothing() -> None:
    model, _ = says("")
    assert asyncio.run(events(model, "?")) == [Finished(model("?"))]
    assert (model("?").content, model("?").finish_reason) == ("", "stop")


def test_thoughts_come_apart_from_the_text() -> None:
    model, _ = says("<think>\nThe end.</think>\n\nof the end.")
    last = asyncio.run(events(model, "?", ["end."]))[-1]
    assert isinstance(last, Finished)
    assert last.response.message.content == (Reasoning("The end."), Text("of the "))
    assert last.response.stopped_by == "end."


def test_a_call_ends_the_answer_at_the_stop_behind_it() -> None:
    clock = Tool("clock", "The time.")
    told = [{"type": "function", "function": {"name": "clock", "description": "The time.", "parameters": {}}}]
    size = read(tools=[{**told[0], "function": {**told[0]["function"], "parameters": dict(clock.parameters)}}])  # type: ignore[dict-item]
    model, runtime = says('<tool_call>{"name": "clock", "arguments": {}}</tool_call>\nObservation: it is ten.', size)
    response = model("?", ["Observation:"], tools=[clock])
    assert response.message.content == (ToolCall("call_1", "clock", "{}"),)
    assert (response.finish_reason, response.stopped_by) == ("tool_calls", "Observation:")
    assert runtime.made < len(runtime.told)


def test_tools_that_must_not_be_called_are_not_offered() -> None:
    model, _ = says('{"name": "clock", "arguments": {}}')
    response = model("?", tools=[Tool("clock", "The time.")], tool_choice="none")
    assert response.content == '{"name": "clock", "arguments": {}}'
    assert response.usage == Usage(read(), 35)


def test_a_template_that_knows_no_tools_is_not_asked_about_them() -> None:
    bare = tiny_mlx.tokenizer("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    failed = error(MLXModel("says", model=LLAMA, tokenizer=bare), "?", tools=[Tool("clock")])
    assert (failed.kind, failed.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert "knows no tools" in failed.message


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
@pytest.mark.parametrize("options", [{"temperature": 0}, {"seed": 1, "temperature": 1}], ids=["greedy", "drawn"])
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


def test_a_call_may_have_a_form() -> None:
    form = Regex(re.escape('{"name": "clock", "arguments": {}}'))
    response = tiny(max_tokens=50)("?", tools=[Tool("clock", "The time.")], response_format=form)
    assert response.message.content == (ToolCall("call_1", "clock", "{}"),)
    assert response.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    "form", [Regex("(("), Grammar("start: nothing"), Grammar("root = 1", "gbnf"), JsonSchema({"type": "nonsense"})]
)
def test_a_form_that_can_t_be_compiled_is_refused_before_generation(form: Any) -> None:
    model, runtime = says("yes")
    failed = error(model, "?", response_format=form)
    assert (failed.kind, failed.sent, runtime.made) == (ErrorKind.INVALID_REQUEST, Sent.NO, 0)
    assert "response_format: " in failed.message


def test_a_form_is_compiled_once() -> None:
    model = tiny(max_tokens=5)
    for _ in range(3):
        model("?", response_format=Regex("yes|no"))
    constraints = model._runtime.ready().constraints
    assert list(constraints._compiled) == [Regex("yes|no")]


def test_a_seed_gives_the_same_answer_at_once_with_others_and_leaves_the_global_generator_alone() -> None:
    import mlx.core as mx

    model = tiny(max_tokens=20, temperature=1.5, top_p=0.9)
    mx.random.seed(5)
    before = mx.random.state[0].tolist()

    async def main() -> list[str]:
        seeds = (1, 2, 1, 2, 1)
        results = await asyncio.gather(*(model.generate(as_request("?", seed=seed)) for seed in seeds))
        return [result.unwrap().content for result in results]

    a, b, *rest = asyncio.run(main())
    assert rest == [a, b, a]
    assert a != b
    assert model("?", seed=1).content == a
    assert mx.random.state[0].tolist() == before


def test_without_a_seed_two_answers_differ() -> None:
    model = tiny(max_tokens=30, temperature=1.5)
    assert len({model("?").content for _ in range(4)}) > 1


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0, "top_p": 0.5},
        {"temperature": 1.0, "top_k": 1},
        {"temperature": 1.0, "top_p": 1e-6},
        {"temperature": 1.0, "min_p": 1.0},
        {"top_k": 1},
        {"seed": 7},
    ],
)
def test_options_that_leave_only_the_likeliest_token_are_greedy(options: dict[str, Any]) -> None:
    assert tiny(max_tokens=12, **options)("?").content == tiny(max_tokens=12)("?").content


@pytest.mark.parametrize("options", [{"top_k": -1}, {"top_k": 10_000}, {"top_p": 1.0}, {"min_p": 0.0}])
def test_options_that_leave_every_token_change_no_draw(options: dict[str, Any]) -> None:
    drawn = {"max_tokens": 12, "temperature": 1.0, "seed": 3}
    assert tiny(**drawn, **options)("?").content == tiny(**drawn)("?").content


def test_biases_and_penalties_reach_the_model() -> None:
    free = tiny(max_tokens=30)("?").content
    (wanted,) = WORDS("x")["input_ids"]
    assert tiny(max_tokens=4, logit_bias={str(wanted): 100})("?").content == "xxxx"
    assert tiny(max_tokens=4, logit_bias={str(wanted): 100})("?", logit_bias=OMIT).content in free
    assert tiny(max_tokens=30, repetition_penalty=5.0)("?").content != free


@pytest.mark.parametrize("token", ["300000000", "-1"])
@pytest.mark.parametrize("options", [{}, {"kv_bits": 8, "kv_group_size": 32}], ids=["batched", "alone"])
def test_a_bias_of_a_token_that_there_is_none_of_is_refused(token: str, options: dict[str, Any]) -> None:
    failed = error(tiny(max_tokens=3, **options), "?", logit_bias={"5": 1.0, token: 1.0})
    assert (failed.kind, failed.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)
    assert f"logit_bias: there is no token {token}" in failed.message


def test_a_user_s_own_sampler_and_processors_are_used() -> None:
    import mlx.core as mx

    (x, y) = (WORDS(letter)["input_ids"][0] for letter in "xy")
    assert tiny(max_tokens=2, sampler=lambda likely: mx.array([x]))("?").content == "xx"
    processors = [lambda tokens, scores: scores.at[:, y].add(100)]
    assert tiny(max_tokens=2, logits_processors=processors)("?").content == "yy"


def test_logprobs_are_those_of_the_model_itself() -> None:
    response = tiny(max_tokens=3)("?", logprobs=True, top_logprobs=2, response_format=Regex("abcd"))
    content = response.raw["choices"][0]["logprobs"]["content"]
    assert [entry["token"] for entry in content] == ["a", "b", "c"]
    assert [len(entry["top_logprobs"]) for entry in content] == [2, 2, 2]
    assert all(entry["logprob"] <= entry["top_logprobs"][1]["logprob"] for entry in content)
    penalised = tiny(max_tokens=3, repetition_penalty=5.0)("?", logprobs=True, response_format=Regex("abcd"))
    theirs = penalised.raw["choices"][0]["logprobs"]["content"]
    assert [entry["logprob"] for entry in theirs] == [entry["logprob"] for entry in content]
    assert tiny(max_tokens=3)("?").raw is None


def test_a_prompt_longer_than_the_context_is_refused_before_generation() -> None:
    failed = error(tiny(), "안" * 300)
    assert (failed.kind, failed.sent) == (ErrorKind.CONTEXT_WINDOW, Sent.NO)
    assert "holds 256" in failed.message


def test_an_answer_ends_where_the_context_does() -> None:
    response = tiny(logit_bias=ENDLESS)("?", max_tokens=10_000)
    assert response.finish_reason == "length"
    assert response.usage is not None
    assert response.usage.total_tokens == 256


class Asked(Line):
    """Generates nothing, and keeps what it was asked for."""

    def generate(self, call: Generation) -> None:
        self.call = call


@pytest.mark.parametrize(("options", "most"), [({}, 4096), ({"max_tokens": 9000}, 9000), ({"max_tokens": 7}, 7)])
def test_an_unknown_context_bounds_no_answer_that_is_asked_for(options: dict[str, Any], most: int) -> None:
    llama = tiny_mlx.model(WORDS)
    llama.args.max_position_embeddings = None
    model = MLXModel("tiny", model=llama, tokenizer=WORDS, **options)
    line = model._runtime.ready().line = Asked(model._runtime.ready().loaded, 0)
    model("?")
    assert line.call.max_tokens == most


@pytest.mark.parametrize(
    "options", [{"kv_bits": 8, "kv_group_size": 32}, {"max_kv_size": 64}, {"prefill_step_size": 2}]
)
def test_options_that_no_batch_knows_go_to_stream_generate(options: dict[str, Any]) -> None:
    model = tiny(max_tokens=20, **options)
    *_, last = asyncio.run(events(model, "안녕"))
    assert last == Finished(model("안녕"))
    assert model("안녕").usage == Usage(read("안녕"), 20)
    stop = model("안녕").content[3:5]
    assert model("안녕", [stop]).stopped_by == stop


def test_a_draft_model_is_no_option() -> None:
    failed = error(tiny(extra_body={"draft_model": LLAMA}), "?")
    assert (failed.kind, failed.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)


def test_an_option_that_stream_generate_refuses_is_an_invalid_request_that_names_it() -> None:
    failed = error(tiny(extra_body={"no_such_option": 1}), "?")
    assert failed.kind is ErrorKind.INVALID_REQUEST
    assert "no_such_option" in failed.message


def test_a_tokenizer_without_a_chat_template_says_so() -> None:
    model = MLXModel("base", model=LLAMA, tokenizer=tiny_mlx.tokenizer(None), max_tokens=3)
    failed = error(model, "?")
    assert (failed.kind, failed.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert "chat template" in failed.message
    given = {"chat_template": tiny_mlx.TEMPLATE}
    bare = tiny_mlx.tokenizer(None)
    mended = MLXModel("base", model=LLAMA, tokenizer=bare, max_tokens=3, apply_chat_template_kwargs=given)
    assert mended("?").content == tiny(max_tokens=3)("?").content


def test_a_template_that_refuses_the_messages_is_an_invalid_request() -> None:
    words = tiny_mlx.tokenizer("{{ raise_exception('no system message, please') }}")
    failed = error(MLXModel("t", model=LLAMA, tokenizer=words), "?")
    assert (failed.kind, failed.sent) == (ErrorKind.INVALID_REQUEST, Sent.NO)
    assert "no system message, please" in failed.message


def test_what_it_cannot_take_is_unsupported_before_anything_is_loaded() -> None:
    failed = error(MLXModel("/nowhere"), [Message("user", Image(b"a picture"))])
    assert (failed.kind, failed.sent) == (ErrorKind.UNSUPPORTED, Sent.NO)
    assert "images" in failed.message
