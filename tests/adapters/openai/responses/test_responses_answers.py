"""A whole answer on the Responses wire, read as a response; and what of it goes back with the conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses_wire as wire

from modelport.adapters.chat.calls import made_up_id
from modelport.adapters.http.http_errors import Malformed, Unwritable
from modelport.adapters.openai.responses.answer import decode
from modelport.adapters.openai.responses.items import input_items, parts_of
from modelport.adapters.openai.responses.request import encode
from modelport.domain.capability import Unsupported
from modelport.domain.message import Audio, Image, Message, Reasoning, Text, ToolCall, ToolResult
from modelport.domain.request import Request
from modelport.domain.response import Response
from modelport.domain.response_format import Grammar, Regex
from modelport.domain.usage import Usage

OWN = "openai-responses"
SEARCH = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "x"}}


def sent(message: Message, *, kept: bool) -> list[Any]:
    """The items that go back, as JSON has them."""
    items: list[Any] = json.loads(json.dumps(input_items(message, kept)))
    return items


def read(*output: Any, stops: tuple[str, ...] = (), **fields: Any) -> Response:
    return decode(json.dumps(wire.response(*output, **fields)).encode(), stops)


def test_an_answer_has_its_text_usage_and_ids() -> None:
    used = {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 29,
    }
    response = read(wire.message("Hi"), usage=used)
    assert (response.content, response.usage) == ("Hi", Usage(20, 9, 8, 4, 5))
    assert (response.model_id, response.response_id, response.finish_reason) == ("m-1", "resp_1", "stop")


@pytest.mark.parametrize(
    ("output", "fields", "reason"),
    [
        ([wire.message("Hi")], {}, "stop"),
        ([wire.call("f", "{}")], {}, "tool_calls"),
        ([wire.refusal("No.")], {}, "content_filter"),
        (
            [wire.message("Hi")],
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "length",
        ),
        ([], {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ([], {"status": "incomplete", "incomplete_details": {"reason": "steered"}}, "other"),
        ([], {"status": "incomplete", "incomplete_details": {"reason": ["new"]}}, "other"),
        ([], {"status": "incomplete", "incomplete_details": None}, "other"),
        ([wire.message("Hi")], {"status": "whatever"}, "other"),
    ],
)
def test_the_end_of_an_answer_is_told(output: list[Any], fields: dict[str, Any], reason: str) -> None:
    assert read(*output, **fields).finish_reason == reason


def test_an_answer_without_a_status_or_a_usage_is_one() -> None:
    response = decode(json.dumps({"output": [wire.message("Hi")]}).encode())
    assert (response.content, response.finish_reason, response.usage) == ("Hi", "stop", None)


def test_a_stop_cuts_the_text_and_what_follows() -> None:
    response = read(wire.message("One. Two."), wire.call("f", "{}"), stops=(" Two",))
    assert (response.content, response.stopped_by, response.tool_calls) == ("One.", " Two", ())


def test_a_message_without_words_has_no_part() -> None:
    assert read(wire.message("")).message.content == ()


def test_what_is_no_answer_is_malformed() -> None:
    with pytest.raises(Malformed, match="the answer isn't there yet: its status is in_progress"):
        read(status="in_progress")


def test_a_picture_that_the_server_made_is_one() -> None:
    made = {
        "id": "ig_1",
        "type": "image_generation_call",
        "status": "completed",
        "result": "R0lG",
        "output_format": "gif",
    }
    (picture,) = read(made).message.content
    assert isinstance(picture, Image)
    assert (picture.data, picture.media_type) == (b"GIF", "image/gif")
    assert sent(Message("assistant", picture), kept=True) == [made]


@pytest.mark.parametrize("result", ["%%%", None])
def test_a_picture_that_is_none_is_kept_as_it_came(result: str | None) -> None:
    made = {"id": "ig_1", "type": "image_generation_call", "status": "failed", **({"result": result} if result else {})}
    assert read(made).message.content == (Reasoning("", metadata={OWN: {"item": made}}),)


def test_calls_without_an_id_get_one_and_calls_without_a_name_are_none() -> None:
    calls = [{"type": "function_call", "arguments": "{}"}, {"type": "function_call", "name": "f", "arguments": "{}"}]
    assert read(*calls, {**calls[1], "id": "fc_9"}).tool_calls == (
        ToolCall("call_0", "f", "{}"),
        ToolCall("fc_9", "f", "{}", metadata={OWN: {"id": "fc_9"}}),
    )


def test_reasoning_is_its_summary_and_what_the_server_shows_of_it() -> None:
    item = {**wire.reasoning("One.", "Two."), "content": [{"type": "reasoning_text", "text": "Three."}]}
    assert read(item).reasoning == "One.\n\nTwo.\n\nThree."


# Back again

HISTORY = [
    wire.reasoning("I see.", encrypted="c2VjcmV0"),
    SEARCH,
    wire.message("Look: ", phase="commentary"),
    wire.call("weather", '{"city":"서울"}'),
    {"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_2", "name": "run", "input": "1 + 1"},
    wire.message("So.", id="msg_2"),
]


def replayed(*items: dict[str, Any]) -> list[dict[str, Any]]:
    """The items without what the server says of them alone."""
    out = []
    for item in items:
        known = {name: value for name, value in item.items() if name != "status" or item["type"] != "function_call"}
        if item["type"] == "message":
            known["content"] = [{k: v for k, v in piece.items() if k != "logprobs"} for piece in item["content"]]
        out.append(known)
    return out


@pytest.mark.parametrize("kept", [True, False])
def test_all_that_came_goes_back_in_its_order(kept: bool) -> None:
    message = Message("assistant", parts_of(HISTORY, made_up_id))
    assert sent(message, kept=kept) == replayed(*HISTORY)


def test_reasoning_that_only_the_server_knows_goes_back_where_it_keeps_it() -> None:
    """Where it doesn't, neither does what names it: an id of what followed is refused without it."""
    said, thought = wire.message("Hi", phase="final_answer"), wire.reasoning("I see.")
    message = Message("assistant", parts_of([thought, said, wire.call("f", "{}")], made_up_id))
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    assert sent(message, kept=True) == replayed(thought, said, {**call, "id": "fc_1"})
    bare = {name: value for name, value in replayed(said)[0].items() if name not in ("id", "status")}
    assert sent(message, kept=False) == [bare, call]


def test_reasoning_that_nothing_follows_is_left_out() -> None:
    """A stop or the caller took what did, and the server refuses it alone."""
    thought = Reasoning("I see.", metadata={OWN: {"item": wire.reasoning("I see.", encrypted="c2VjcmV0")}})
    assert sent(Message("assistant", [Text("Hi"), thought, Reasoning("Mine.")]), kept=True) == [
        {"role": "assistant", "content": "Hi"}
    ]


def test_what_is_none_of_this_wire_s_own_is_not_read_as_such() -> None:
    parts = [Reasoning("a", metadata={OWN: {"item": "x"}}), Text("b", metadata={OWN: "x"}), Audio(b"x")]
    assert sent(Message("assistant", parts), kept=True) == [{"role": "assistant", "content": "b"}]


def test_a_message_that_was_cut_short_says_so() -> None:
    message = Message("assistant", parts_of([wire.message("Hi", status="incomplete")], made_up_id))
    assert sent(message, kept=True)[0]["status"] == "incomplete"


def test_parts_of_a_message_that_has_no_id_are_one_message() -> None:
    said = {**wire.message("Hi", id=None), "content": [{"type": "refusal", "refusal": each} for each in ("No.", "No!")]}
    message = Message("assistant", parts_of([said], made_up_id))
    assert sent(message, kept=True) == [{"type": "message", "role": "assistant", "content": said["content"]}]


# What can't be asked

HI = Message("user", "Hi")


@pytest.mark.parametrize(
    ("request_", "options", "says"),
    [
        (
            Request([Message("tool", [ToolResult("a", "b"), Text("c")])]),
            {},
            "messages[0]: a tool's message holds nothing",
        ),
        (Request([Message("user", Audio(url="https://x.org/a.wav"))]), {}, "fetches no sound: 'https://x.org/a.wav'"),
        (Request([Message("user", ToolCall("a", "f"))]), {}, "a ToolCall can't stand among the words of a message"),
        (Request([HI], response_format=Regex("a+")), {}, "the Responses wire has no Regex; use JsonSchema(...)"),
        (Request([HI], response_format=Grammar("a")), {}, "the Responses wire has no Grammar; use JsonSchema(...)"),
        (Request([HI]), {"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "are one thing; keep one"),
        (Request([HI]), {"reasoning_effort": "low", "reasoning": "high"}, "reasoning is a dict, not 'high'"),
        (Request([HI]), {"extra_body": {"model": "x"}}, "extra_body: 'model' is set by the call itself"),
        (Request([HI]), {"extra_body": {"stream": True}}, "extra_body: 'stream' is set by the call itself"),
        (Request([HI]), {"extra_body": {"tools": {"type": "web_search"}}}, "extra_body: tools is a list, not dict"),
        (Request([HI]), {"metadata": {"x": object()}}, "can't be written as JSON"),
    ],
)
def test_what_can_not_be_sent_is_refused_by_name(request_: Request, options: dict[str, Any], says: str) -> None:
    with pytest.raises((Unsupported, Unwritable)) as raised:
        encode(request_, "m", options)
    assert says in str(raised.value)


def test_a_tool_s_message_without_a_result_says_nothing() -> None:
    assert json.loads(encode(Request([HI, Message("tool", [])]), "m", {}))["input"] == [
        {"role": "user", "content": "Hi"}
    ]


def test_options_of_a_stream_are_sent_with_one_alone() -> None:
    options = {"stream_options": {"include_obfuscation": False}}
    assert "stream_options" not in json.loads(encode(Request([HI]), "m", options))
    streamed = json.loads(encode(Request([HI]), "m", options, stream=True))
    assert (streamed["stream"], streamed["stream_options"]) == (True, {"include_obfuscation": False})
