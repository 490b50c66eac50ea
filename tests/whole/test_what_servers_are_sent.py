"""What servers of the chat-completions wire are sent, reduced to what users, agents and servers have met.

The numbers are those of `test_what_servers_send.py`: these rows are about questions and histories.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from loopback import DONE, Answer, Loopback, Seen, body, chunk, error, sse, streamed, whole

from modelport import (
    Capabilities,
    Failed,
    Finished,
    JsonSchema,
    Message,
    ModelError,
    Response,
    TextDelta,
    Tool,
    as_messages,
    as_request,
    blocking,
)
from modelport.adapters import AzureOpenAIModel, InferenceClientModel, OpenAIModel
from modelport.domain import to_json

pytestmark = pytest.mark.needs("openai", "huggingface")
HI = as_request("Hi")


def azure(url: str, **options: Any) -> AzureOpenAIModel:
    at = {"azure_endpoint": url.removesuffix("/v1"), "api_version": "1", "api_key": "k"}
    return AzureOpenAIModel("m", **at, **options)


MODELS: dict[str, Callable[..., Any]] = {
    "OpenAIModel": lambda url, **options: OpenAIModel("m", base_url=url, api_key="k", **options),
    "AzureOpenAIModel": azure,
    "InferenceClientModel": lambda url, **options: InferenceClientModel("m", base_url=url, token="k", **options),
}
every = pytest.mark.parametrize("name", MODELS)


def saying(said: Mapping[str, Any], finish: str = "stop") -> Callable[[Seen], Answer]:
    """A message, whole or in one chunk, as it is asked for."""

    def answer(seen: Seen) -> Answer:
        if seen.json["stream"]:
            return streamed(chunk(said), chunk(finish=finish), DONE)
        return body({"choices": [{"message": said, "finish_reason": finish}]})

    return answer


def sent(name: str, messages: Any, **options: Any) -> Any:
    """The messages that are sent for these, whole and streamed."""
    with Loopback(saying({"content": "Hi"})) as server:
        model = MODELS[name](server.url, **options)
        model(messages)
        list(blocking(model).stream(messages))
    one, other = (seen.json["messages"] for seen in server.requests)
    assert one == other
    return one


@every
def test_whether_it_is_to_be_streamed_is_said_in_any_case(name: str) -> None:
    """W9: some gateways stream where nobody says that they shouldn't."""
    with Loopback(saying({"content": "Hi"})) as server:
        model = MODELS[name](server.url)
        model("Hi")
        list(blocking(model).stream("Hi"))
    assert [seen.json["stream"] for seen in server.requests] == [False, True]


# Histories

SIGNED = {"google": {"thought_signature": "abc"}}
CALL: dict[str, Any] = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
RESULT = {"role": "tool", "tool_call_id": "a", "content": "done"}


def turn(**message: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, **message}


@every
def test_a_signature_in_a_history_of_dicts_goes_back(name: str) -> None:
    """W13: of a call (Gemini), of a message, and of its reasoning (OpenRouter)."""
    details = [{"type": "reasoning.encrypted", "data": "abc"}]
    history = [
        {"role": "user", "content": "Hi"},
        turn(tool_calls=[{**CALL, "extra_content": SIGNED}], reasoning_details=details),
        RESULT,
        {"role": "assistant", "content": "Fine.", "extra_content": SIGNED},
    ]
    assert sent(name, history) == history


@every
def test_a_custom_call_in_a_history_of_dicts_goes_back_as_it_came(name: str) -> None:
    """W22, of dicts."""
    call = {"id": "a", "type": "custom", "custom": {"name": "f", "input": "1 + 1"}}
    history = [{"role": "user", "content": "Hi"}, turn(tool_calls=[call]), RESULT]
    assert sent(name, history) == history
    assert as_messages(history)[1].tool_calls[0].arguments == "1 + 1"


def test_a_call_of_an_sdk_keeps_what_it_brings() -> None:
    """W13 and W22, of the SDK's own objects, whose further members are attributes."""
    from openai.types.chat import ChatCompletionMessage

    calls = [
        {**CALL, "extra_content": SIGNED},
        {"id": "b", "type": "custom", "custom": {"name": "g", "input": "1 + 1"}},
    ]
    message = ChatCompletionMessage.model_validate({"role": "assistant", "content": None, "tool_calls": calls})
    assert sent("OpenAIModel", [message]) == [turn(tool_calls=calls)]


def test_what_litellm_keeps_of_a_call_is_kept_for_litellm() -> None:
    own = {"provider_specific_fields": {"thought_signature": "abc"}}
    history = [turn(tool_calls=[{**CALL, **own}])]
    assert as_messages(history)[0].tool_calls[0].metadata == {"litellm": own}
    assert sent("OpenAIModel", history) == [turn(tool_calls=[CALL])]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"id": "a", "name": "f", "args": {"x": 1}}, "tool_calls[0]: unknown key 'args'; a tool call has id, "),
        (
            {**CALL, "function": {"name": "f", "parameters": {"x": 1}}},
            "tool_calls[0].function: unknown key 'parameters'; a function has name, arguments",
        ),
    ],
)
def test_what_a_call_has_besides_is_refused_by_name(call: Any, says: str) -> None:
    """W13: LangChain's `args` were no arguments, without a word."""
    with pytest.raises(ValueError, match="unknown key") as refused:
        as_messages([turn(tool_calls=[call])])
    assert says in str(refused.value)


def test_ids_that_are_made_up_are_unique_in_a_conversation() -> None:
    """W12: two turns of calls without ids."""
    call = {"type": "function", "function": {"name": "f", "arguments": ""}}
    with Loopback(
        body({"choices": [{"message": {"content": None, "tool_calls": [call, call]}, "finish_reason": "stop"}]})
    ) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="none")
        first = model("Hi")
        history = [*HI.messages, first.message]
        second = model(history)
        model([*history, second.message])
    assert [each.id for each in (*first.tool_calls, *second.tool_calls)] == ["call_0", "call_1", "call_2", "call_3"]
    sent = server.requests[-1].json["messages"][1]["tool_calls"]
    assert [each["function"]["arguments"] for each in sent] == ["{}", "{}"]  # W14


def test_a_custom_call_goes_back_as_it_came() -> None:
    """W22."""
    call = {"id": "a", "type": "custom", "custom": {"name": "f", "input": "1 + 1"}}
    with Loopback(
        body({"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "stop"}]})
    ) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="none")
        model([*HI.messages, model("Hi").message])
    assert server.requests[1].json["messages"][1]["tool_calls"] == [call]


AGENT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": ""},
    {"role": "assistant", "content": "Hello!"},
    {"role": "assistant", "content": "And welcome."},
    {"role": "user", "content": "Thanks."},
    {"role": "assistant", "content": None},
    {"role": "user", "content": "Bye."},
]


@every
def test_neighbours_of_one_role_are_joined_and_empty_messages_left_out(name: str) -> None:
    """S8: an agent's history, which strict chat templates refuse."""
    assert sent(name, AGENT, join_messages=True, flatten_messages_as_text=True) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!\nAnd welcome."},
        {"role": "user", "content": "Thanks.\nBye."},
    ]
    assert len(sent(name, AGENT)) == 8


def test_a_message_without_words_that_brings_something_is_not_left_out() -> None:
    """S8: no part is lost, and nothing that goes back."""
    history = ["Hi", turn(extra_content=SIGNED), turn(tool_calls=[CALL]), RESULT, {**RESULT, "tool_call_id": "b"}]
    messages = [Message("user", "Hi"), *as_messages(history[1:])]
    assert [each["role"] for each in sent("OpenAIModel", messages, join_messages=True)] == [
        "user", "assistant", "tool", "tool",
    ]  # fmt: skip
    assert sent("OpenAIModel", messages, join_messages=True)[1] == turn(tool_calls=[CALL], extra_content=SIGNED)


# Forms, stops, words


@every
def test_a_schema_goes_out_in_the_form_that_servers_read(name: str) -> None:
    """S2: vLLM and llama.cpp answer the SDK's form with success, and without the schema."""
    closed = {"type": "object", "properties": {}, "additionalProperties": False}
    form = JsonSchema(closed, "thing")
    with Loopback(saying({"content": "{}"})) as server:
        MODELS[name](server.url)("Hi", response_format=form)
    wire = {"type": "json_schema", "json_schema": {"name": "thing", "schema": closed, "strict": True}}
    assert server.requests[0].json["response_format"] == wire


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_server_is_told_of_no_stop_and_all_are_found_here(stream: bool) -> None:
    """S10: mlx_lm.server goes on behind a stop; llama.cpp's drops what it held back."""
    with Loopback(saying({"content": "one STOP two"})) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="k", capabilities=Capabilities(max_stops=0))
        request = as_request("Hi", stop_sequences=["STOP"])
        if stream:
            *_, last = blocking(model).stream(request)
            assert isinstance(last, Finished)
            found = last.response
        else:
            found = blocking(model).generate(request).unwrap()
    assert (found.content, found.stopped_by, "stop" in server.requests[0].json) == ("one ", "STOP", False)


@every
@pytest.mark.parametrize("word", ["none", "dummy"])
def test_a_word_in_place_of_a_key_is_no_secret(name: str, word: str) -> None:
    """S12."""
    says = f"tool_choice must be auto, required or {word}"
    with Loopback(error(400, None, says)) as server:
        asked = {"OpenAIModel": "api_key", "InferenceClientModel": "token"}.get(name)
        fields = {"azure_endpoint": server.url, "api_version": "1", "api_key": word}
        model: Any = (
            AzureOpenAIModel("m", **fields)
            if asked is None
            else {"OpenAIModel": OpenAIModel, "InferenceClientModel": InferenceClientModel}[name](
                "m", base_url=server.url, **{asked: word}
            )
        )
        assert asyncio.run(model.generate(HI)).failure().message == says


# Calls that a server leaves in the text

WEATHER = Tool("weather", "Tells.", {"type": "object", "properties": {"city": {"type": "string"}}})
WRITTEN = '<tool_call>\n{"name": "weather", "arguments": {"city": "Bern"}}\n</tool_call>'


def heard(name: str, answer: Any, stops: tuple[str, ...] = (), **options: Any) -> tuple[Response, list[Any]]:
    """The whole answer, which is the streamed one as well, and what was shown of that."""
    with Loopback(answer) as server:
        model = MODELS[name](server.url, tool_calls_in_text=True, **options)
        request = as_request("Hi", tools=[WEATHER], stop_sequences=stops)
        found = blocking(model).generate(request).unwrap()
        *shown, last = blocking(model).stream(request)
    assert isinstance(last, Finished)
    assert to_json(last.response.message) == to_json(found.message)
    assert (last.response.finish_reason, last.response.stopped_by) == (found.finish_reason, found.stopped_by)
    return found, shown


TEXT_MODELS = pytest.mark.parametrize("name", ["OpenAIModel", "InferenceClientModel"])


def in_pieces(text: str, size: int, finish: str = "stop", **more: Any) -> Callable[[Seen], Answer]:
    def answer(seen: Seen) -> Answer:
        if not seen.json["stream"]:
            return whole(text, finish=finish, **more)
        pieces = [chunk({"content": text[at : at + size]}) for at in range(0, len(text), size)]
        return streamed(*pieces, chunk(more), chunk(finish=finish), DONE)

    return answer


@TEXT_MODELS
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_call_in_the_text_is_read_on_request(name: str, size: int) -> None:
    """S9: `transformers serve` leaves calls as text."""
    found, shown = heard(name, in_pieces(f"<think>Bern?</think>I look.\n{WRITTEN}", size))
    assert [(call.id, call.name, call.input) for call in found.tool_calls] == [("call_0", "weather", {"city": "Bern"})]
    assert (found.reasoning, found.content, found.finish_reason) == ("Bern?", "I look.\n", "tool_calls")
    assert "tool_call>" not in "".join(event.text for event in shown if isinstance(event, TextDelta))


def test_calls_in_the_text_are_numbered_through_a_conversation() -> None:
    with Loopback(in_pieces(WRITTEN, 9)) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="k", tool_calls_in_text=True)
        first = model("Hi", tools=[WEATHER])
        second = model([*HI.messages, first.message], tools=[WEATHER])
    assert [call.id for call in (*first.tool_calls, *second.tool_calls)] == ["call_0", "call_1"]


@pytest.mark.parametrize("text", ["{ that is no call", "[1, 2] and text", "plain"])
def test_text_that_is_no_call_stays_text(text: str) -> None:
    found, _ = heard("OpenAIModel", in_pieces(text, 4))
    assert (found.content, found.tool_calls, found.finish_reason) == (text, (), "stop")


@pytest.mark.parametrize("text", ["Look: ", "Look: {", "<think>hm</think>", "<think", ""])
def test_where_the_server_calls_its_own_calls_hold(text: str) -> None:
    call = {"index": 0, **CALL, "extra_content": SIGNED}
    found, _ = heard("OpenAIModel", in_pieces(text, 3, "tool_calls", tool_calls=[call]))
    assert [(each.id, each.name) for each in found.tool_calls] == [("a", "f")]
    assert found.tool_calls[0].metadata == {"openai": {"extra_content": SIGNED}}
    assert found.content == text.replace("<think>hm</think>", "")


def test_a_stop_ends_the_text_and_what_follows_a_call_and_nothing_within_one() -> None:
    assert heard("OpenAIModel", in_pieces("one END two", 3), ("END",))[0].stopped_by == "END"
    found, _ = heard("OpenAIModel", in_pieces(f"{WRITTEN}\nEND{WRITTEN}", 3), ("END", "Bern"))
    assert ([call.input for call in found.tool_calls], found.stopped_by) == ([{"city": "Bern"}], "END")


def test_what_the_server_calls_after_such_a_stop_is_dropped() -> None:
    found, _ = heard("OpenAIModel", in_pieces(f"{WRITTEN}END", 3, tool_calls=[{"index": 0, **CALL}]), ("END",))
    assert ([call.name for call in found.tool_calls], found.stopped_by) == (["weather"], "END")


def test_reasoning_beside_a_call_in_the_text_is_reasoning() -> None:
    found, _ = heard("OpenAIModel", saying({"reasoning_content": "Bern?", "content": WRITTEN}))
    assert (found.reasoning, found.content, len(found.tool_calls)) == ("Bern?", "", 1)


def test_a_server_that_streams_unasked_is_read_alike() -> None:
    """S9 and W9 at once."""
    answer = streamed(chunk({"content": WRITTEN[:20]}), chunk({"content": WRITTEN[20:]}), chunk(finish="stop"), DONE)
    assert len(heard("OpenAIModel", answer)[0].tool_calls) == 1
    assert len(heard("OpenAIModel", whole(WRITTEN))[0].tool_calls) == 1


def test_without_tools_or_without_the_request_text_stays_text() -> None:
    with Loopback(whole(WRITTEN)) as server:
        reading = OpenAIModel("m", base_url=server.url, api_key="k", tool_calls_in_text=True)
        plain = OpenAIModel("m", base_url=server.url, api_key="k")
        assert reading("Hi").content == plain("Hi", tools=[WEATHER]).content == WRITTEN


def test_a_stream_that_breaks_in_a_call_tells_what_was_shown() -> None:
    with Loopback(streamed(chunk({"content": f"I look. {WRITTEN[:30]}"}), then="reset")) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="k", tool_calls_in_text=True)
        *_, last = blocking(model).stream(as_request("Hi", tools=[WEATHER]))
    assert isinstance(last, Failed)
    assert isinstance(last.error, ModelError)
    assert (last.error.kind, last.partial and last.partial.content) == ("interrupted", "I look. ")


def test_an_error_after_a_call_in_the_text_is_an_error() -> None:
    with Loopback(streamed(chunk({"content": WRITTEN}), sse({"error": {"message": "x", "code": 503}}))) as server:
        model = OpenAIModel("m", base_url=server.url, api_key="k", tool_calls_in_text=True)
        *_, last = blocking(model).stream(as_request("Hi", tools=[WEATHER]))
    assert isinstance(last, Failed)
    assert last.error.kind == "overloaded"


@TEXT_MODELS
def test_it_is_true_or_false(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name}: tool_calls_in_text is True or False, not 'yes'"):
        MODELS[name]("http://127.0.0.1:9/v1", tool_calls_in_text="yes")
